"""What went wrong in the last thirty days, and what goes wrong every day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbooks.demo.fake_secrets import fake_secrets
from runbooks.demo.faults import Fault, broken, overdue, raised, refused, unreachable

DAYS = 30
"""How far back history reaches."""

Place = tuple[str, str]
"""File of a workflow, key of a node."""


@dataclass(frozen=True)
class Story:
    """Something that happened to one node for a while."""

    title: str
    place: Place
    start: datetime
    end: datetime
    chance: float
    """Of a call in that time to fail, 0 to 1."""
    faults: tuple[Fault, ...]
    rerun: bool = False
    """Whether somebody executed the failed ones again when it was over."""

    def covers(self, moment: datetime) -> bool:
        """Whether it was going on."""
        return self.start <= moment < self.end


@dataclass(frozen=True)
class Drift:
    """A node that gets slower from day to day, until its time limit cuts it off."""

    place: Place
    factor: float
    """Of the usual time, at the end of the thirty days."""
    faults: tuple[Fault, ...]
    rerun_after: timedelta | None = None
    """How long after a failure somebody executes it again, with more time."""


DEADLINE = raised("context deadline exceeded", retryable=True, takes="limit")
STATEMENT = raised(
    "ERROR: canceling statement due to statement timeout (SQLSTATE 57014)", retryable=True, takes="limit"
)
MASKED_KEY = fake_secrets()["FAKE_STRIPE_KEY_MASKED"]

KEY_ROTATED = refused(401, f"Invalid API Key provided: {MASKED_KEY}")
HUBSPOT_LIMIT = refused(
    429, "You have reached your ten_secondly_rolling limit. (category RATE_LIMITS, policyName TEN_SECONDLY_ROLLING)"
)
FIELD_GONE = refused(422, '{"error":"validation_failed","detail":"missing property \'consignment.reference\'"}')
SHAPE_CHANGED = raised("TypeError: Cannot read property 'number' of undefined at <eval>:2:31(7)", takes="moment")
MAIL_LOGIN = raised("failed to send email: 535 5.7.8 Error: authentication failed: invalid user or password")
NO_SUCH_HOST = unreachable("dial tcp: lookup pricing.internal.tidewell.example on 10.0.0.2:53: no such host")
WAREHOUSE_DOWN = unreachable("dial tcp 10.0.0.5:8080: connect: connection refused")
MODEL_LIMIT = raised(
    "OpenAI API error: Rate limit reached for gpt-4o-mini in organization org-tidewell on requests per min (RPM): "
    "Limit 500, Used 500, Requested 1. Please try again in 120ms. (requests)",
    retryable=True,
)
MODEL_QUOTA = raised(
    "OpenAI API error: You exceeded your current quota, please check your plan and billing details. "
    "(insufficient_quota)",
    retryable=True,
)
CHANNEL_ARCHIVED = raised("Slack error: is_archived")
SHEET_MOVED = raised("Google Sheets error: 403 PERMISSION_DENIED: The caller does not have permission")


def stories(now: datetime) -> tuple[Story, ...]:
    """The month's incidents, told from the day of `now` backwards."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)

    def told(
        title: str, place: Place, span: tuple[float, float, float], chance: float, *faults: Fault, rerun: bool = False
    ) -> Story:
        days, start, hours = span
        begin = today - timedelta(days=days) + timedelta(hours=start)
        return Story(title, place, begin, begin + timedelta(hours=hours), chance, faults, rerun)

    return (
        told("Stripe key rotated", ("order_processing", "http_stripe"), (9, 6.7, 5.4), 1.0, KEY_ROTATED, rerun=True),
        told("Fernroute's new schema", ("partner_intake", "parse"), (12, 11.3, 27.8), 0.55, SHAPE_CHANGED),
        told("Fernroute's new schema", ("partner_intake", "ack"), (12, 11.3, 27.8), 0.85, FIELD_GONE),
        told("Mailbox locked", ("invoice_email", "smtp"), (6, 22.0, 8.7), 1.0, MAIL_LOGIN, rerun=True),
        told("Name service", ("price_feed", "feed"), (15, 2.9, 10.0), 1.0, NO_SUCH_HOST),
        told("Warehouse moved", ("stock_alerts", "2"), (4, 12.9, 2.6), 1.0, WAREHOUSE_DOWN),
        told(
            "Warehouse moved", ("order_processing", "http_warehouse"), (4, 12.9, 2.6), 1.0, WAREHOUSE_DOWN, rerun=True
        ),
        told("OpenAI limit", ("ticket_triage", "judge"), (18, 13.5, 3.0), 0.8, MODEL_LIMIT),
        told("OpenAI credits used up", ("ticket_triage", "judge"), (2, 8.5, 5.5), 1.0, MODEL_QUOTA, rerun=True),
        told("#product archived", ("release_notes", "post"), (16, 6.0, 98.0), 1.0, CHANNEL_ARCHIVED),
        told("Sales sheet moved", ("wholesale_leads", "sheet"), (20, 7.0, 30.0), 1.0, SHEET_MOVED, rerun=True),
        *(
            told("HubSpot on Mondays", ("crm_sync", "hubspot_upsert"), (days, 9.0, 2.2), 0.85, HUBSPOT_LIMIT)
            for days in range(DAYS + 1)
            if (today - timedelta(days=days)).weekday() == 0
        ),
    )


