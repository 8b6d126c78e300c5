"""Covered frames that do not have the level of their set: light came and went between frames.

One frame alone cannot tell light that is even over the sensor from dark current; the set can.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

from calibstudio.domain.capture import FrameResult

COMPARE_FROM = 4
"""Frames from which levels are compared."""
CLEARLY_MORE = 5
"""A single frame below so many others is wrong itself."""
SAME_TEMPERATURE_C = 1.0
"""An uncooled sensor that drifts further changes its dark level honestly."""
LEAST_ADU = 1.0


def level_outliers(frames: Sequence[FrameResult]) -> list[tuple[FrameResult, float, float]]:
    """Return the frames of a set that have another level: (frame, ADU away, limit in ADU).

    Parameters
    ----------
    frames
        Accepted covered frames of one setting and exposure, in the order they were taken.

    Notes
    -----
    Levels, sorted, are cut where a gap exceeds the noise of one pixel, so that a slow drift stays
    together. Light only ever adds: the darkest cluster of two frames or more is believed, the
    brighter ones are not. A single darker frame may be the first after a leak was closed, so it
    waits for a second one; below five others or more it is an outlier itself.
    """
    clusters, limit = _clusters(frames)
    at = next((i for i, cluster in enumerate(clusters) if len(cluster) >= 2), None)
    if at is None:
        return []
    believed = clusters[at]
    middle = statistics.median(_level(f) for f in believed)
    wrong = [f for cluster in clusters[at + 1 :] for f in cluster]
    if len(believed) >= CLEARLY_MORE:
        newest = frames[-1]
        wrong += [f for cluster in clusters[:at] for f in cluster if f is not newest]
    return [(f, _level(f) - middle, limit) for f in wrong]


def newest_may_be_first_dark(frames: Sequence[FrameResult]) -> bool:
    """Whether the newest frame alone is darker than the rest: one more tells which is right."""
    clusters, _ = _clusters(frames)
    return len(clusters) > 1 and clusters[0] == [frames[-1]]


def _clusters(frames: Sequence[FrameResult]) -> tuple[list[list[FrameResult]], float]:
    """Sort frames by level and cut them where it jumps; also return the gap, in ADU."""
    known = [f for f in frames if f.level_adu is not None and _noise(f) is not None]
    if len(known) < COMPARE_FROM or _temperature_spread_c(known) > SAME_TEMPERATURE_C:
        return [], LEAST_ADU
    known.sort(key=_level)
    darkest = known[: COMPARE_FROM // 2]
    gap_adu = max(LEAST_ADU, statistics.median(_noise(f) or 0.0 for f in darkest))
    clusters = [[known[0]]]
    for before, frame in pairwise(known):
        if _level(frame) - _level(before) > gap_adu:
            clusters.append([])
        clusters[-1].append(frame)
    return clusters, gap_adu


def _level(frame: FrameResult) -> float:
    return frame.level_adu if frame.level_adu is not None else 0.0


def _noise(frame: FrameResult) -> float | None:
    return frame.assessment.value("noise")


def _temperature_spread_c(frames: Sequence[FrameResult]) -> float:
    """Warmest less coldest sensor temperature; 0 where none is known."""
    known = [f.sensor_c for f in frames if f.sensor_c is not None]
    return max(known) - min(known) if known else 0.0
