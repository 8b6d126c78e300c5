"""The least number of dark-flat sets that serve flats of several exposures (RULES 5).

A set serves another exposure while the difference in time, times the dark rate with its glow,
stays below 0.05 % of the flat's level, and that of hot pixels below 1 %. Each flat so has an
interval of exposures that serve it; the fewest points that meet every interval are found by taking
the interval that ends first, and in it the longest exposure that some flat really has. Any other
point of that interval meets no more of the intervals that are left, so the answer is the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.matching import exposure_tolerance_s
from calibstudio.domain.recipe import Tolerances

HOT_SHARE = 0.01
"""Part of the level that a dark of another exposure may leave in a hot pixel, or take too much."""
_SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class FlatExposure:
    """Flats of one exposure that need a dark flat."""

    name: str
    """Of what they are, for the answer."""
    exposure_s: float
    light_adu: float | None = None
    """Their level above the bias; None: not known."""


@dataclass(frozen=True, slots=True)
class DarkFlatSet:
    """One set of dark flats."""

    exposure_s: float
    serves: tuple[FlatExposure, ...]
    """In ascending order of exposure."""


def bias_is_nearer(kind: str, dark_s: float, flat_s: float) -> bool:
    """Whether a bias, 0 s, is nearer to a flat than this plain dark. Dark flats always count."""
    return kind == FrameKind.DARK and dark_s > 2 * flat_s


def reach_s(
    flat: FlatExposure,
    rate_adu_per_s: float | None,
    hot_adu_per_s: float,
    budget: float,
    tolerances: Tolerances,
) -> float:
    """Return how far from a flat's exposure a dark flat of it may be.

    Parameters
    ----------
    rate_adu_per_s, hot_adu_per_s
        What the dark gathers in the brightest part of its glow, and in its hot pixels; None: not
        known, and only the same exposure serves.
    budget
        Part of the flat's level that may be left.
    """
    same = exposure_tolerance_s(flat.exposure_s, tolerances)
    if rate_adu_per_s is None or flat.light_adu is None or flat.light_adu <= 0:
        return same
    reaches = [
        share * flat.light_adu / rate
        for share, rate in ((budget, rate_adu_per_s), (HOT_SHARE, hot_adu_per_s))
        if rate > 0
    ]
    return max(same, min(reaches, default=float("inf")))


def least_sets(flats: Sequence[FlatExposure], reaches_s: Sequence[float]) -> list[DarkFlatSet]:
    """Return the fewest sets that serve all flats, short exposures first.

    Each set has the exposure of one of the flats.
    """
    left = sorted(
        zip(flats, reaches_s, strict=True), key=lambda one: (one[0].exposure_s, one[0].name)
    )
    times = [flat.exposure_s for flat in flats]
    found: list[DarkFlatSet] = []
    while left:
        end = min(flat.exposure_s + reach for flat, reach in left)
        # Rounding of the sum must not shut out the flat whose interval ends here.
        at = max(t for t in times if t <= end * (1 + _SLACK))
        mine = [
            (flat, reach)
            for flat, reach in left
            if flat.exposure_s - reach <= at * (1 + _SLACK)
            and at <= (flat.exposure_s + reach) * (1 + 2 * _SLACK)
        ]
        found.append(DarkFlatSet(at, tuple(flat for flat, _ in mine)))
        left = [one for one in left if one not in mine]
    return sorted(found, key=lambda one: one.exposure_s)
