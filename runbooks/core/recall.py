"""Recall: how often what was looked for stands first, or among the first three."""

from pydantic import computed_field

from runbooks.core.workflow import Frozen

FIRST_FEW = 3


class Recall(Frozen):
    """Of so many failures, those found first, and among the first three."""

    failures: int = 0
    at_1: int = 0
    at_3: int = 0

    @computed_field  # type: ignore[prop-decorator] # mypy has no support for decorated properties
    @property
    def share_at_1(self) -> float | None:
        """0 to 1; None without failures."""
        return round(self.at_1 / self.failures, 4) if self.failures else None

    @computed_field  # type: ignore[prop-decorator] # mypy has no support for decorated properties
    @property
    def share_at_3(self) -> float | None:
        """0 to 1; None without failures."""
        return round(self.at_3 / self.failures, 4) if self.failures else None

    def plus(self, place: int | None, weight: int) -> "Recall":
        """With one more outcome that counts so often."""
        return Recall(
            failures=self.failures + weight,
            at_1=self.at_1 + weight * (place == 1),
            at_3=self.at_3 + weight * (place is not None and place <= FIRST_FEW),
        )
