"""Whole dusks and dawns of the simulated observatory, against its truth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.devices.simulator.mount import separation_deg
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.devices.simulator.optics import FILTERS
from calibstudio.devices.simulator.sky import sky_e_per_s
from calibstudio.domain.capture import FrameResult, StepPhase
from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.plan import CameraSettings, CapturePlan, LightSource, SearchLimits
from calibstudio.domain.sun import sun_altitude_deg, sun_horizontal_deg
from calibstudio.domain.twilight import Twilight
from calibstudio.domain.twilight_outlook import sky_windows
from calibstudio.services.trained import TrainedStore
from tests.helpers.sequences import Operator

SHORTEST_S, LONGEST_S = 0.5, 10.0
DUSK = datetime(2026, 4, 17, 18, 4, tzinfo=UTC)
DAWN = datetime(2026, 4, 18, 3, 33, tzinfo=UTC)
TARGET_ADU = 0.5 * 65535


def observatory(start: datetime, **options: Any) -> SimulatedObservatory:
    return simulated_observatory("tiny", speed=inf, start=start, **options)


def plan_for(there: SimulatedObservatory, twilight: Twilight, **changes: Any) -> CapturePlan:
    draft = FlatDraft(
        settings=CameraSettings(100, 50),
        filters=("L", "B", "Ha"),
        count=5,
        light=LightSource.SKY,
        twilight=twilight,
        limits=SearchLimits(SHORTEST_S, LONGEST_S),
        with_dark_flats=False,
    )
    return replace(draft, **changes).plan(there.camera.info)


def rate_adu(there: SimulatedObservatory, at: datetime, seconds: float, name: str) -> float:
    """The twin's own sky in ADU per second at the optical centre."""
    assert there.world is not None and there.site is not None
    chosen = next(f for f in FILTERS if f.name == name)
    pixel_um = there.world.truth.pixel_size_um
    rate = sky_e_per_s(at, seconds, there.site, there.optics, pixel_um, chosen)
    conversion = there.camera.conversion(100, None)
    assert conversion is not None
    return rate / conversion.e_per_adu


def light_begins(
    there: SimulatedObservatory, near: datetime, name: str, seconds: float
) -> datetime:
    """When an exposure of so many seconds first has the target, by the twin's truth."""
    moments = [near + timedelta(seconds=5 * i) for i in range(12 * 50)]
    excess = [rate_adu(there, m, seconds, name) * seconds - (TARGET_ADU - 500.0) for m in moments]
    cross = int(np.flatnonzero(np.diff(np.sign(excess)))[0])
    return moments[cross]


def kept(frames: tuple[FrameResult, ...]) -> list[FrameResult]:
    return [f for f in frames if f.accepted]


@pytest.mark.parametrize(
    ("twilight", "start", "order", "edge_s"),
    [
        (Twilight.DUSK, DUSK, ["Ha", "B", "L"], SHORTEST_S),
        (Twilight.DAWN, DAWN, ["L", "B", "Ha"], LONGEST_S),
    ],
)
def test_a_whole_twilight_gives_flats_of_the_level_in_the_order_of_the_light(
    tmp_path: Path, twilight: Twilight, start: datetime, order: list[str], edge_s: float
) -> None:
    there = observatory(start, cover_open=False)
    assert there.mount is not None and there.site is not None
    looked = there.mount.status()
    operator = Operator()

    trained = TrainedStore.for_rig(tmp_path, there.name)

    report = operator.run(there, plan_for(there, twilight), tmp_path, trained=trained)

    assert report.problems == () and report.notes == ()
    learned = trained.sky_rates(CameraSettings(100, 50))
    for one, other in combinations(order, 2):
        truth = [rate_adu(there, start, 1.0, name) for name in (one, other)]
        found = [learned[name].rate_adu_per_s for name in (one, other)]
        # The twin's sky is not quite that of the law, which joins the two moments.
        assert found[0] / found[1] == pytest.approx(truth[0] / truth[1], rel=0.25)
    assert [s.phase for s in report.steps] == [StepPhase.DONE] * 3
    frames = kept(report.frames)
    assert list(dict.fromkeys(f.filter for f in frames)) == order
    assert [sum(f.filter == name for f in frames) for name in order] == [5, 5, 5]
    for frame in frames:
        assert frame.filter is not None and frame.level_adu is not None
        assert SHORTEST_S <= frame.exposure_s <= LONGEST_S
        # A test frame that is within the tolerance counts; at a limit, half of it may be used.
        at_limit = frame.exposure_s in (SHORTEST_S, LONGEST_S)
        allowed = 0.1 if frame.is_search else 0.055 if at_limit else 0.02
        assert frame.level_adu == pytest.approx(TARGET_ADU, rel=allowed)
        truth = rate_adu(there, frame.taken_at, frame.exposure_s, frame.filter)
        # The middle of the frame is up to 3 % below the optical centre.
        assert frame.level_adu - 500.0 == pytest.approx(truth * frame.exposure_s, rel=0.04)
    first = light_begins(there, start, order[0], edge_s)
    assert timedelta(seconds=-45) <= frames[0].taken_at - first <= timedelta(seconds=45)
    tests = sum(f.is_search and not f.accepted for f in report.frames)
    assert tests <= 5 * len(order)
    word = "bright" if twilight is Twilight.DUSK else "dark"
    said = [t for t in operator.said if t.startswith(f"Too {word} for {order[0]}; starts in about")]
    assert said and "(Sun −" in said[-1]
    # All is as it was: covered, and the telescope looks where it looked.
    assert there.panel is not None and there.panel.status().cover is CoverState.CLOSED
    now = there.mount.status()
    assert (now.altitude_deg, now.azimuth_deg) == pytest.approx(
        (looked.altitude_deg, looked.azimuth_deg), abs=0.05
    )


