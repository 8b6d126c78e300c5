"""Weights of frames by what their headers say."""

from __future__ import annotations

from collections.abc import Sequence

from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.wording import exposure


def exposure_weights(names: Sequence[str], times: Sequence[float | None]) -> list[float]:
    """Return exposures as weights; their mean is 1.

    Raises
    ------
    CalibrationError
        A frame has no exposure, or one of 0 s.
    """
    for name, time in zip(names, times, strict=True):
        if time is None or not time > 0:
            known = "is not known" if time is None else f"is {exposure(time)}"
            raise CalibrationError(
                f"The exposure of {name} {known}, so it cannot be its weight.",
                hint="Weight by noise, or not at all.",
            )
    known_times = [time for time in times if time is not None]
    mean = sum(known_times) / len(known_times)
    return [time / mean for time in known_times]
