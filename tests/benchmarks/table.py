"""What benchmarks find, as lines of one table, ratios first."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Figure:
    """One line: what was measured, and how it stands to its bar."""

    what: str
    measured: str
    ratio: str = ""
    bar: str = ""

    def __str__(self) -> str:
        against = f"{self.ratio}{f', {self.bar}' if self.bar else ''}: " if self.ratio else ""
        return f"{against}{self.what}: {self.measured}"


def at_most(limit: float, value: float, unit: str, what: str, more: str = "") -> Figure:
    """A figure that has to stay below a limit; its ratio is the share of the limit that it takes."""
    return Figure(what, _with(value, unit, more), f"{value / limit:.2f} of the bar", f"≤ {_short(limit)} {unit}")


def at_least(limit: float, value: float, unit: str, what: str, more: str = "") -> Figure:
    """A figure that has to reach a limit; its ratio is how many times it does."""
    return Figure(what, _with(value, unit, more), f"{value / limit:.1f} × the bar", f"≥ {_short(limit)} {unit}")


def measured(benchmark: str) -> list[Figure]:
    """Run a benchmark by its name and print each figure as it is known."""
    found = []
    for figure in import_module(f"tests.benchmarks.{benchmark}").figures():
        print(figure, flush=True)
        found.append(figure)
    return found


def markdown(figures: Iterable[Figure]) -> str:
    """The table."""
    rows = [f"| {one.ratio} | {one.bar} | {one.what} | {one.measured} |" for one in figures]
    return "\n".join(["| Ratio | Bar | What | Measured |", "|---|---|---|---|", *rows])


def _with(value: float, unit: str, more: str) -> str:
    return f"{_short(value)} {unit}{f'; {more}' if more else ''}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
