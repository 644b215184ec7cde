import pytest

from runbooks.core.classifier import NO_RULE, Classifier, ErrorFacts, Rule, read_evidence
from runbooks.core.failure_classes import FailureClass
from runbooks.core.phrases import compile_code, compile_phrase

NOTHING = frozenset[str]()


def rule(name: str, failure_class: FailureClass = FailureClass.TIMEOUT, **conditions: object) -> Rule:
    return Rule(name, failure_class, "test", **conditions)  # type: ignore[arg-type] # the fields differ in type


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Request failed with status code 404", 404),
        ("HTTP 429: slow down", 429),
        ("401 Unauthorized", 401),
        ("[402] API request client error", 402),
        ("(403) Forbidden", 403),
        ("Error code: 400 - {'error': 'x'}", 400),
        ("HTTP/1.1 502 Bad Gateway", 502),
        ("expected 200 OK but got 503", 503),
        ("order 404 was shipped", None),
        ("took 500 ms", None),
        ("status 200", None),
    ],
)
def test_a_status_code_is_read_from_the_text_where_one_stands(message: str, expected: int | None) -> None:
    assert read_evidence(ErrorFacts(message=message), NOTHING).status_code == expected


def test_the_given_status_code_wins_over_the_one_in_the_text() -> None:
    error = ErrorFacts(status_code=503, message="Request failed with status code 404")
    assert read_evidence(error, NOTHING).status_code == 503


def test_a_success_status_says_nothing() -> None:
    assert read_evidence(ErrorFacts(status_code=200, message="failed: HTTP 429"), NOTHING).status_code == 429


def test_the_service_is_read_from_the_text_only_when_none_that_is_known_is_given() -> None:
    known = frozenset({"stripe", "slack"})
    message = "StripeInvalidRequestError: no"
    assert read_evidence(ErrorFacts(service="http", message=message), known).services == {"stripe"}
    assert read_evidence(ErrorFacts(service="Slack API", message=message), known).services == {"slack"}


def test_an_everyday_word_names_a_service_only_in_the_field_for_it() -> None:
    known = frozenset({"email"})
    assert read_evidence(ErrorFacts(message="the email is wrong"), known).services == NOTHING
    assert read_evidence(ErrorFacts(service="email"), known).services == {"email"}


def test_a_field_of_json_ends_a_sentence() -> None:
    row = read_evidence(
        ErrorFacts(message='{"type": "item", "hint": {"a": 1},\\"text\\":"it does not exist"}'), NOTHING
    ).row
    assert row == " | type item . hint a 1 . text it does not exist "


def test_names_of_classes_and_advice_are_not_what_happened() -> None:
    message = "TokenExpiredError: upload failed. Please make sure that your quota is not used up. Disk full"
    evidence = read_evidence(ErrorFacts(error_code="E1", message=message), NOTHING)
    assert evidence.happened == " | code e 1 | upload failed . . disk full "
    assert " token expired error " in evidence.row
    assert " quota " in evidence.row


@pytest.mark.parametrize(
    "message",
    [
        "We couldn't reach it",
        "We couldn’t reach it",
        "We couldn&#39;t reach it",
        '{"We couldn\\u0027t reach it"}',
        "We%20couldn%27t%20reach%20it",
        "\x1b[31mWe couldn't\x1b[0m reach&nbsp;it",
        "We could not reach it",
    ],
)
def test_a_text_reads_the_same_however_its_characters_are_written(message: str) -> None:
    assert read_evidence(ErrorFacts(message=message), NOTHING).row == " | we could not reach it "


def test_a_page_with_a_status_in_encoded_tags_is_read_as_words() -> None:
    row = read_evidence(ErrorFacts(message="body: &lt;p&gt;not found&lt;/p&gt;"), NOTHING).row
    assert row == " | body p not found p "


def test_an_address_is_one_word_and_a_clients_own_pool_none() -> None:
    row = read_evidence(ErrorFacts(message="HTTPSConnectionPool(host='10.0.0.1', port=443): late, 5.7.1"), NOTHING).row
    assert row == " | host host 0 port 443 late 5 7 1 "


def test_a_query_string_is_no_evidence() -> None:
    message = "GET https://x.io/a?error=timeout&token=expired&amp;quota=used%20up&quot;x failed"
    row = read_evidence(ErrorFacts(message=message), NOTHING).row
    assert row == " | get https x io failed "


def test_a_long_message_keeps_its_head_and_its_tail() -> None:
    row = read_evidence(ErrorFacts(message="first " + "x" * 5_000 + " last"), NOTHING).row
    assert " first " in row
    assert " last " in row
    assert len(row) < 2_100


@pytest.mark.parametrize(
    "frame",
    [
        "at Timeout._onTimeout (node_modules/got/timed-out.js:179:7)",
        "at async TLSSocket.connect (node:net:1:2)",
        "at file:///srv/timeout/tls.mjs:10:4",
        "at com.acme.timeout.TlsPool.get(TlsPool.java:12)",
        "at tls.timeout.Native.call(Native Method)",
        'File "/usr/lib/tls/timeout.py", line 3, in timeout\n    raise tls.timeout()',
    ],
)
def test_a_stack_frame_is_no_evidence(frame: str) -> None:
    row = read_evidence(ErrorFacts(message=f"Error: it broke\n    {frame}\nCaused by: no disk"), NOTHING).row
    assert row.split() == ["|", "error", "it", "broke", "caused", "by", "no", "disk"]


