"""Messages that the classifier takes a second, on one core. Bar: 10,000 of ordinary length."""

import time
from collections.abc import Iterator

from runbooks.adapters.catalogue_files import load_classifier
from runbooks.core.classifier import Classifier, ErrorFacts
from tests.benchmarks.table import Figure, at_least

SECONDS = 2.0
BAR = 10_000
SHORT = (
    ErrorFacts(
        service="openai", status_code=429, message="Rate limit reached for gpt-4o on tokens per min: limit 30000"
    ),
    ErrorFacts(
        message='HTTP request failed: Get "https://api.example.com/v1": dial tcp: lookup api.example.com: no such host'
    ),
    ErrorFacts(
        service="postgres", error_code="23505", message="duplicate key value violates unique constraint orders_pk"
    ),
    ErrorFacts(service="slack", message="Slack error: not_in_channel"),
    ErrorFacts(service="http", status_code=503, message="server error: status 503"),
    ErrorFacts(service="smtp", message="failed to send email: 535 5.7.8 Authentication credentials invalid"),
    ErrorFacts(
        service="github", status_code=422, message='Validation Failed: {"resource":"Issue","code":"missing_field"}'
    ),
    ErrorFacts(message="The service was not able to process your request: unexpected end of the pallet at row 7 of 12"),
)
LONG = tuple(
    ErrorFacts(
        service=error.service, message=f"{error.message} {'at handler in the middle of a stack of calls ' * 50}"[:2000]
    )
    for error in SHORT
)


def figures() -> Iterator[Figure]:
    """The rate for messages of ordinary length and for messages of 2,000 characters."""
    classifier = load_classifier()
    yield at_least(BAR, _rate(classifier, SHORT), "a second", "error messages of about 80 characters, classified")
    yield Figure("error messages of 2,000 characters", f"{_rate(classifier, LONG):,.0f} a second")


def _rate(classifier: Classifier, errors: tuple[ErrorFacts, ...]) -> float:
    for error in errors:  # phrases compile when they are first needed
        classifier.classify(error)
    done = 0
    started = time.process_time()
    while time.process_time() - started < SECONDS:
        for error in errors:
            classifier.classify(error)
        done += len(errors)
    return done / (time.process_time() - started)
