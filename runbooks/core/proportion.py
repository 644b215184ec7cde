"""How much a share of a few says: intervals that respect small numbers."""

from math import sqrt

NORMAL = 1.96
"""Two-sided 95% of the normal distribution."""


def wilson_interval(successes: int, of: int) -> tuple[float, float]:
    """The 95% interval of a proportion (Wilson's), 0 to 1: one of two is anything from 9% to 91%."""
    if of <= 0:
        return 0.0, 1.0
    share, square = successes / of, NORMAL**2
    middle = share + square / (2 * of)
    width = NORMAL * sqrt(share * (1 - share) / of + square / (4 * of**2))
    scale = 1 + square / of
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)
