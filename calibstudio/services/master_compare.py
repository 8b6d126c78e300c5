"""Two masters compared pixel by pixel: the picture of what changed, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import BPM, FrameKind
from calibstudio.domain.master import InputRecord, MasterRecord
from calibstudio.domain.quality import Assessment
from calibstudio.domain.wording import size, unit_text
from calibstudio.imaging.quality import compare_masters
from calibstudio.imaging.quality_levels import known_percentile
from calibstudio.services.library import Library

_MAD_TO_SIGMA = 1.4826
"""Of a normal distribution."""


@dataclass(frozen=True, slots=True)
class DifferenceNumbers:
    """Statistics of the picture of the difference, in its unit."""

    median: float
    sigma: float
    """Robust: 1.4826 times the median absolute deviation."""
    expected_sigma: float
    """What the two uncertainties make of it; NaN without them."""
    largest: float
    """The value farthest from the median."""
    largest_at: tuple[int, int]
    """Its column and row, 0-based."""
    n_different: int
    n_pixels: int
    """Pixels that both masters know."""


@dataclass(frozen=True, slots=True, eq=False)
class MasterComparison:
    """Two masters, the picture of their difference, and what it says."""

    one: MasterRecord
    two: MasterRecord
    images: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Each of shape (ny, nx), in the unit of its master."""
    inputs: tuple[tuple[InputRecord, ...], tuple[InputRecord, ...]]
    difference: NDArray[np.float32] | None
    """Second less first, shape (ny, nx) in ``unit``; of flats the ratio less one, in per cent."""
    unit: str
    numbers: DifferenceNumbers | None
    changes: Assessment
    """What tells the age of a master, judged; empty for masters of different kinds."""
    why_not: str = ""
    """Why there is no difference, as a sentence."""
    n_detectors: int = 1
    """Of which the first is compared."""


def compare(
    ctx: JobContext, library: Library, one: MasterRecord, two: MasterRecord
) -> MasterComparison:
    """Read two masters and take their difference, second less first.

    Raises
    ------
    Cancelled
        The token was set.
    FileProblemError
        A file is gone or damaged.
    """
    files = [library.open_master(record.sha256) for record in (one, two)]
    ctx.progress(0.2)
    a, b = (np.asarray(master.image(), dtype=np.float32) for master in files)
    ctx.progress(0.5)
    inputs = (files[0].inputs, files[1].inputs)
    many = max(len(master.detectors) for master in files)
    why_not = _why_not(one, two, a, b)
    if why_not:
        empty = Assessment()
        return MasterComparison(
            one, two, (a, b), inputs, None, "", None, empty, why_not, n_detectors=many
        )
    unc = [_uncertainty(master.plane("UNC")) for master in files]
    is_ratio = one.kind == two.kind == FrameKind.FLAT
    difference = _percent(a, b) if is_ratio else b - a
    ctx.progress(0.7)
    changes = Assessment()
    if one.kind == two.kind and one.kind != BPM:
        bayer = two.values.get("bayer") or two.key.get("bayer")
        pattern = bayer if isinstance(bayer, str) else None
        changes = compare_masters(one.kind, b, unc[1], a, unc[0], bayer=pattern)
    ctx.progress(0.9)
    unit = "%" if is_ratio else unit_text(one.unit)
    sigma = _expected(a, b, unc, is_ratio=is_ratio)
    numbers = _numbers(difference, sigma)
    return MasterComparison(
        one, two, (a, b), inputs, difference, unit, numbers, changes, n_detectors=many
    )


def _why_not(
    one: MasterRecord, two: MasterRecord, a: NDArray[np.float32], b: NDArray[np.float32]
) -> str:
    if a.shape != b.shape:
        sizes = f"{size((a.shape[0], a.shape[1]))} and {size((b.shape[0], b.shape[1]))}"
        return f"No difference: the masters are of different sizes, {sizes} pixels."
    if (one.kind == BPM) != (two.kind == BPM):
        return "No difference: only one of them is a bad-pixel map."
    if one.unit.lower() != two.unit.lower():
        names = " and ".join(r.unit or "a ratio without unit" for r in (one, two))
        return f"No difference: the masters have different units, {names}."
    return ""


def _uncertainty(plane: NDArray[np.generic] | None) -> NDArray[np.float32] | None:
    return None if plane is None else np.asarray(plane, dtype=np.float32)


def _percent(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(a > 0, b / a, np.float32(np.nan))
    return np.asarray(100.0 * (ratio - 1.0), dtype=np.float32)


def _expected(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    unc: list[NDArray[np.float32] | None],
    *,
    is_ratio: bool,
) -> float:
    """Return the typical sigma of the difference, by the uncertainties of both."""
    first, second = unc
    if first is None or second is None:
        return float("nan")
    if not is_ratio:
        return known_percentile(np.hypot(first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.hypot(first / a, second / b) * 100.0
    return known_percentile(relative)


def _numbers(difference: NDArray[np.float32], expected: float) -> DifferenceNumbers | None:
    known = np.isfinite(difference)
    many = int(np.count_nonzero(known))
    if not many:
        return None
    median = known_percentile(difference)
    away = np.abs(difference - np.float32(median))
    sigma = _MAD_TO_SIGMA * known_percentile(away)
    y, x = np.unravel_index(int(np.argmax(np.where(known, away, -1.0))), difference.shape)
    different = int(np.count_nonzero(known & (difference != 0)))
    largest = float(difference[y, x])
    return DifferenceNumbers(median, sigma, expected, largest, (int(x), int(y)), different, many)