def test_what_looks_a_little_like_a_stack_frame_stays() -> None:
    row = read_evidence(ErrorFacts(message="could not connect at db.acme.io (timeout after 5 s)"), NOTHING).row
    assert row == " | could not connect at db acme io timeout after 5 s "


def test_the_cause_after_a_long_stack_is_read() -> None:
    frames = "\n".join(f"at com.acme.Handler.run(Handler.java:{n})" for n in range(50))
    row = read_evidence(ErrorFacts(message=f"first\n{frames}\nCaused by: disk full\n{frames}"), NOTHING).row
    assert " disk full " in row


@pytest.mark.parametrize(
    "body",
    [
        '{"type": "error", "param": null, "note": "", "message": "late"}',
        '{\\"type\\":\\"error\\",\\"param\\":null,\\"message\\":\\"late\\"}',
        "{'type': 'error', 'param': None, 'list': [], 'message': 'late'}",
    ],
)
def test_an_empty_field_is_no_evidence(body: str) -> None:
    assert read_evidence(ErrorFacts(message=body), NOTHING).row == " | message late "


def test_a_page_that_states_its_status_counts_by_it() -> None:
    page = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
    evidence = read_evidence(ErrorFacts(message=page), NOTHING)
    assert evidence.row == " | 502 bad gateway "
    assert evidence.status_code == 502
    other = read_evidence(ErrorFacts(message=page.replace("502 Bad Gateway", "Log in")), NOTHING)
    assert " doctype html " in other.row


def test_the_letter_before_a_string_is_no_part_of_it() -> None:
    row = read_evidence(ErrorFacts(message="{u'error': u'not_found', 'text': b'isn't'}"), NOTHING).row
    assert row == " | error not found . text is not "


def test_the_first_rule_that_fires_decides_and_is_named_with_its_phrase() -> None:
    classifier = Classifier(
        [
            rule("detail", FailureClass.CONFLICT, phrases=(compile_phrase("already exists"),)),
            rule("headline", FailureClass.INVALID_REQUEST, phrases=(compile_phrase("bad request"),)),
        ]
    )
    found = classifier.explain(ErrorFacts(message="Bad request: the name already exists"))
    assert (found.failure_class, found.rule, found.phrase) == (FailureClass.CONFLICT, "detail", "already exists")


def test_what_happened_comes_before_advice_and_a_fallback_rule_after_all() -> None:
    classifier = Classifier(
        [
            rule("quota", FailureClass.QUOTA_OR_BILLING, phrases=(compile_phrase("your plan"),)),
            rule("disk", FailureClass.RESOURCE_EXHAUSTED, phrases=(compile_phrase("disk full"),)),
            rule("bad", FailureClass.INVALID_REQUEST, phrases=(compile_phrase("failed"),), fallback=True),
        ]
    )
    assert classifier.explain(ErrorFacts(message="It failed: disk full. Please check your plan")).rule == "disk"
    assert classifier.explain(ErrorFacts(message="It failed. Please check your plan")).rule == "quota"
    assert classifier.explain(ErrorFacts(message="It failed. Please check your cable")).rule == "bad"


def test_a_rule_is_silent_with_a_status_that_says_more() -> None:
    classifier = Classifier([rule("page", phrases=(compile_phrase("not json"),), unless_status_codes=frozenset({404}))])
    assert classifier.explain(ErrorFacts(message="not JSON")).rule == "page"
    assert classifier.explain(ErrorFacts(message="not JSON", status_code=500)).rule == "page"
    assert classifier.explain(ErrorFacts(message="not JSON", status_code=404)).rule == NO_RULE


def test_every_kind_of_condition_must_hold() -> None:
    classifier = Classifier(
        [
            rule(
                "all",
                phrases=(compile_phrase("too slow"), compile_code("T9")),
                services=frozenset({"acme"}),
                status_codes=frozenset({408}),
                statuses=frozenset({"timeout"}),
            )
        ]
    )
    whole = {"service": "acme", "status": "Timeout", "status_code": 408, "message": "too slow"}
    assert classifier.explain(ErrorFacts(**whole)).rule == "all"  # type: ignore[arg-type] # mixed values
    assert classifier.explain(ErrorFacts(**{**whole, "message": "", "error_code": "T9"})).rule == "all"  # type: ignore[arg-type]
    for missing in whole:
        rest = {name: value for name, value in whole.items() if name != missing}
        assert classifier.explain(ErrorFacts(**rest)).rule == NO_RULE, missing  # type: ignore[arg-type] # as above


@pytest.mark.parametrize("odd", [b"bytes", ["list"], {"a": 1}, 1.5, True, float("nan"), float("inf")])
def test_a_field_of_a_wrong_type_is_ignored(odd: object) -> None:
    error = ErrorFacts(service=odd, status=odd, status_code=odd, error_code=odd, message=odd)  # type: ignore[arg-type] # on purpose
    assert Classifier([]).classify(error) is FailureClass.UNKNOWN


def test_a_phrase_is_found_whichever_of_its_words_it_is_looked_up_by() -> None:
    phrases = [f"(alpha|beta) {word} gamma" for word in ("one", "two", "three")]
    classifier = Classifier([rule(word, phrases=(compile_phrase(word),)) for word in phrases])
    for word in ("one", "two", "three"):
        for start in ("alpha", "beta"):
            assert (
                classifier.explain(ErrorFacts(message=f"{start} {word} gamma")).phrase == f"(alpha|beta) {word} gamma"
            )
