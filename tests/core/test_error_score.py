import pytest

from runbooks.core.classifier import Classifier, ErrorFacts, Rule
from runbooks.core.error_score import LabelledError, score
from runbooks.core.failure_classes import FailureClass
from runbooks.core.phrases import compile_phrase

TIMEOUT, NETWORK, UNKNOWN = FailureClass.TIMEOUT, FailureClass.NETWORK, FailureClass.UNKNOWN

CLASSIFIER = Classifier(
    [
        Rule("slow", TIMEOUT, "test", phrases=(compile_phrase("timed out"),)),
        Rule("cut", NETWORK, "test", phrases=(compile_phrase("hang up"),)),
    ]
)


def labelled(*cases: tuple[str, FailureClass, FailureClass | None]) -> list[LabelledError]:
    return [
        LabelledError(number, ErrorFacts(message=message), expected, alternative)
        for number, (message, expected, alternative) in enumerate(cases, start=1)
    ]


def test_unknown_counts_against_all_but_not_against_what_was_told() -> None:
    result = score(
        CLASSIFIER,
        labelled(("timed out", TIMEOUT, None), ("socket hang up", NETWORK, None), ("odd", NETWORK, None)),
    )
    assert result.accuracy == pytest.approx(2 / 3)
    assert result.accuracy_of_told == 1.0
    assert len(result.told) == 2


def test_an_alternative_class_is_right_and_counts_as_the_expected_one() -> None:
    result = score(CLASSIFIER, labelled(("timed out", NETWORK, TIMEOUT)))
    assert result.accuracy == 1.0
    assert result.confusion == {(NETWORK, NETWORK): 1}


def test_no_cases_are_an_error_and_not_100_percent() -> None:
    with pytest.raises(ValueError, match="no cases"):
        score(CLASSIFIER, [])


def test_when_all_are_unknown_there_is_no_accuracy_of_told() -> None:
    assert score(CLASSIFIER, labelled(("odd", TIMEOUT, None))).accuracy_of_told is None


def test_misses_start_with_the_most_frequent_mistake_and_end_with_the_unknown() -> None:
    result = score(
        CLASSIFIER,
        labelled(
            ("odd", TIMEOUT, None),
            ("hang up", TIMEOUT, None),
            ("timed out", NETWORK, None),
            ("was timed out", NETWORK, None),
        ),
    )
    assert [case.error.line for case in result.misses] == [3, 4, 2, 1]