def test_the_telescope_looks_away_from_the_sun_and_a_little_elsewhere_for_each_frame(
    tmp_path: Path,
) -> None:
    there = observatory(DUSK + timedelta(minutes=5))
    assert there.mount is not None and there.site is not None
    mount, slew = there.mount, there.mount.slew
    went: list[tuple[float, float]] = []

    def remembered(altitude: float, azimuth: float, cancel: CancelToken) -> None:
        went.append((azimuth, altitude))
        slew(altitude, azimuth, cancel)

    mount.slew = remembered  # type: ignore[method-assign]
    Operator().run(there, plan_for(there, Twilight.DUSK, filters=("Ha",), count=4), tmp_path)

    _, sun_azimuth = sun_horizontal_deg(there.clock.now(), there.site)
    away = (sun_azimuth + 180.0) % 360.0
    assert all(separation_deg(w, (away, 78.0)) < 1.0 for w in went[:-1])
    frames = went[-4:-1]  # the last slew is the way back
    assert all(separation_deg(a, b) * 3600 >= 10.0 for a, b in combinations(frames, 2))


def test_dusk_that_is_over_says_so_and_when_dawn_begins(tmp_path: Path) -> None:
    there = observatory(datetime(2026, 4, 17, 18, 52, tzinfo=UTC))

    report = Operator().run(there, plan_for(there, Twilight.DUSK, count=40), tmp_path)

    ha, _, clear = report.steps
    assert ha.phase is clear.phase is StepPhase.FAILED
    assert ha.text == "Dusk is over for Ha: too dark at 10\u202fs." and ha.good == 0
    assert clear.text.startswith("Dusk is over for L") and "too dark at 10" in clear.text
    begins = light_begins(there, DAWN, "Ha", LONGEST_S)
    said = datetime.strptime(ha.hint, "Dawn flats start at %H:%M UTC.").replace(
        year=begins.year, month=begins.month, day=begins.day, tzinfo=UTC
    )
    assert abs(said - begins) < timedelta(minutes=3)


@pytest.mark.parametrize(
    ("twilight", "moment", "says"),
    [
        (Twilight.DAWN, datetime(2026, 4, 17, 21, 0, tzinfo=UTC), "min away: flats for Ha start"),
        (Twilight.DUSK, datetime(2026, 4, 17, 11, 0, tzinfo=UTC), "Dusk is 6"),
        (Twilight.DAWN, datetime(2026, 4, 18, 7, 0, tzinfo=UTC), "Dawn is over for Ha: the Sun"),
    ],
)
def test_light_that_is_far_away_or_missed_ends_the_step_at_once(
    tmp_path: Path, twilight: Twilight, moment: datetime, says: str
) -> None:
    there = observatory(moment)
    assert there.panel is not None and there.site is not None

    report = Operator().run(there, plan_for(there, twilight, filters=("Ha",)), tmp_path)

    (step,) = report.steps
    assert step.phase is StepPhase.FAILED and says in step.text and "UTC" in step.text + step.hint
    if sun_altitude_deg(moment, there.site) > 10:
        assert report.frames == ()  # nothing was opened under the Sun


def test_a_high_sun_is_waited_for_with_the_cover_closed(tmp_path: Path) -> None:
    there = observatory(datetime(2026, 4, 17, 16, 30, tzinfo=UTC))
    assert there.site is not None

    operator = Operator()
    report = operator.run(there, plan_for(there, Twilight.DUSK, filters=("Ha",), count=3), tmp_path)

    assert report.problems == () and len(report.accepted) == 3
    assert any(t.startswith("Waits covered: the Sun is at 1") for t in operator.said)
    first = min(f.taken_at for f in report.frames)
    assert sun_altitude_deg(first, there.site) <= 10.0
    header = fits.getheader(report.accepted[0])
    assert header["CSCOVER"] == "OPEN" and header["FILTER"] == "Ha"


def test_without_a_site_the_plan_is_refused_with_a_sentence(tmp_path: Path) -> None:
    there = replace(observatory(DUSK), site=None)

    with pytest.raises(Exception, match="Without a site nobody knows where the Sun is"):
        Operator().run(there, plan_for(there, Twilight.DUSK), tmp_path)


@pytest.mark.parametrize(
    ("twilight", "near", "edge_s"),
    [(Twilight.DUSK, DUSK, SHORTEST_S), (Twilight.DAWN, DAWN, LONGEST_S)],
)
def test_the_clock_of_the_wizard_is_right_to_a_few_minutes(
    twilight: Twilight, near: datetime, edge_s: float
) -> None:
    there = observatory(near)
    assert there.site is not None and there.camera.info.pixel_size_um is not None
    conversion = there.camera.conversion(100, None)
    assert conversion is not None
    names = ("Ha", "B", "L")

    windows = sky_windows(
        names, twilight, now=near - timedelta(hours=4), site=there.site, optics=there.optics,
        pixel_um=there.camera.info.pixel_size_um,
        signal_e=(TARGET_ADU - 500.0) * conversion.e_per_adu, limits_s=(SHORTEST_S, LONGEST_S),
    )  # fmt: skip

    for window in windows:
        truth = light_begins(there, near - timedelta(minutes=8), window.filter, edge_s)
        assert window.begins is not None and window.ends is not None
        assert abs(window.begins - truth) < timedelta(minutes=6)
        assert timedelta(minutes=8) < window.ends - window.begins < timedelta(minutes=25)
