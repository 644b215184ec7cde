import json
from datetime import timedelta

from sqlalchemy import Connection, text

from runbooks.adapters.pending_events import (
    MOST_FAILURES,
    Event,
    Kind,
    accept_signature,
    done,
    failed,
    forget_old_signatures,
    renew,
    take_due,
    tell,
)

SUBJECT = "w1"
QUIET, LONGEST = timedelta(seconds=2), timedelta(seconds=10)


def take(connection: Connection) -> list[Event]:
    return take_due(connection, Kind.PUBLISHED, limit=10)


def publish(connection: Connection, version: str = "1", quiet: timedelta = timedelta()) -> None:
    tell(connection, Kind.PUBLISHED, SUBJECT, {"version_id": version}, quiet=quiet, longest=LONGEST)


def due_in(connection: Connection) -> float:
    query = "SELECT extract(epoch FROM due_at - clock_timestamp()) FROM runbook_pending_events"
    return float(connection.execute(text(query)).scalar_one())


def later(connection: Connection, seconds: int) -> None:
    """Let time pass."""
    connection.execute(
        text("""
            UPDATE runbook_pending_events SET first_at = first_at - make_interval(secs => :s),
                due_at = due_at - make_interval(secs => :s), taken_at = taken_at - make_interval(secs => :s)
        """),
        {"s": seconds},
    )


def test_a_burst_is_one_event_with_the_last_payload(standalone: Connection) -> None:
    for version in range(20):
        publish(standalone, str(version), QUIET)
    assert take(standalone) == []
    later(standalone, 3)
    (event,) = take(standalone)
    assert (event.subject, event.payload, event.tellings) == (SUBJECT, {"version_id": "19"}, 20)


def test_a_burst_without_end_is_acted_on_every_so_often(standalone: Connection) -> None:
    publish(standalone, quiet=QUIET)
    later(standalone, 9)
    publish(standalone, quiet=QUIET)
    assert due_in(standalone) < 1.1
    later(standalone, 1)
    publish(standalone, quiet=QUIET)
    assert len(take(standalone)) == 1


def test_what_was_taken_is_taken_by_nobody_else(standalone: Connection) -> None:
    publish(standalone)
    assert len(take(standalone)) == 1
    assert take(standalone) == []


def test_what_was_acted_on_is_forgotten(standalone: Connection) -> None:
    publish(standalone)
    (event,) = take(standalone)
    done(standalone, event)
    assert standalone.execute(text("SELECT count(*) FROM runbook_pending_events")).scalar_one() == 0


def test_what_is_told_meanwhile_is_acted_on_once_more(standalone: Connection) -> None:
    publish(standalone, "1")
    (event,) = take(standalone)
    publish(standalone, "2")
    publish(standalone, "3")
    assert take(standalone) == []
    done(standalone, event)
    (again,) = take(standalone)
    assert again.payload == {"version_id": "3"}
    done(standalone, again)
    assert take(standalone) == []


def test_an_event_whose_process_died_is_taken_again(standalone: Connection) -> None:
    publish(standalone)
    (event,) = take(standalone)
    later(standalone, 100)
    assert take(standalone) == []
    renew(standalone, event)
    later(standalone, 100)
    assert take(standalone) == []
    later(standalone, 100)
    assert len(take(standalone)) == 1


def test_what_failed_is_tried_again_later_and_given_up_in_the_end(standalone: Connection) -> None:
    publish(standalone)
    waits = []
    for number in range(MOST_FAILURES):
        (event,) = take(standalone)
        again = failed(standalone, event)
        assert again == (number < MOST_FAILURES - 1)
        if again:
            assert take(standalone) == []
            waits.append(due_in(standalone))
            later(standalone, 1000)
    assert waits == sorted(waits)
    assert 4 < waits[0] < 6
    assert take(standalone) == []


def test_kinds_are_taken_apart(standalone: Connection) -> None:
    tell(standalone, Kind.FAILED, SUBJECT, {"execution_id": SUBJECT})
    assert take(standalone) == []
    (event,) = take_due(standalone, Kind.FAILED, limit=10)
    assert json.dumps(event.payload) == '{"execution_id": "w1"}'


def test_no_more_is_taken_than_asked_for(standalone: Connection) -> None:
    for number in range(5):
        tell(standalone, Kind.FAILED, f"e{number}", {})
    assert [event.subject for event in take_due(standalone, Kind.FAILED, limit=2)] == ["e0", "e1"]


def test_a_signature_is_accepted_once_until_its_time_refuses_it_anyway(standalone: Connection) -> None:
    assert accept_signature(standalone, "s1")
    assert not accept_signature(standalone, "s1")
    forget_old_signatures(standalone)
    assert not accept_signature(standalone, "s1")
    standalone.execute(text("UPDATE runbook_webhook_receipts SET received_at = received_at - interval '1 hour'"))
    forget_old_signatures(standalone)
    assert standalone.execute(text("SELECT count(*) FROM runbook_webhook_receipts")).scalar_one() == 0
