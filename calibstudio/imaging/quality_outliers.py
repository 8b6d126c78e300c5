"""Frames that do not belong in their group: other levels, noise or shape, copies, broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibstudio.domain.verdicts import quantity_text
from calibstudio.imaging.quality_samples import Sample


@dataclass(frozen=True, slots=True)
class Outlier:
    """One value that is too far from the others."""

    index: int
    value: float
    middle: float
    limit: float
    """The nearest value that would still belong."""


def robust_outliers(
    values: Sequence[float], *, sigmas: float = 5.0, least_sigma: float = 0.0
) -> list[Outlier]:
    """Return which values are more than so many robust sigmas from the median of all.

    sigma = 1.4826 MAD (1.19 times as much for few values, where the MAD is biased low), and at
    least ``least_sigma``: scatter that does no harm. Fewer than 4 values have no outliers; NaN
    is left out.
    """
    known = np.asarray(values, dtype=np.float64)
    good = np.isfinite(known)
    count = int(good.sum())
    if count < 4:
        return []
    middle = float(np.median(known[good]))
    # Croux & Rousseeuw 1992: the MAD of n values needs the factor n / (n - 0.8), more below 10.
    factor = {4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}.get(
        count, count / (count - 0.8)
    )
    spread = 1.4826 * factor * float(np.median(np.abs(known[good] - middle)))
    reach = sigmas * max(spread, least_sigma)
    if reach <= 0:
        reach = 1e-9 * max(abs(middle), 1.0)
    return [
        Outlier(int(i), float(known[i]), middle, middle + (reach if known[i] > middle else -reach))
        for i in np.flatnonzero(good & (np.abs(known - middle) > reach))
    ]


def find_outliers(
    values: Sequence[float],
    *,
    what: str,
    unit: str,
    sigmas: float = 5.0,
    least_sigma: float = 0.0,
    decimals: int | None = None,
) -> dict[int, str]:
    """Return the same by position, with the reason as a sentence."""
    return {
        o.index: f"{what} {quantity_text(o.value, unit, decimals)}, "
        f"limit {quantity_text(o.limit, unit, decimals)}; "
        f"the group has {quantity_text(o.middle, unit, decimals)}."
        for o in robust_outliers(values, sigmas=sigmas, least_sigma=least_sigma)
    }


def find_copies(samples: Sequence[Sample | None], names: Sequence[str]) -> dict[int, str]:
    """Return frames that are copies of an earlier one, by position, with the reason."""
    seen: dict[bytes, int] = {}
    found = {}
    for i, sample in enumerate(samples):
        # Frames without any noise (all saturated, all zero) look alike without being copies.
        if sample is None or not sample.noise > 0:
            continue
        first = seen.setdefault(sample.digest, i)
        if first != i:
            found[i] = f"A copy of {names[first]}: every pixel is the same."
    return found


def odd_shapes(samples: Sequence[Sample | None]) -> dict[int, str]:
    """Return frames whose size is not that of most, by position, with the reason."""
    shapes = [s.shape for s in samples if s is not None]
    if not shapes:
        return {}
    usual = max(set(shapes), key=lambda s: (shapes.count(s), -shapes.index(s)))
    return {
        i: f"{s.shape[1]} × {s.shape[0]} pixels; the group has {usual[1]} × {usual[0]}."
        for i, s in enumerate(samples)
        if s is not None and s.shape != usual
    }
