import pytest

from runbooks.core.grounding import Grounding

GROUNDING = Grounding(
    [
        'Error text contains 401 or 429, "Invalid API Key provided" or api_key_expired. Look at status.stripe.com.',
        'On the Executions page read the duration of node "Charge card" (30 s, 1,000 calls, 3.0%, at 03:15).',
        "POST /v1/charges at https://api.stripe.com/v1/charges, credential Stripe live, sk_live_ keys, Retry-After.",
        "The version history, under Developers > Logs. Wait five minutes.",
    ],
    names=["Charge card", "http_stripe", "Stripe live"],
)


@pytest.mark.parametrize(
    "line",
    [
        "If the status is 401, the key was rotated; with 429 wait as Retry-After says.",
        'Open the failed execution and look at node "Charge card" and at its error body.',
        "The call POST /v1/charges to api.stripe.com takes longer than 30 s, often 30s.",
        "Look for api_key_expired in the error, then compare with the Executions page of the workflow.",
        "The 1000 calls show a rate of 3.0%; it was 03:15 when they failed.",
        "Node http_stripe and credential Stripe live belong together, and the key begins with sk_live_.",
        "See Developers > Logs for it, and wait five minutes.",
        "Read and/or compare the version history. Nothing else is needed here.",
    ],
)
def test_what_the_data_says_may_be_said(line: str) -> None:
    assert GROUNDING.unknown(line) is None


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Raise the limit to 60 s in the node.", "60"),
        ("A share of 3.1% failed.", "3.1"),
        ("Wait ten minutes and look again.", "ten minutes"),
        ('Look for "Expired token" in the error.', "expired token"),
        ("Look for `rate_limit_exceeded` in the error.", "rate_limit_exceeded"),
        ("Look for invalid_grant in the error.", "invalid_grant"),
        ("See https://docs.stripe.com/keys for details.", "docs.stripe.com"),
        ("The host api.paypal.com does not answer.", "api.paypal.com"),
        ("Ask 10.0.0.7 whether it is up.", "10.0.0.7"),
        ("Open Settings > Billing and look there.", "settings"),
        ("Look at node Refund payment for the error.", "refund payment"),
        ("Open credential Paypal sandbox and look at it.", "paypal"),
        ("Restart the pod in Kubernetes when it fails.", "kubernetes"),
        ("Ask somebody of the team in PagerDuty about it.", "pagerduty"),
        ("The variable stripeSecretKey is empty.", "stripesecretkey"),
        ("Write to ops@acme.test about the failure.", "ops@acme.test"),
        ("The server answers with a 5xx status.", "5xx"),
    ],
)
def test_what_the_data_does_not_say_is_found(line: str, found: str) -> None:
    unknown = GROUNDING.unknown(line)
    assert unknown is not None
    assert found in unknown.lower()


def test_words_are_known_by_their_stem() -> None:
    known, unknown = "Executing it, durations contained", "Penguins migrate towards antarctic beaches"
    all_of_it, shares = GROUNDING.shares_known([known, unknown, ""])
    assert shares[known] > 0.9
    assert shares[unknown] == shares[""] == 0
    assert 0.3 < all_of_it < 0.6
    assert GROUNDING.shares_known([]) == (0, {})