def drifts() -> tuple[Drift, ...]:
    """What gets slower: both read from the same replica."""
    return (
        Drift(("nightly_report", "revenue"), 3.4, (DEADLINE, STATEMENT), timedelta(hours=5, minutes=12)),
        Drift(("order_archive", "2"), 3.4, (DEADLINE,)),
    )


def everyday() -> Mapping[Place, Sequence[tuple[float, Fault]]]:
    """What fails now and then: (share of the calls, how)."""
    return {
        ("order_processing", "http_stripe"): [
            (0.005, refused(402, "Your card was declined. (card_declined, insufficient_funds)")),
            (0.006, broken(503)),
            (0.003, overdue()),
        ],
        ("order_processing", "save_order"): [
            (0.002, raised('ERROR: duplicate key value violates unique constraint "orders_pkey" (SQLSTATE 23505)'))
        ],
        ("order_processing", "http_warehouse"): [(0.004, overdue())],
        ("order_processing", "send_receipt"): [
            (0.008, raised("failed to send email: 550 5.1.1 Recipient address rejected: User unknown"))
        ],
        ("crm_sync", "hubspot_upsert"): [
            (0.0015, HUBSPOT_LIMIT),
            (0.003, broken(502)),
            (0.0015, refused(409, "Contact already exists. Existing ID: 51")),
        ],
        ("partner_intake", "ack"): [(0.012, broken(500)), (0.006, overdue())],
        ("invoice_email", "pdf"): [(0.012, overdue()), (0.004, broken(502))],
        ("invoice_email", "sent"): [
            (
                0.004,
                raised("Error 1205 (HY000): Lock wait timeout exceeded; try restarting transaction", retryable=True),
            )
        ],
        ("stock_alerts", "2"): [(0.006, unreachable("EOF"))],
        ("stock_alerts", "6"): [(0.02, raised("rate limited by Discord", retryable=True, takes="moment"))],
        ("ticket_triage", "read"): [
            (0.012, raised('SyntaxError: Unexpected token "H" at the start of the model\'s answer', takes="moment"))
        ],
        ("ticket_triage", "zendesk"): [(0.008, broken(503)), (0.004, refused(404, "RecordNotFound: Not found"))],
        ("delivery_sms", "sms"): [
            (
                0.025,
                raised(
                    'Twilio error: {"code":21610,"message":"Attempt to send to unsubscribed recipient","status":400}',
                    takes="moment",
                ),
            ),
            (
                0.015,
                raised(
                    'Twilio error: {"code":21211,"message":"Invalid \'To\' Phone Number","status":400}', takes="moment"
                ),
            ),
        ],
        ("delivery_sms", "track"): [(0.01, overdue()), (0.01, refused(404, "shipment not found"))],
        ("release_notes", "pulls"): [(0.03, raised("GitHub API error: 502 Bad Gateway", retryable=True))],
        ("order_archive", "4"): [
            (0.06, raised("S3 error: SlowDown: Please reduce your request rate.", retryable=True))
        ],
        ("price_feed", "shopify"): [
            (
                0.004,
                refused(
                    429,
                    "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.",
                ),
            ),
            (0.003, broken(503)),
        ],
        ("price_feed", "feed"): [(0.008, overdue())],
    }
