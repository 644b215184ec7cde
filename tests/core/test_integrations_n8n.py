"""Which n8n nodes call something outside, whom, and what is told of it."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.definition import parse_definition
from runbooks.core.integration import Authentication, Integration, IntegrationKind
from runbooks.core.integrations import extract_integrations
from runbooks.errors import DefinitionError

BASE, LANGCHAIN = "n8n-nodes-base.", "@n8n/n8n-nodes-langchain."


def words(text: str) -> list[str]:
    return text.split()


def node(node_type: str, name: str = "Node", **rest: Any) -> dict[str, Any]:
    return {"name": name, "type": node_type, "parameters": {}, "position": [0, 0], **rest}


def found_in(*nodes: dict[str, Any], connections: dict[str, Any] | None = None) -> dict[str, Integration]:
    workflow = parse_definition({"name": "w", "nodes": list(nodes), "connections": connections or {}})
    return {one.node_key: one for one in extract_integrations(workflow, knowledge=load_node_knowledge())}


def one(node_type: str, **rest: Any) -> Integration:
    return found_in(node(node_type, **rest))["Node"]


def chain(*names: str) -> dict[str, Any]:
    return {source: {"main": [[{"node": target, "type": "main", "index": 0}]]} for source, target in pairwise(names)}


@pytest.mark.parametrize(
    "name",
    words(
        """
        webhook formTrigger form scheduleTrigger cron interval manualTrigger start errorTrigger executeWorkflowTrigger
        n8nTrigger workflowTrigger localFileTrigger if switch merge set code function functionItem filter splitInBatches
        noOp wait executeCommand readWriteFile readBinaryFile writeBinaryFile executeWorkflow respondToWebhook crypto
        jwt totp html xml markdown dateTime dataTable stickyNote stopAndError editImage compression extractFromFile
        convertToFile spreadsheetFile iCal aggregate
        """
    ),
)
def test_receivers_logic_and_transforms_are_no_integrations(name: str) -> None:
    assert found_in(node(BASE + name)) == {}


@pytest.mark.parametrize(
    "name",
    words(
        """
        agent chainLlm chainRetrievalQa chainSummarization informationExtractor textClassifier memoryBufferWindow
        vectorStoreInMemory outputParserStructured textSplitterTokenSplitter documentDefaultDataLoader toolCalculator
        toolCode toolWorkflow toolVectorStore agentTool chatTrigger manualChatTrigger mcpTrigger retrieverVectorStore
        modelSelector toolThink
        """
    ),
)
def test_what_only_orchestrates_models_or_keeps_things_in_memory_is_no_integration(name: str) -> None:
    assert found_in(node(LANGCHAIN + name)) == {}


@pytest.mark.parametrize(
    ("node_type", "service", "kind", "direction"),
    [
        (BASE + "slack", "Slack", "messaging", "outbound"),
        (BASE + "gmailTrigger", "Gmail", "email", "inbound"),
        (BASE + "telegramTrigger", "Telegram", "messaging", "inbound"),
        (BASE + "emailReadImap", "Email (IMAP)", "email", "inbound"),
        (BASE + "kafkaTrigger", "Kafka", "queue", "inbound"),
        (BASE + "postgresTrigger", "Postgres", "database", "inbound"),
        (BASE + "rssFeedRead", "RSS feed", "feed", "outbound"),
        (BASE + "sseTrigger", "SSE stream", "feed", "inbound"),
        (BASE + "hackerNews", "Hacker News", "feed", "outbound"),
        (BASE + "coinGecko", "CoinGecko", "search", "outbound"),
        (BASE + "quickChart", "QuickChart", "other", "outbound"),
        (BASE + "openThesaurus", "OpenThesaurus", "search", "outbound"),
        (BASE + "postBin", "PostBin", "other", "outbound"),
        (BASE + "ftp", "FTP server", "file_transfer", "outbound"),
        (BASE + "ssh", "SSH server", "remote_shell", "outbound"),
        (BASE + "emailSend", "Email (SMTP)", "email", "outbound"),
        (BASE + "postgres", "Postgres", "database", "outbound"),
        (BASE + "rabbitmq", "RabbitMQ", "queue", "outbound"),
        (BASE + "n8n", "n8n API", "developer", "outbound"),
        (BASE + "chargebeeTrigger", "Chargebee", "payments", "inbound"),
        (LANGCHAIN + "lmChatOpenAi", "OpenAI", "ai_model", "outbound"),
        (LANGCHAIN + "lmChatAzureOpenAi", "Azure OpenAI", "ai_model", "outbound"),
        (LANGCHAIN + "lmChatOllama", "Ollama", "ai_model", "outbound"),
        (LANGCHAIN + "embeddingsGoogleGemini", "Google Gemini", "ai_model", "outbound"),
        (LANGCHAIN + "rerankerCohere", "Cohere", "ai_model", "outbound"),
        (LANGCHAIN + "vectorStorePinecone", "Pinecone", "vector_store", "outbound"),
        (LANGCHAIN + "memoryPostgresChat", "Postgres", "database", "outbound"),
        (LANGCHAIN + "toolWikipedia", "Wikipedia", "search", "outbound"),
        (LANGCHAIN + "toolSerpApi", "SerpApi", "search", "outbound"),
        (LANGCHAIN + "toolWolframAlpha", "Wolfram Alpha", "search", "outbound"),
        (LANGCHAIN + "mcpClientTool", "MCP server", "developer", "outbound"),
        (LANGCHAIN + "documentGithubLoader", "GitHub", "developer", "outbound"),
    ],
)
def test_nodes_that_talk_to_a_service_are_integrations(node_type: str, service: str, kind: str, direction: str) -> None:
    integration = one(node_type)
    assert (integration.service, integration.kind, integration.direction) == (service, kind, direction)


@pytest.mark.parametrize("node_type", ["n8n-nodes-base.slack", "n8n-nodes-base.httpRequest"])
def test_disabled_nodes_are_no_integrations(node_type: str) -> None:
    assert found_in(node(node_type, disabled=True)) == {}


@pytest.mark.parametrize(
    ("node_type", "service"),
    [
        (BASE + "googleSheetsTool", "Google Sheets"),
        (BASE + "httpRequestTool", "example.com"),
        (LANGCHAIN + "toolHttpRequest", "example.com"),
    ],
)
def test_a_tool_counts_as_the_node_that_it_is_made_of(node_type: str, service: str) -> None:
    assert one(node_type, parameters={"url": "https://example.com/x"}).service == service


@pytest.mark.parametrize("node_type", ["httpRequest", "n8n-nodes-langchain.lmChatOpenAi"])
def test_a_missing_or_old_package_name_is_forgiven(node_type: str) -> None:
    workflow = [node(BASE + "noOp", "Other"), node(node_type)]
    assert "Node" in found_in(*workflow)


def test_a_community_node_with_credentials_is_an_integration() -> None:
    integration = one("n8n-nodes-acme-text.acme", credentials={"acmeApi": {"id": "1", "name": "Acme key"}})
    assert (integration.service, integration.credential) == ("Acme Text", "Acme key")


@pytest.mark.parametrize(
    ("node_type", "service"),
    [
        ("@apify/n8n-nodes-apify.apify", "Apify"),
        ("@elevenlabs/n8n-nodes-elevenlabs.elevenLabs", "ElevenLabs"),
        ("n8n-nodes-frobnicate.frobnicate", "Frobnicate"),
        ("n8n-nodes-mcp.mcpClientTool", "MCP server"),
    ],
)
def test_a_community_package_of_a_service_is_an_integration_without_credentials(node_type: str, service: str) -> None:
    assert one(node_type).service == service


@pytest.mark.parametrize(
    "node_type", ["n8n-nodes-text-manipulation.textManipulation", "n8n-nodes-globals.globalConstants"]
)
def test_a_community_package_that_only_computes_is_no_integration(node_type: str) -> None:
    assert found_in(node(node_type)) == {}


def test_an_agent_is_external_only_when_it_opens_a_database_itself() -> None:
    assert found_in(node(LANGCHAIN + "agent")) == {}
    assert one(LANGCHAIN + "agent", credentials={"postgres": {"name": "Orders"}}).service == "Postgres"


def test_an_http_request_is_named_by_its_host() -> None:
    integration = one(
        BASE + "httpRequest", parameters={"method": "POST", "url": "https://api.stripe.com/v1/charges?expand=x"}
    )
    assert (integration.service, integration.service_id, integration.kind) == ("Stripe API", "stripe", "payments")
    assert (integration.operation, integration.host) == ("POST /v1/charges", "api.stripe.com")
    assert integration.timeout_s == 300


def test_an_old_http_request_has_its_method_elsewhere() -> None:
    integration = one(BASE + "httpRequest", parameters={"requestMethod": "DELETE", "url": "https://example.com/a"})
    assert (integration.method, integration.access, integration.repeats) == ("DELETE", "write", ())


def test_a_predefined_credential_names_the_service() -> None:
    integration = one(
        BASE + "httpRequest",
        parameters={
            "url": "={{ $json.next }}",
            "authentication": "predefinedCredentialType",
            "nodeCredentialType": "hubspotOAuth2Api",
        },
        credentials={"hubspotOAuth2Api": {"id": "1", "name": "HubSpot of sales"}},
    )
    assert (integration.service_id, integration.authentication) == ("hubspot", Authentication.OAUTH2)
    assert integration.credential == "HubSpot of sales"
    assert integration.host_note == "host comes from the data of an earlier step"


def test_a_credential_that_opens_many_services_leaves_the_naming_to_the_host() -> None:
    parameters = {
        "url": "https://sheets.googleapis.com/v4/spreadsheets",
        "authentication": "predefinedCredentialType",
        "nodeCredentialType": "googleApi",
    }
    assert one(BASE + "httpRequest", parameters=parameters).service == "Google Sheets"


def test_a_templated_host_is_named_by_what_the_settings_tell() -> None:
    by_variable = one(BASE + "httpRequest", parameters={"url": "={{ $env.STRIPE_BASE }}/v1/refunds"})
    assert by_variable.service_id == "stripe"
    assert by_variable.host_note == "host is set by the variable STRIPE_BASE; the name is taken from the settings"
    by_nothing = one(BASE + "httpRequest", parameters={"url": "={{ $json.url }}"})
    assert by_nothing.service == 'HTTP endpoint of "Node"'
    by_end = one(BASE + "httpRequest", parameters={"url": "=https://{{ $json.shop }}.myshopify.com/admin"})
    assert by_end.service_id == "shopify"


def test_an_address_that_is_kept_in_a_set_node_is_looked_up_there() -> None:
    assignments = [{"name": "base", "value": "https://api.notion.com/v1", "type": "string"}]
    for config in (
        node(BASE + "set", "Config", parameters={"assignments": {"assignments": assignments}}),
        node(BASE + "set", "Config", parameters={"values": {"string": assignments}}),
        node(
            BASE + "set",
            "Config",
            parameters={"fields": {"values": [{"name": "base", "stringValue": assignments[0]["value"]}]}},
        ),
    ):
        for address in ("={{ $('Config').item.json.base }}/pages", '={{ $node["Config"].json["base"] }}/pages'):
            integration = found_in(config, node(BASE + "httpRequest", parameters={"url": address}))["Node"]
            assert (integration.service, integration.host) == ("Notion", "api.notion.com")
            assert integration.operation == "GET /v1/pages"
            assert integration.host_note == 'written in the node "Config"'


def test_a_secret_that_is_kept_in_a_set_node_is_not_looked_up() -> None:
    config = node(BASE + "set", "Config", parameters={"values": {"string": [{"name": "key", "value": "fake-secret"}]}})
    url = "=https://api.example.com/{{ $('Config').item.json.key }}/send"
    assert found_in(config, node(BASE + "httpRequest", parameters={"url": url}))["Node"].operation == "GET /{key}/send"


def test_a_set_node_that_computes_tells_no_address() -> None:
    config = node(
        BASE + "set", "Config", parameters={"values": {"string": [{"name": "base", "value": "={{ $json.x }}"}]}}
    )
    call = node(BASE + "httpRequest", parameters={"url": "={{ $('Config').item.json.base }}"})
    integration = found_in(config, call)["Node"]
    assert (integration.host, integration.host_note) == (None, 'host comes from the data of the node "Config"')


def test_everyday_words_name_no_service() -> None:
    found = found_in(node(BASE + "httpRequest", "Call the line of the box", parameters={"url": "={{ $json.url }}"}))
    assert found["Call the line of the box"].service_id == "http"


def test_a_model_behind_another_address_is_named_by_that_address() -> None:
    integration = one(LANGCHAIN + "lmChatOpenAi", parameters={"options": {"baseURL": "https://openrouter.ai/api/v1"}})
    assert (integration.service, integration.host) == ("OpenRouter", "openrouter.ai")


@pytest.mark.parametrize(
    ("name", "parameters", "operation", "access"),
    [
        ("slack", {}, "message.post", "write"),
        ("slack", {"operation": "getPermalink"}, "message.getPermalink", "read"),
        ("googleSheets", {}, "sheet.read", "read"),
        ("googleSheets", {"operation": "appendOrUpdate"}, "sheet.appendOrUpdate", "write"),
        ("gmail", {}, "message.send", "write"),
        ("telegram", {}, "message.sendMessage", "write"),
        ("postgres", {"operation": "executeQuery", "query": "SELECT 1"}, "select", "read"),
        (
            "postgres",
            {"operation": "executeQuery", "query": "=INSERT INTO a VALUES ({{ $json.b }})"},
            "insert",
            "write",
        ),
        ("stripe", {"resource": "charge", "operation": "create"}, "charge.create", "write"),
        ("slack", {"resource": "={{ $json.what }}", "operation": "={{ $json.how }}"}, "", "write"),
        ("discord", {"authentication": "webhook"}, "message.send", "write"),
        ("facebookGraphApi", {"httpRequestMethod": "POST"}, "POST", "write"),
        ("graphql", {"endpoint": "https://example.com/graphql", "query": "mutation { a }"}, "GET /graphql", "write"),
    ],
)
def test_the_operation_tells_whether_a_call_writes(
    name: str, parameters: dict[str, Any], operation: str, access: str
) -> None:
    integration = one(BASE + name, parameters=parameters)
    assert (integration.operation, integration.access) == (operation, access)


@pytest.mark.parametrize(
    ("parameters", "credentials", "authentication", "inline"),
    [
        ({"url": "https://example.com"}, {}, Authentication.NONE, False),
        (
            {"authentication": "genericCredentialType", "genericAuthType": "httpBasicAuth"},
            {},
            Authentication.BASIC,
            False,
        ),
        ({"authentication": "headerAuth"}, {"httpHeaderAuth": "Old key"}, Authentication.API_KEY, False),
        ({"url": "https://a:fake-pass@example.com"}, {}, Authentication.BASIC, True),
        ({"url": "https://example.com?api_key=fake0123456789abcdef"}, {}, Authentication.API_KEY, True),
        (
            {"headerParameters": {"parameters": [{"name": "Authorization", "value": "Bearer fake0123456789abcdef"}]}},
            {},
            Authentication.TOKEN,
            True,
        ),
        (
            {"headerParameters": {"parameters": [{"name": "Authorization", "value": "=Bearer {{ $env.KEY }}"}]}},
            {},
            Authentication.TOKEN,
            False,
        ),
        (
            {"headerParametersUi": {"parameter": [{"name": "x-api-key", "value": "YOUR_API_KEY"}]}},
            {},
            Authentication.API_KEY,
            False,
        ),
        (
            {"headerParameters": {"parameters": [{"name": "x-api-key", "value": '"acme_api_key"'}]}},
            {},
            Authentication.API_KEY,
            False,
        ),
    ],
)
def test_authentication_is_told_and_secrets_in_the_settings_are_seen(
    parameters: dict[str, Any], credentials: dict[str, Any], authentication: Authentication, inline: bool
) -> None:
    integration = one(BASE + "httpRequest", parameters=parameters, credentials=credentials)
    assert (integration.authentication, integration.inline_secret) == (authentication, inline)


def test_nothing_in_an_integration_holds_a_secret() -> None:
    secret = "fakeFAKE0123456789fake0123456789"
    label = f"Call with Bearer sk-proj-{secret}"
    found = found_in(
        node(
            BASE + "httpRequest",
            label,
            parameters={
                "url": f"https://me:{secret}@example.com/hook/{secret}/x?token={secret}#{secret}",
                "headerParameters": {"parameters": [{"name": "Authorization", "value": f"Bearer {secret}"}]},
                "jsonBody": secret,
            },
            credentials={"httpHeaderAuth": {"id": "1", "name": f"key sk-proj-{secret}"}},
        )
    )
    shown = found[label].model_dump(exclude={"node_key", "upstream", "downstream", "repeats"})
    assert secret not in str(shown)
    assert found[label].inline_secret


def test_a_re_run_names_what_would_act_twice_itself_first() -> None:
    found = found_in(
        node(BASE + "manualTrigger", "Start"),
        node(BASE + "stripe", "Charge", parameters={"resource": "charge", "operation": "create"}),
        node(BASE + "googleSheets", "Read"),
        node(BASE + "gmail", "Mail", parameters={"operation": "send"}),
        node(BASE + "postgres", "Save", parameters={"operation": "update"}),
        connections=chain("Start", "Charge", "Read", "Mail", "Save"),
    )
    assert found["Charge"].repeats == ("Charge",)
    assert found["Read"].repeats == ("Charge",)
    assert found["Mail"].repeats == ("Mail", "Charge")
    assert found["Save"].repeats == ("Mail", "Charge")


def test_a_charge_on_the_only_way_is_critical_and_a_last_notice_is_not() -> None:
    found = found_in(
        node(BASE + "webhook", "Start"),
        node(BASE + "stripe", "Charge", parameters={"resource": "charge", "operation": "create"}),
        node(BASE + "slack", "Tell", onError="continueRegularOutput"),
        connections=chain("Start", "Charge", "Tell"),
    )
    assert found["Charge"].criticality == "critical"
    assert found["Tell"].criticality == "low"


def test_an_error_branch_is_told_apart_from_what_stops() -> None:
    found = found_in(
        node(BASE + "httpRequest", "Call", onError="continueErrorOutput"),
        node(BASE + "set", "Next"),
        node(BASE + "slack", "Alarm"),
        connections={"Call": {"main": [[{"node": "Next"}], [{"node": "Alarm"}]]}},
    )
    assert (found["Call"].downstream, found["Call"].error_branch) == (("Next",), ("Alarm",))


def test_a_sub_workflow_before_a_node_would_run_again() -> None:
    found = found_in(
        node(BASE + "executeWorkflow", "Bill"),
        node(BASE + "googleSheets", "Read"),
        connections=chain("Bill", "Read"),
    )
    assert found["Read"].repeats == ("Bill",)


def test_what_comes_after_a_node_that_continues_on_error_is_told_and_weighs_less() -> None:
    found = found_in(
        node(BASE + "httpRequest", "Call", continueOnFail=True),
        node(BASE + "slack", "Tell"),
        connections=chain("Call", "Tell"),
    )
    assert found["Call"].downstream == ("Tell",)
    assert found["Call"].continue_on_error
    assert found["Call"].criticality == "low"


@pytest.mark.parametrize(
    "shape",
    [
        {"parameters": None},
        {"parameters": []},
        {"credentials": {"slackApi": "just a name"}},
        {"credentials": "slack"},
        {"typeVersion": 1, "id": None},
        {"parameters": {"resource": 5, "operation": {"mode": "list"}, "options": "none"}},
    ],
)
def test_odd_and_old_exports_are_read(shape: dict[str, Any]) -> None:
    assert one(BASE + "slack", **shape).kind is IntegrationKind.MESSAGING


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just("={{ $json.x }}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["url", "method", "options", "resource", "operation", "query", "headerParameters", "nodeCredentialType", "mode"]
)
TYPES = st.sampled_from(
    [
        *(BASE + name for name in ("httpRequest", "slack", "graphql", "postgres", "discord")),
        *(LANGCHAIN + name for name in ("vectorStorePinecone", "toolHttpRequest", "mcpClientTool")),
        *("n8n-nodes-x.y", "x"),
    ]
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": TYPES, "name": st.text(max_size=6)},
            optional={"parameters": st.dictionaries(FIELDS, JSON, max_size=6), "credentials": JSON, "disabled": JSON},
        ),
        min_size=1,
        max_size=5,
    ),
    JSON,
)
def test_no_malformed_export_breaks_the_analysis(nodes: list[dict[str, Any]], connections: Any) -> None:
    try:
        workflow = parse_definition({"nodes": nodes, "connections": connections})
    except DefinitionError:
        return
    keys = [node.key for node in workflow.nodes]
    for integration in extract_integrations(workflow, knowledge=load_node_knowledge()):
        assert integration.node_key in keys
        assert integration.service
