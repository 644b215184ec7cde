"""Whether a call reads or writes, and whether doing it twice does harm."""

import pytest

from runbooks.core.integration import IntegrationKind
from runbooks.core.operations import (
    READS,
    UNTOLD,
    WRITES_AGAIN,
    WRITES_ONCE,
    Effect,
    effect_of_method,
    effect_of_operation,
    effect_of_sql,
)


@pytest.mark.parametrize(
    ("operation", "effect"),
    [
        ("message.post", WRITES_AGAIN),
        ("charge.create", WRITES_AGAIN),
        ("appendOrUpdate", WRITES_ONCE),
        ("createOrUpdate", WRITES_ONCE),
        ("row.upsert", WRITES_ONCE),
        ("file.delete", WRITES_ONCE),
        ("getAll", READS),
        ("databasePage.getAll", READS),
        ("search", READS),
        ("push_order", WRITES_AGAIN),
        ("frobnicate", UNTOLD),
        ("", UNTOLD),
    ],
)
def test_the_verb_of_an_operation_decides(operation: str, effect: Effect) -> None:
    assert effect_of_operation(operation, IntegrationKind.CRM) == effect


def test_a_message_without_a_named_operation_is_sent() -> None:
    assert effect_of_operation("", IntegrationKind.MESSAGING) == WRITES_AGAIN


def test_a_model_is_asked_whatever_the_verb() -> None:
    assert effect_of_operation("text.message", IntegrationKind.AI_MODEL) == READS
    assert effect_of_operation("file.upload", IntegrationKind.AI_MODEL) == WRITES_AGAIN


@pytest.mark.parametrize(
    ("method", "path", "kind", "effect"),
    [
        ("GET", "/v1/charges", IntegrationKind.PAYMENTS, READS),
        ("POST", "/v1/charges", IntegrationKind.PAYMENTS, WRITES_AGAIN),
        ("POST", "/v1/orders/search", IntegrationKind.COMMERCE, READS),
        ("POST", "/v1/chat/completions", IntegrationKind.AI_MODEL, READS),
        ("PUT", "/v1/a", IntegrationKind.HTTP_API, WRITES_ONCE),
        ("DELETE", "/v1/a", IntegrationKind.HTTP_API, WRITES_ONCE),
        ("", "/v1/a", IntegrationKind.HTTP_API, UNTOLD),
    ],
)
def test_the_method_of_an_http_call_decides(method: str, path: str, kind: IntegrationKind, effect: Effect) -> None:
    assert effect_of_method(method, path, kind) == effect


@pytest.mark.parametrize(
    ("query", "effect"),
    [
        ("select * from a", READS),
        ("/* nightly */ SELECT 1", READS),
        ("-- note\nINSERT INTO a VALUES (1)", WRITES_AGAIN),
        ("INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING", WRITES_ONCE),
        ("UPDATE a SET b = 1", WRITES_ONCE),
        ("WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x", WRITES_AGAIN),
        ("WITH x AS (SELECT 1) SELECT * FROM x", READS),
        ("={{ $json.sql }}", UNTOLD),
        (None, UNTOLD),
        ("", UNTOLD),
    ],
)
def test_the_first_word_of_a_statement_decides(query: object, effect: Effect) -> None:
    assert effect_of_sql(query) == effect
