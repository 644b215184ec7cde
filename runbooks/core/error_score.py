"""How well the classifier does on errors whose class a person has told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from runbooks.core.classifier import Classification, Classifier, ErrorFacts
from runbooks.core.failure_classes import FailureClass


@dataclass(frozen=True)
class LabelledError:
    """An error and the class that a person gave it; `alternative` is right as well."""

    line: int
    facts: ErrorFacts
    expected: FailureClass
    alternative: FailureClass | None = None


@dataclass(frozen=True)
class Judged:
    """A labelled error and what the classifier made of it."""

    error: LabelledError
    found: Classification

    @property
    def is_right(self) -> bool:
        """Tell whether the class is the expected or the alternative one."""
        return self.found.failure_class in (self.error.expected, self.error.alternative)

    @property
    def is_told(self) -> bool:
        """Tell whether the classifier committed itself to a class."""
        return self.found.failure_class is not FailureClass.UNKNOWN


@dataclass(frozen=True)
class Score:
    """The judged errors of one file."""

    judged: tuple[Judged, ...]

    @property
    def right(self) -> int:
        """Errors with the right class."""
        return sum(case.is_right for case in self.judged)

    @property
    def told(self) -> tuple[Judged, ...]:
        """Errors that were not called unknown."""
        return tuple(case for case in self.judged if case.is_told)

    @property
    def accuracy(self) -> float:
        """Share of right classes among all, 0 to 1."""
        return self.right / len(self.judged)

    @property
    def accuracy_of_told(self) -> float | None:
        """Share of right classes among the errors not called unknown; None when all were."""
        return sum(case.is_right for case in self.told) / len(self.told) if self.told else None

    @property
    def confusion(self) -> Counter[tuple[FailureClass, FailureClass]]:
        """How often each (expected, found) occurred; an accepted alternative counts as the expected one."""
        return Counter(
            (case.error.expected, case.error.expected if case.is_right else case.found.failure_class)
            for case in self.judged
        )

    @property
    def misses(self) -> tuple[Judged, ...]:
        """Wrong classes, those of the most frequent mistake first: mending one rule mends them all."""
        frequency = self.confusion
        wrong = [case for case in self.judged if not case.is_right]
        return tuple(
            sorted(
                wrong,
                key=lambda case: (
                    not case.is_told,
                    -frequency[case.error.expected, case.found.failure_class],
                    case.error.expected,
                    case.found.failure_class,
                    case.error.line,
                ),
            )
        )


def score(classifier: Classifier, errors: Sequence[LabelledError]) -> Score:
    """Judge each error; raise ValueError when there is none, because no cases are not 100%."""
    if not errors:
        raise ValueError("there are no cases")
    return Score(tuple(Judged(error, classifier.explain(error.facts)) for error in errors))
