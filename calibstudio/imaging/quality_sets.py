"""Frames of one group, measured together: what one frame alone cannot say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.quality import Assessment
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.domain.verdicts import Judge
from calibstudio.imaging.quality_context import FrameContext
from calibstudio.imaging.quality_levels import central_level

FrameSource = NDArray[Any] | Callable[[], NDArray[Any]]
"""Pixels of a frame, or a function that reads them; only one frame is held at a time."""

_NO_OUTLIERS: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SetAssessment(Assessment):
    """An assessment of a group, with the frames that do not belong in it."""

    outliers: Mapping[int, str] = field(default_factory=lambda: _NO_OUTLIERS)
    """By position in the frames given: why, in one sentence."""


def measure_set(
    kind: str,
    frames: Sequence[FrameSource],
    contexts: Sequence[FrameContext],
    *,
    names: Sequence[str] = (),
    biases: Sequence[FrameSource] = (),
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    ctx: JobContext | None = None,
) -> SetAssessment:
    """Measure and judge the frames of one group, in the order they were taken.

    Parameters
    ----------
    kind
        ``bias``, ``dark``, ``dark flat``, ``flat`` or another word.
    frames
        Arrays of one shape, or functions that read them.
    contexts
        One for each frame.
    names
        File names, for the sentences; ``frame 1`` and so on when not given.
    biases
        Bias frames of the same setting, where there are some: gives darks their dark current
        and flats their photon transfer.
    """
    levels = []
    for i, source in enumerate(frames):
        if ctx is not None:
            ctx.progress(i / max(1, len(frames)), "Measuring the set")
        pixels = source() if callable(source) else source
        levels.append(central_level(pixels, contexts[i].bayer).value_adu)
    judge = Judge(kind)
    finite = np.array([v for v in levels if np.isfinite(v)])
    judge.add("level", float(np.median(finite)) if finite.size else float("nan"))
    result = judge.result()
    outliers = find_outliers(levels, what="Level", unit="ADU", sigmas=thresholds.outlier_sigma)
    return SetAssessment(result.metrics, result.findings, outliers)


def find_outliers(
    values: Sequence[float], *, what: str, unit: str, sigmas: float = 5.0, floor: float = 0.0
) -> dict[int, str]:
    """Return which values are more than so many robust sigmas from the median, and why."""
    known = np.asarray(values, dtype=np.float64)
    good = np.isfinite(known)
    if good.sum() < 4:
        return {}
    middle = float(np.median(known[good]))
    spread = max(1.4826 * float(np.median(np.abs(known[good] - middle))), floor)
    return {
        int(i): f"{what} {known[i]:.1f} {unit}, group {middle:.1f} {unit}."
        for i in np.flatnonzero(good & (np.abs(known - middle) > sigmas * spread))
    }
