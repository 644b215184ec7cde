import time

import pytest
from sqlalchemy import Connection, text

from runbooks.adapters.folding import FOLD_PARAMETERS, folded


def fold(connection: Connection, message: str) -> str:
    query = text(f"SELECT {folded('CAST(:message AS text)')}")
    return str(connection.execute(query, {"message": message, **FOLD_PARAMETERS}).scalar_one())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("order 48213 not found", "order … not found"),
        ("No such charge: ch_3NqKzZ2eZvKYlo2C1gQx", "No such charge: ch_…"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace …"),
        ("job 123e4567-e89b-12d3-a456-426614174000 failed", "job … failed"),
        ("read tcp 10.0.0.5:54321->93.184.216.34:443: connection reset", "read tcp …->…: connection reset"),
        ("expired at 2026-03-01T08:00:00.123Z", "expired at …"),
        ("took 30012 ms", "took … ms"),
        ("took 30.012 s", "took … s"),
        ("mailbox of bob@example.com is full", "mailbox of … is full"),
        ('Get "https://api.example.com/orders/48213?key=abc": EOF', 'Get "https://api.example.com/orders/…": EOF'),
        ("unexpected 'a value that is so long that it can only be data of the user'", "unexpected …"),
    ],
)  # fmt: skip
def test_what_differs_from_call_to_call_goes(standalone: Connection, message: str, expected: str) -> None:
    assert fold(standalone, message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "context deadline exceeded",
        "server error: status 503",
        "failed to send email: 535 5.7.8 authentication failed",
        'Twilio error: {"code": 21610}',
        'ERROR: relation "orders" does not exist (SQLSTATE 42P01)',
        "ERROR: canceling statement (SQLSTATE 57014)",
        "ER_ACCESS_DENIED_ERROR: error 1045",
        "net::ERR_HTTP2_PROTOCOL_ERROR",
        'Post "https://a-rather-long-name.of-some-host.example.com/v1/reservations": EOF',
    ],
)
def test_what_tells_errors_apart_stays(standalone: Connection, message: str) -> None:
    assert fold(standalone, message) == message


@pytest.mark.parametrize(
    "secret",
    [
        "sk_live_notarealkeynotarealkey",
        "xoxb-notareal-token-atall",
        "ghp_notarealtokennotarealtokennotareal",
        "Bearer notarealtokenatall",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJub25l.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "postgres://app:notasecret@db.example.com/app",
        "https://hooks.example.com/x?token=notasecret",
    ],
)
def test_what_looks_like_a_secret_is_not_stored(standalone: Connection, secret: str) -> None:
    shown = fold(standalone, f"call with {secret} was refused")
    assert secret not in shown
    assert "notareal" not in shown
    assert "notasecret" not in shown
    assert shown.startswith("call with ")
    assert shown.endswith(" was refused")


@pytest.mark.parametrize("piece", ["a", "1", "a1", "-", "'", '"', "@", "?a", "code 1 ", "é", "https://"])
def test_no_text_is_slow_to_fold(standalone: Connection, piece: str) -> None:
    started = time.perf_counter()
    assert len(fold(standalone, piece * 100_000)) <= 300
    assert time.perf_counter() - started < 1
