"""Reading a host out of an address, and naming it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.hosts import read_endpoint


@pytest.mark.parametrize(
    ("address", "host", "path"),
    [
        ("https://api.stripe.com/v1/charges", "api.stripe.com", "/v1/charges"),
        ("=https://API.Example.com:8443/a/{{ $json.id }}?token=x", "api.example.com", "/a/{id}"),
        ("https://user:fake-pass@api.example.com/a", "api.example.com", "/a"),
        ("api.example.com/v1/things", "api.example.com", "/v1/things"),
        ("localhost:3000/health", "localhost", "/health"),
        ("http://[2001:db8::1]:80/x", "2001:db8::1", "/x"),
        ("https://api.example.com{{ $json.path }}", "api.example.com", ""),
        ("https://api.example.com./x", "api.example.com", "/x"),
        ("https://example.com?x=1", "example.com", ""),
        ("={{ 'https://api.example.com/v1/' + $json.id }}", "api.example.com", "/v1/"),
        ("={{ `https://api.example.com/${$json.id}` }}", "api.example.com", "/"),
        ("postgres://svc:fake@db.internal:5432/orders", "db.internal", "/orders"),
        ("https://münchen.example/x", "münchen.example", "/x"),
    ],
)
def test_a_written_host_is_read(address: str, host: str, path: str) -> None:
    endpoint = read_endpoint(address)
    assert (endpoint.host, endpoint.note) == (host, None)
    assert endpoint.path.startswith(path)


@pytest.mark.parametrize(
    ("address", "note"),
    [
        ("={{ $env.BILLING_URL }}/v1/invoices", "host is set by the variable BILLING_URL"),
        ("{{ $vars['api_base'] }}/x", "host is set by the variable api_base"),
        ("={{ $json.url }}", "host comes from the data of an earlier step"),
        ("={{ $('Config').item.json.base }}/x", 'host comes from the data of the node "Config"'),
        ('={{ $node["Get link"].json["url"] }}', 'host comes from the data of the node "Get link"'),
        ("https://{{ credential.domain }}/x", "host is set by a credential"),
        ("={{ $fromAI('url', 'the page') }}", "host is chosen by the AI agent"),
        ("={{ 1 + 1 }}", "host is built from an expression"),
        ("https://<your-domain>/api", "a placeholder stands where the host belongs"),
        ("/relative/only", "the address names no host"),
        ("https:///x", "the address names no host"),
    ],
)
def test_a_host_that_is_not_written_is_explained(address: str, note: str) -> None:
    endpoint = read_endpoint(address)
    assert endpoint.host is None
    assert endpoint.note == note


def test_of_several_possible_hosts_the_first_counts_and_all_are_named() -> None:
    endpoint = read_endpoint("={{ $json.live ? 'https://api.example.com/a' : 'https://sandbox.example.com/a' }}")
    assert endpoint.host == "api.example.com"
    assert endpoint.note == "chosen by an expression: one of api.example.com, sandbox.example.com"


def test_the_written_end_of_a_templated_host_is_told() -> None:
    endpoint = read_endpoint("=https://{{ $json.shop }}.myshopify.com/admin")
    assert endpoint.host is None
    assert endpoint.note == "host comes from the data of an earlier step (ends in ….myshopify.com)"


@pytest.mark.parametrize("address", [None, 5, [], {}, "", "   ", True])
def test_what_is_no_address_has_no_host(address: object) -> None:
    assert read_endpoint(address).host is None


@pytest.mark.parametrize(
    ("host", "name", "slug", "kind"),
    [
        ("api.stripe.com", "Stripe API", "stripe", "payments"),
        ("api.openai.com", "OpenAI", "openai", "ai_model"),
        ("hooks.slack.com", "Slack", "slack", "messaging"),
        ("sheets.googleapis.com", "Google Sheets", "google_sheets", "spreadsheet"),
        ("some-shop.myshopify.com", "Shopify", "shopify", "commerce"),
        ("unheard.googleapis.com", "Google API", "google", "developer"),
        ("api.unheard-of.co.uk", "unheard-of.co.uk", "unheard_of_co_uk", "http_api"),
        ("my-app.herokuapp.com", "my-app.herokuapp.com", "my_app_herokuapp_com", "http_api"),
        ("10.1.2.3", "internal service 10.1.2.3", "internal", "http_api"),
        ("93.184.216.34", "internal service 93.184.216.34", "internal", "http_api"),
        ("orders.svc.cluster.local", "internal service orders.svc.cluster.local", "internal", "http_api"),
        ("billing", "internal service billing", "internal", "http_api"),
    ],
)
def test_a_host_is_named(host: str, name: str, slug: str, kind: str) -> None:
    service = load_node_knowledge().hosts.service(host)
    assert (service.name, service.id, service.kind) == (name, slug, kind)


@pytest.mark.parametrize(
    ("host", "path", "name"),
    [
        ("www.googleapis.com", "/drive/v3/files/x", "Google Drive"),
        ("www.googleapis.com", "/upload/youtube/v3/videos", "YouTube"),
        ("www.googleapis.com", "/unheard/v1", "Google API"),
        ("sheets.googleapis.com", "/v4/drive", "Google Sheets"),
        ("graph.microsoft.com", "/v1.0/me/sendMail", "Microsoft Outlook"),
        ("graph.microsoft.com", "/v1.0/{user}/drive/root", "Microsoft OneDrive"),
        ("graph.microsoft.com", "/v1.0/organization", "Microsoft Graph"),
        ("acme.atlassian.net", "/wiki/rest/api/content", "Confluence"),
        ("acme.atlassian.net", "/rest/api/3/issue", "Jira Software"),
    ],
)
def test_a_shared_host_is_named_by_the_path(host: str, path: str, name: str) -> None:
    assert load_node_knowledge().hosts.service(host, path).name == name


def test_a_look_alike_is_not_the_well_known_host() -> None:
    assert load_node_knowledge().hosts.service("api.stripe.com.evil.example").name == "evil.example"
    assert load_node_knowledge().hosts.service("notstripe.com").name == "notstripe.com"


@given(st.text(alphabet=st.sampled_from("htps:/.@{}$=<>[]?#&abc019-_\0 é\"'`\\"), max_size=80))
def test_any_text_can_be_read_and_the_host_never_holds_user_query_or_template(text: str) -> None:
    host = read_endpoint(text).host
    assert host is None or not set(host) & set("{}@?#/ \0")
