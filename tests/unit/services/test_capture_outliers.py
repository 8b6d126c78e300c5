"""Covered frames of another level than their set."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calibstudio.domain.capture import FrameResult
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment, Metric, Verdict
from calibstudio.services.capture_outliers import level_outliers

NOISE = Assessment((Metric("noise", "Noise", 6.0, "ADU"),))


def frames(levels: list[float], drift_c: float = 0.0) -> list[FrameResult]:
    return [
        FrameResult(
            i + 1, "dark", FrameKind.DARK, i + 1, datetime(2026, 4, 17, tzinfo=UTC), 60.0, True,
            Verdict.GOOD, assessment=NOISE, level_adu=level, sensor_c=-10.0 + drift_c * i,
        )
        for i, level in enumerate(levels)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "wrong"),
    [
        ([502, 503, 502, 501, 502], []),
        ([540, 502, 502, 502], [1]),
        ([590, 591, 502, 502], [1, 2]),
        ([590, 591, 592, 502], []),
        ([590, 591, 592, 502, 502], [1, 2, 3]),
        ([502, 502, 502, 502, 590], [5]),
        ([502, 502, 450, 502, 502, 502], [3]),
        ([502, 502, 502, 502, 502, 450], []),
        ([500, 504, 508, 512, 516, 520], []),
        ([590, 502, 502], []),
        ([500, 520, 540, 560], []),
    ],
)
def test_light_only_adds_so_the_darkest_level_with_a_second_frame_is_believed(
    levels: list[float], wrong: list[int]
) -> None:
    assert [f.index for f, _, _ in level_outliers(frames(levels))] == wrong


def test_the_distance_and_the_limit_are_what_the_reason_says() -> None:
    ((_, away, limit),) = level_outliers(frames([540, 502, 502, 502]))

    assert (away, limit) == (38.0, 6.0)


def test_an_uncooled_sensor_that_drifts_is_left_alone() -> None:
    assert level_outliers(frames([540, 502, 502, 502], drift_c=0.5)) == []
