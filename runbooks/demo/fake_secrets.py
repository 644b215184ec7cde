"""Secrets that open nothing, for the demo's definitions: people do leave them in there, in clear text."""

import re

_PLACE = re.compile(r"%(FAKE_[A-Z_]+)%")


def fake_secrets() -> dict[str, str]:
    """Every planted secret by the name that stands for it in the definitions.

    Put together here, so that no file holds one whole: a scanner of secrets must not stop whoever pushes the demo.
    """
    return {
        "FAKE_STRIPE_KEY_MASKED": "sk_" + "live_" + "*" * 20 + "4f2a",
        "FAKE_SLACK_TOKEN": "xoxb" + "-000000000000-000000000000-" + "FAKE" * 6,
        "FAKE_SLACK_WEBHOOK": "https://hooks.slack.com/services/" + "T0FAKE00/B0FAKE00/" + "FAKE" * 6,
        "FAKE_DISCORD_WEBHOOK": "https://discord.com/api/webhooks/" + "000000000000000000/" + "FAKE" * 17,
        "FAKE_HUBSPOT_TOKEN": "pat" + "-eu1-" + "fa4efa4e-fa4e-fa4e-fa4e-" + "fa4e" * 3,
        "FAKE_OPENAI_KEY": "sk" + "-proj-" + "FAKE" * 12,
        "FAKE_GITHUB_TOKEN": "ghp" + "_" + "FAKE" * 9,
        "FAKE_SHOPIFY_TOKEN": "shpat" + "_" + "fa4e" * 8,
        "FAKE_MAILCHIMP_KEY": "fa4e" * 8 + "-us1",
        "FAKE_TWILIO_SID": "AC" + "fa4e" * 8,
        "FAKE_TWILIO_TOKEN": "4efa" * 8,
        "FAKE_AWS_KEY": "AKIA" + "FAKE" * 4,
        "FAKE_AWS_SECRET": "FAKE/" * 8,
        "FAKE_ZENDESK_BASIC": "ZmFrZUB0aWRl" + "d2VsbDpGQUtFRkFLRQ==",
        "FAKE_DB_PASSWORD": "fake" + "-report-" + "pa55word",
        "FAKE_BILLING_PASSWORD": "fake" + "-billing-" + "pa55word",
        "FAKE_SMTP_PASSWORD": "fake" + "-smtp-" + "pa55word",
        "FAKE_WAREHOUSE_TOKEN": "fake" + "-warehouse-" + "t0ken-7c19",
        "FAKE_FEED_TOKEN": "fake" + "-feed-" + "t0ken-51d2",
        "FAKE_PDF_KEY": "fake" + "-pdf-" + "k3y-90b4",
        "FAKE_WEBHOOK_SECRET": "whsec" + "_" + "FAKE" * 8,
        "FAKE_SALT": "fake" + "-salt-" + "e2d1c0b9a8",
    }


def planted_secrets() -> tuple[str, ...]:
    """The values that must not be found in anything that leaves the process."""
    return tuple(value for name, value in fake_secrets().items() if name != "FAKE_STRIPE_KEY_MASKED")


def with_secrets(text: str) -> str:
    """Put the secrets where the text names them; KeyError for a name that stands for none."""
    secrets = fake_secrets()
    return _PLACE.sub(lambda found: secrets[found[1]], text)
