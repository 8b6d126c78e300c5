"""What Live says about a frame: its kind, its bias, its colours, its verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from calibstudio.domain.equipment import (
    CameraInfo,
    Conversion,
    CoverState,
    ExposureRequest,
    Frame,
    PanelStatus,
    Region,
)
from calibstudio.domain.kinds import FrameKind
from calibstudio.services.live_measure import (
    BiasMemory,
    bayer_of,
    live_kind,
    measure_live,
    saturation_adu,
)

INFO = CameraInfo(name="Test camera", shape=(200, 300), max_adu=65535, exposure_min_s=0.001)
COLOUR = replace(INFO, bayer="RGGB")
CLOSED = PanelStatus(CoverState.CLOSED, 0)
LIT = PanelStatus(CoverState.CLOSED, 1000)
OPEN = PanelStatus(CoverState.OPEN, 0)


def make_frame(
    level: float,
    *,
    exposure_s: float = 10.0,
    region: Region | None = None,
    gain: int = 100,
    seed: int = 1,
) -> Frame:
    shape = (200, 300) if region is None else (region.height, region.width)
    data = np.random.default_rng(seed).normal(level, 6.0, shape)
    request = ExposureRequest(FrameKind.LIGHT, exposure_s, gain=gain, region=region)
    return Frame(
        data=np.rint(data).astype(np.uint16),
        request=request,
        started_at=datetime(2026, 4, 17, 22, tzinfo=UTC),
        exposure_s=exposure_s,
        gain=gain,
        offset=50,
        conversion=Conversion(0.25, full_well_e=12_000.0, read_noise_e=1.5),
    )


@pytest.mark.parametrize(
    ("panel", "exposure_s", "kind"),
    [
        (CLOSED, 0.001, FrameKind.BIAS),
        (CLOSED, 300.0, FrameKind.DARK),
        (LIT, 2.0, FrameKind.FLAT),
        (OPEN, 2.0, FrameKind.LIGHT),
        (None, 2.0, FrameKind.LIGHT),
    ],
)
def test_cover_lamp_and_exposure_say_what_a_frame_is(
    panel: PanelStatus | None, exposure_s: float, kind: FrameKind
) -> None:
    assert live_kind(panel, exposure_s, INFO) is kind


def test_a_short_covered_frame_teaches_the_bias_of_its_settings_only() -> None:
    biases = BiasMemory()
    short = make_frame(502.0, exposure_s=0.5)

    first = measure_live(short, 1, INFO, region=None, panel=CLOSED, biases=biases)
    light = measure_live(make_frame(1184.0), 2, INFO, region=None, panel=OPEN, biases=biases)
    other = make_frame(900.0, gain=0)
    unknown = measure_live(other, 3, INFO, region=None, panel=OPEN, biases=biases)

    assert first.bias_adu == light.bias_adu == pytest.approx(502.0, abs=1.0)
    assert light.zones is not None
    assert light.zones.read_noise_adu == pytest.approx(502.0 + 1.5**2 / 0.25, abs=1.0)
    assert unknown.bias_adu is None
    assert unknown.zones is None


@pytest.mark.parametrize(("panel", "exposure_s"), [(OPEN, 0.5), (LIT, 0.5), (CLOSED, 60.0)])
def test_frames_with_light_or_dark_current_teach_no_bias(
    panel: PanelStatus, exposure_s: float
) -> None:
    found = measure_live(
        make_frame(502.0, exposure_s=exposure_s), 1, INFO, region=None, panel=panel,
        biases=BiasMemory(),
    )  # fmt: skip

    assert found.bias_adu is None


def test_statistics_are_of_the_whole_frame_and_of_the_region() -> None:
    frame = make_frame(1000.0)
    data = frame.data.copy()
    data[50:100, 60:120] += 500
    bright = replace(frame, data=data)

    found = measure_live(
        bright, 1, INFO, region=Region(60, 50, 60, 50), panel=OPEN, biases=BiasMemory()
    )

    assert found.whole.statistics is not None and found.part.statistics is not None
    assert found.whole.statistics.median == np.median(data)
    assert found.part.statistics.median == np.median(data[50:100, 60:120])
    assert found.part.histograms[""].total == 60 * 50


def test_saturation_is_the_full_well_where_it_is_less_than_the_converter() -> None:
    frame = make_frame(1000.0)

    assert saturation_adu(frame, INFO, None) == 65535.0
    assert saturation_adu(frame, INFO, 500.0) == 500.0 + 12_000 / 0.25


@pytest.mark.parametrize(
    ("x", "y", "pattern"), [(0, 0, "RGGB"), (1, 0, "GRBG"), (0, 1, "GBRG"), (3, 5, "BGGR")]
)
def test_a_region_that_starts_at_an_odd_pixel_starts_with_another_colour(
    x: int, y: int, pattern: str
) -> None:
    assert bayer_of(make_frame(900, region=Region(x, y, 60, 40)), COLOUR) == pattern


def test_binned_frames_have_no_colours() -> None:
    frame = make_frame(900)
    binned = replace(frame, request=replace(frame.request, binning=2))

    assert bayer_of(binned, COLOUR) is None


def test_a_colour_frame_has_three_histograms() -> None:
    found = measure_live(make_frame(900), 1, COLOUR, region=None, panel=OPEN, biases=BiasMemory())

    assert list(found.whole.histograms) == ["R", "G", "B"]
    assert sum(h.total for h in found.whole.histograms.values()) == 200 * 300
