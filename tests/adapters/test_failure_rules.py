"""The rulings: hard cases whose remedy decides, whatever the wording or the status says."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import prompts
from runbooks.adapters.catalogue_files import load_classifier
from runbooks.core.classifier import NO_RULE, ErrorFacts
from runbooks.core.error_score import LabelledError, score
from runbooks.core.failure_classes import FailureClass

RULES = Path(prompts.__file__).parent / "failure_rules.yaml"
PUBLIC = Path(__file__).parent.parent / "data" / "errors.jsonl"

CASES: list[tuple[str, dict[str, Any]]] = [
    # what the platform's engine writes
    ("server_error", {"message": "server error: status 503"}),
    ("network", {"message": 'HTTP request failed: Get "https://api.x.io": dial tcp: lookup api.x.io: no such host'}),
    ("timeout", {"message": "context deadline exceeded"}),
    ("timeout", {"error_code": "HTTP_TIMEOUT"}),
    ("auth_failed", {"message": "Slack error: invalid_auth"}),
    ("rate_limited", {"message": "rate limited by Discord"}),
    ("auth_failed", {"message": "failed to send email: 535 5.7.8 Authentication credentials invalid"}),
    ("payload_too_large", {"error_code": "HTTP_RESPONSE_TOO_LARGE"}),
    # what n8n writes
    ("rate_limited", {"message": "The service is receiving too many requests from you"}),
    ("auth_failed", {"message": "Authorization failed - please check your credentials"}),
    ("invalid_request", {"message": "Bad request - please check your parameters"}),
    ("not_found", {"message": "The resource you are requesting could not be found"}),
    ("network", {"message": "getaddrinfo ENOTFOUND api.example.com"}),
    ("network", {"message": "connect ECONNREFUSED 10.0.0.5:5432"}),
    ("timeout", {"message": "connect ETIMEDOUT 10.0.0.5:443"}),
    ("tls", {"message": "Hostname/IP does not match certificate's altnames: ERR_TLS_CERT_ALTNAME_INVALID"}),
    # a wrapper's headline gives way to the detail
    (
        "quota_or_billing",
        {
            "message": "The service is receiving too many requests from you: You exceeded your current quota, "
            "please check your plan and billing details",
            "status_code": 429,
        },
    ),
    ("rate_limited", {"message": "Quota exceeded for quota metric 'Read requests per minute per user'"}),
    ("quota_or_billing", {"service": "openai", "status_code": 429, "error_code": "insufficient_quota"}),
    # Google says 403 for several things
    ("rate_limited", {"service": "google", "status_code": 403, "error_code": "rateLimitExceeded"}),
    ("rate_limited", {"service": "google", "status_code": 403, "error_code": "userRateLimitExceeded"}),
    ("permission_denied", {"service": "google", "status_code": 403, "error_code": "accessNotConfigured"}),
    # a customer's declined card is a working service's business answer
    ("invalid_request", {"service": "stripe", "status_code": 402, "error_code": "card_declined"}),
    ("quota_or_billing", {"status_code": 402}),
    # tokens and scopes, whatever the status
    ("auth_failed", {"status_code": 403, "message": "The access token expired"}),
    ("auth_failed", {"status_code": 400, "error_code": "invalid_grant"}),
    ("permission_denied", {"status_code": 401, "message": "missing_scope"}),
    ("not_found", {"service": "github", "status_code": 404, "message": "Not Found"}),
    # Slack
    ("permission_denied", {"service": "slack", "error_code": "not_in_channel"}),
    ("not_found", {"service": "slack", "error_code": "channel_not_found"}),
    ("conflict", {"service": "slack", "error_code": "is_archived"}),
    # PostgreSQL
    ("auth_failed", {"service": "postgres", "error_code": "28P01"}),
    ("permission_denied", {"message": 'no pg_hba.conf entry for host "10.0.0.9", user "app"', "error_code": "28000"}),
    ("permission_denied", {"service": "postgres", "error_code": "42501"}),
    ("invalid_request", {"service": "postgres", "error_code": "42703"}),
    ("not_found", {"service": "postgres", "error_code": "42P01"}),
    ("not_found", {"service": "postgres", "error_code": "3D000"}),
    ("conflict", {"service": "postgres", "error_code": "23505"}),
    ("conflict", {"service": "postgres", "error_code": "40001"}),
    ("invalid_request", {"service": "postgres", "error_code": "23502"}),
    ("resource_exhausted", {"service": "postgres", "error_code": "40P01"}),
    ("resource_exhausted", {"service": "postgres", "error_code": "53300"}),
    ("timeout", {"service": "postgres", "error_code": "57014"}),
    ("server_error", {"service": "postgres", "error_code": "57P01"}),
    # mail
    ("permission_denied", {"service": "smtp", "message": "550 5.7.1 Relaying denied"}),
    ("not_found", {"service": "smtp", "message": "550 5.1.1 No such user here"}),
    ("payload_too_large", {"service": "smtp", "message": "552 5.3.4 Message size exceeds fixed limit"}),
    # the other side hung up
    ("network", {"message": "read ECONNRESET"}),
    ("network", {"message": "Connection terminated unexpectedly"}),
    ("network", {"message": "socket hang up"}),
    # status alone
    ("timeout", {"status_code": 504}),
    ("timeout", {"status": "timeout"}),
    ("invalid_request", {"status_code": 422}),
    ("conflict", {"status_code": 409}),
    ("payload_too_large", {"status_code": 413}),
    ("server_error", {"status_code": 529}),
    ("auth_failed", {"message": "Could not upload the report: 401"}),
    ("unknown", {"message": "Stopped at line: 401"}),
    # a broker's refusal is an answer, not a network that fails
    ("auth_failed", {"service": "mqtt", "message": "Connection refused: Not authorized"}),
    ("network", {"service": "mqtt", "message": "Connection refused"}),
    # a quota of requests refills by itself; a storage quota does not
    ("rate_limited", {"status_code": 429, "message": "You exceeded your quota for the requested resource."}),
    ("rate_limited", {"message": "Daily upload limit reached"}),
    ("quota_or_billing", {"status_code": 403, "message": "Service accounts do not have storage quota."}),
    # the status tells why a socket was not opened
    ("not_found", {"message": "WebSocket connection to 'wss://x.example/' failed: unexpected response code: 404"}),
    ("permission_denied", {"error_code": "Unauthorized", "message": "Access to the requested report is denied."}),
    # a page instead of data hides a status that says more
    ("permission_denied", {"message": "error parsing HTTP 403 response body: invalid character '<' looking for value"}),
    ("server_error", {"status_code": 502, "message": "Unexpected token < in JSON at position 0"}),
    # advice, and a class of a program, have not happened
    ("timeout", {"message": "BaseURLNotSetError: connection timed out"}),
    ("network", {"message": "connect ECONNREFUSED 10.0.0.1:443. Make sure that your access token is valid"}),
    # words in another role
    ("server_error", {"service": "bigquery", "status_code": 400, "message": "Retrying the job may solve the problem"}),
    ("timeout", {"message": "HTTPSConnectionPool(host='x', port=443): Read timed out."}),
    ("not_found", {"message": '{"errorType": "client", "message": "Item does not exist"}'}),
    # parsing
    ("unexpected_response", {"message": "Unexpected token < in JSON at position 0"}),
    # set up wrong before any call counts
    ("configuration", {"message": "Failed to parse URL from undefined/orders"}),
    ("configuration", {"message": "Could not parse connection string: relative URL without a base"}),
    ("configuration", {"message": "No suitable driver for jdbc:oracle:thin:@ledger"}),
    ("configuration", {"message": "Call to undefined function mb_strlen()"}),
    ("configuration", {"message": "Failed to load configuration: yaml: line 12: did not find expected key"}),
    ("configuration", {"message": "The flow cannot be turned on without a trigger node"}),
    ("configuration", {"message": "open /srv/app/config.yaml: no such file or directory"}),
    ("configuration", {"message": "FileNotFoundError: [Errno 2] No such file or directory: 'client_secret.json'"}),
    ("configuration", {"message": "spawn ffmpeg ENOENT"}),
    ("configuration", {"message": "/bin/sh: 1: xmllint: not found"}),
    (
        "configuration",
        {"message": "Must provide either the `region` argument or the `APP_REGION` environment variable"},
    ),
    ("configuration", {"service": "n8n", "message": "Slug is required"}),
    ("invalid_request", {"service": "n8n", "status_code": 400, "message": "Slug is required"}),
    # what a program says of data that it was given
    ("unexpected_response", {"message": "jq: error (at <stdin>:1): Cannot iterate over null (null)"}),
    ("unexpected_response", {"message": "could not convert string to float: 'n/a'"}),
    ("unexpected_response", {"message": "Response body is not valid JSON"}),
    ("unexpected_response", {"message": "Expected 4 fields in line 12, saw 6"}),
    # the state that a thing is in
    ("conflict", {"message": "Your invitation has already been accepted"}),
    ("not_found", {"message": "The bank account ba_9 has been deleted and can no longer be used"}),
    (
        "permission_denied",
        {"service": "rabbitmq", "message": "channel is already closed: 403 ACCESS_REFUSED to exchange"},
    ),
    # who may, how fast, for how much
    ("permission_denied", {"message": "This address isn&#39;t on the trusted list"}),
    ("rate_limited", {"message": "Please wait a few minutes before you try again"}),
    ("quota_or_billing", {"message": "This report is a premium feature"}),
    ("auth_failed", {"message": "Kerberos: Clock skew too great"}),
    ("tls", {"message": "unable to find valid certification path to requested target"}),
    ("timeout", {"message": "Waiting for selector `#go` failed: 30000ms exceeded"}),
    ("resource_exhausted", {"message": "terminate called after throwing std::bad_alloc"}),
    # that settings were not read is a headline; why stands behind it
    ("configuration", {"message": "Failed to load configuration"}),
    ("network", {"message": "Failed to read settings from the server: connect ECONNREFUSED 10.0.0.3:80"}),
    ("auth_failed", {"status_code": 401, "message": "Failed to load user settings"}),
    # a connection that fails for what was sent over it
    ("auth_failed", {"message": "Unable to connect: the server did not take our credentials"}),
    ("tls", {"message": "Cannot connect: the certificate of the host is from another time"}),
    ("network", {"message": "Error connecting to ssl://mail.example.com:465 (Connection refused)"}),
    # what was used up: a code of a sign-in, or a voucher
    ("auth_failed", {"message": "The authorization code has already been used"}),
    ("conflict", {"message": "The voucher code has already been used"}),
    # the states of brokers, replicas and bots
    ("not_found", {"service": "rabbitmq", "message": "Channel closed by server: NOT_FOUND - no queue 'jobs'"}),
    ("network", {"service": "rabbitmq", "message": "IllegalOperationError: Channel closed"}),
    ("server_error", {"service": "redis", "message": "MASTERDOWN the replica serves stale data"}),
    ("invalid_request", {"service": "telegram", "status_code": 400, "message": "Bad Request: BUTTON_URL_INVALID"}),
    ("conflict", {"status_code": 400, "message": "The assistant already has an active run"}),
    # a browser that is driven
    ("configuration", {"message": "Could not find Chromium (rev. 9); is it installed?"}),
    ("not_found", {"message": "No element found for selector: .price"}),
    ("network", {"message": "Protocol error (Page.navigate): Target closed."}),
    # answers of a mail server
    ("unexpected_response", {"service": "imap", "message": "Syntax error in FLAGS. Unexpected token: NIL"}),
    ("network", {"service": "imap", "message": "Trying a command when not connected"}),
    ("permission_denied", {"service": "google_drive", "message": "The file was identified as malware"}),
    # a wrapper speaks of its settings; the cause within is the credential
    ("auth_failed", {"message": "The configuration is invalid: the token provided is invalid"}),
    ("auth_failed", {"message": "Unable to connect: error while authenticating user 'reports'"}),
    (
        "auth_failed",
        {"error_code": "dailyLimitExceededUnreg", "message": "Daily Limit for Unauthenticated Use Exceeded"},
    ),
    # what a parser of any language says of an answer; the same of our request is invalid_request
    ("unexpected_response", {"message": "Expected BEGIN_ARRAY but was BEGIN_OBJECT at line 1 column 2"}),
    ("unexpected_response", {"message": "MismatchedInputException: No content to map due to end-of-input"}),
    ("unexpected_response", {"message": "error decoding response body: missing field `total` at line 3 column 1"}),
    ("invalid_request", {"message": "Failed to deserialize the JSON body: missing field `total` at line 3 column 1"}),
    ("unexpected_response", {"service": "imap", "message": "cannot connect: unexpected response: b'220 mail.x ESMTP'"}),
    ("auth_failed", {"service": "smtp", "status_code": 535, "message": "Unexpected response 535: go away"}),
    # one allowance of a window, one of an account
    ("rate_limited", {"message": "The maximum of 500 export jobs per 24 hours has been reached"}),
    ("timeout", {"message": "The limit of time was exceeded: no answer within 30 seconds, timed out"}),
    ("rate_limited", {"service": "smtp", "status_code": 450, "message": "too frequent connects from your host"}),
    ("resource_exhausted", {"service": "smtp", "message": "Mailbox size limit exceeded"}),
    # how many at once, in one request
    ("payload_too_large", {"message": "You can only update 25 records at a time"}),
    ("rate_limited", {"message": "You can only send 25 messages per hour"}),
    (
        "payload_too_large",
        {"message": "The upload was rejected because its size (9000) exceeds the configured maximum"},
    ),
    # processes, threads, watermarks
    ("resource_exhausted", {"message": "RuntimeError: can't start new thread"}),
    ("resource_exhausted", {"message": "fork: retry: Resource temporarily unavailable"}),
    # two who write at once
    ("conflict", {"message": "The transaction failed because of a write conflict or a deadlock"}),
    ("conflict", {"service": "ftp", "status_code": 550, "message": "550 Unknown error 183."}),
    # a secure channel that breaks is a network that fails; one that the server has not is TLS
    ("network", {"message": "the protocol failed to receive SSL data"}),
    ("tls", {"message": "Error connecting to the database: TLS is not enabled on the server"}),
    # our own side
    ("configuration", {"message": "Credentials not found"}),
    ("configuration", {"message": "Invalid URL: htp//example"}),
    # no guess
    ("unknown", {"message": "Something went wrong"}),
    ("unknown", {"message": ""}),
    ("unknown", {}),
]


@pytest.mark.parametrize(("expected", "error"), CASES, ids=[f"{c}-{n}" for n, (c, _) in enumerate(CASES)])
def test_ruling(expected: str, error: dict[str, Any]) -> None:
    found = load_classifier().explain(ErrorFacts(**error))
    assert found.failure_class == expected, f"{found.rule} decided"


def test_every_rule_names_its_source_and_has_an_id_of_its_own() -> None:
    file = yaml.safe_load(RULES.read_text())
    rules = file["rules"] + file["fallback_rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["source"].strip() for rule in rules)
    assert len(rules) == len(load_classifier().rules)


def test_every_class_has_a_rule_that_can_choose_it() -> None:
    chosen = {rule.failure_class for rule in load_classifier().rules}
    assert chosen >= set(FailureClass) - {FailureClass.UNKNOWN}


@given(
    st.builds(
        ErrorFacts,
        service=st.none() | st.text(max_size=30),
        status=st.none() | st.text(max_size=30),
        status_code=st.none() | st.integers(),
        error_code=st.none() | st.text(max_size=50),
        message=st.none() | st.text(max_size=500),
    )
)
def test_any_error_has_one_class_and_the_same_each_time(error: ErrorFacts) -> None:
    classifier = load_classifier()
    first = classifier.explain(error)
    assert first == classifier.explain(error)
    assert (first.rule == NO_RULE) == (first.failure_class is FailureClass.UNKNOWN)


def test_hostile_messages_cost_no_more_than_ordinary_ones_of_their_length() -> None:
    classifier = load_classifier()
    phrases = [phrase for rule in classifier.rules for phrase in rule.phrases]
    words = sorted({word for phrase in phrases for need in phrase.needs for word in need})
    repeated = [f"{word} " * 400 for word in words[:200]] + [" ".join(words) * 5, "a" * 100_000, "{[(" * 10_000]
    ordinary = "The request could not be completed because the upstream service returned an error. " * 24
    started = time.perf_counter()
    for _ in range(50):
        classifier.classify(ErrorFacts(message=ordinary))
    usual = (time.perf_counter() - started) / 50
    for message in repeated:
        started = time.perf_counter()
        classifier.classify(ErrorFacts(message=message))
        assert time.perf_counter() - started < 100 * usual + 0.1, message[:40]


def test_sources_hold_no_address_that_cannot_be_read() -> None:
    file = yaml.safe_load(RULES.read_text())
    rules = file["rules"] + file["fallback_rules"]
    addresses = [rule["source"] for rule in rules if rule["source"].startswith("http")]
    assert addresses
    assert all(re.fullmatch(r"https://\S+", address) for address in addresses)


def test_errors_seen_in_public_threads_keep_their_class() -> None:
    lines = PUBLIC.read_text(encoding="utf-8").strip().split("\n")
    result = score(load_classifier(), [labelled(number, line) for number, line in enumerate(lines, start=1)])
    wrong = [f"line {case.error.line}: {case.found}" for case in result.misses]
    assert result.accuracy >= 0.95, wrong
    assert (result.accuracy_of_told or 0) >= 0.97, wrong


def labelled(number: int, line: str) -> LabelledError:
    given = json.loads(line)
    facts = {name: given.get(name) for name in ("service", "status_code", "error_code", "message")}
    alternative = given.get("alt_category")
    return LabelledError(
        number, ErrorFacts(**facts), FailureClass(given["category"]), FailureClass(alternative) if alternative else None
    )
