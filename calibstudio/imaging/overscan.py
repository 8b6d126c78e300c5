"""The level of an overscan: by row or whole, mean, median or a low polynomial.

The definitions are those of ccdproc (`subtract_overscan`): the overscan is collapsed across its
short side by mean or median, a model may be fitted to the result, and what comes out is taken off
every pixel of its row (or column).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.overscan import OverscanLevel, OverscanOf, OverscanSettings
from calibstudio.domain.wording import quantity

_MAD = 1.4826
_SIGMAS = 5.0
_DEFERRED = 0.02
"""Share of the light that may trail into the overscan."""


def overscan_levels(strip: NDArray[Any], settings: OverscanSettings) -> NDArray[np.float64]:
    """Return the level of each line of an overscan.

    Parameters
    ----------
    strip
        Shape (lines, across), ADU: a line is a row, or a column where the overscan lies above or
        below its data. NaN is left out.
    settings
        ``level`` is not none.

    Returns
    -------
    ndarray
        Shape (lines,), ADU; NaN where a line holds nothing.
    """
    values = strip.astype(np.float64)
    if settings.of is OverscanOf.WHOLE:
        found = values[np.isfinite(values)]
        collapse = np.mean if settings.level is OverscanLevel.MEAN else np.median
        level = float(collapse(found)) if found.size else float("nan")
        return np.full(len(values), level)
    lines = _collapsed(values, mean=settings.level is OverscanLevel.MEAN)
    if settings.level is not OverscanLevel.FIT:
        return lines
    known = np.isfinite(lines)
    if np.count_nonzero(known) <= settings.order:
        return np.full(len(lines), np.nan)
    place = np.linspace(-1.0, 1.0, len(lines)) if len(lines) > 1 else np.zeros(1)
    fit = np.polynomial.chebyshev.chebfit(place[known], lines[known], settings.order)
    return np.asarray(np.polynomial.chebyshev.chebval(place, fit), dtype=np.float64)


def _collapsed(values: NDArray[np.float64], *, mean: bool) -> NDArray[np.float64]:
    out = np.full(len(values), np.nan)
    known = np.isfinite(values)
    whole = known.all(axis=1)
    collapse = np.mean if mean else np.median
    if whole.any():
        out[whole] = collapse(values[whole], axis=1)
    for i in np.flatnonzero(~whole & known.any(axis=1)):
        out[i] = collapse(values[i, known[i]])
    return out


def why_no_bias_level(strip: NDArray[Any], data: NDArray[Any]) -> str:
    """Say why an overscan is none; empty when it may be one.

    Parameters
    ----------
    strip
        Shape (lines, across), ADU.
    data
        Some pixels of the data beside it, ADU.
    """
    values = strip.astype(np.float64)
    if not np.isfinite(values).any():
        return "its overscan holds no numbers"
    middle = float(np.nanmedian(values))
    spread = float(np.nanmax(values)) - float(np.nanmin(values))
    if spread == 0.0 and values.size > 1 and middle == 0.0:
        return "its overscan is zero everywhere: the camera has filled it in"
    known = data[np.isfinite(data)]
    level = float(np.median(known)) if known.size else middle
    across = _collapsed(values.T, mean=False)
    noise = _MAD * float(np.nanmedian(np.abs(values - middle)))
    apart = float(np.nanmax(np.abs(across - np.nanmedian(across)))) if across.size > 2 else 0.0
    # Lines are collapsed over many pixels: five noises of one pixel are far off for a median. The
    # first pixels behind bright ones hold some of their charge, which is no reason.
    if apart > max(_SIGMAS * noise, 5.0, _DEFERRED * (level - middle)):
        return (
            f"one side of its overscan is {quantity(apart, 'ADU')} off the rest: it reaches into "
            "the picture"
        )
    if known.size:
        own = max(noise, _MAD * float(np.median(np.abs(known - level))))
        if middle > level + max(_SIGMAS * own, 5.0):
            return (
                f"its overscan ({quantity(middle, 'ADU')}) is brighter than its data "
                f"({quantity(level, 'ADU')}), so it is no bias level"
            )
    return ""
