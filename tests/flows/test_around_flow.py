"""Sequences with a rotator, a focuser and a safety monitor around the simulated camera.

Rotator and focuser are those of a server that nobody here wrote, over a real socket.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from astropy.io import fits

from calibstudio.devices.alpaca.address import DeviceAddress, DeviceType
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.surroundings import AlpacaFocuser, AlpacaRotator
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.capture import ActivityKind, Answer, CaptureStatus, QuestionKind, StepPhase
from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.plan import CameraSettings, CapturePlan, LightSource, SearchLimits
from calibstudio.domain.quality import Verdict
from calibstudio.domain.rig import Rig
from calibstudio.domain.twilight import Twilight
from calibstudio.services.capture_check import preflight
from tests.helpers.alpaca_simulators import shared_simulators
from tests.helpers.fake_alpaca import FakeAlpaca
from tests.helpers.fake_alpaca_devices import FakeDevice
from tests.helpers.sequences import Operator
from tests.unit.devices.alpaca_rigs import QUICK

NIGHT = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
DUSK = datetime(2026, 4, 17, 18, 4, tzinfo=UTC)


def flats(there: SimulatedObservatory, *filters: str) -> CapturePlan:
    assert there.panel is not None
    draft = FlatDraft.for_camera(there.camera.info, filters, there.panel.info)
    draft.settings = replace(draft.settings, set_temp_c=None)
    draft.count, draft.with_dark_flats = 3, False
    return draft.plan(there.camera.info)


@pytest.fixture
def turned() -> Iterator[SimulatedObservatory]:
    """The simulated camera on the rotator and focuser of the other server."""
    simulators = shared_simulators()
    simulators.put("/api/v1/rotator/0/move", Position=123.4)
    there = simulated_observatory("tiny", seed=3, speed=math.inf, start=NIGHT)
    rotator, focuser = (
        AlpacaDevice(DeviceAddress(simulators.server, kind, 0))
        for kind in (DeviceType.ROTATOR, DeviceType.FOCUSER)
    )
    yield replace(
        there,
        rotator=AlpacaRotator.open(rotator),
        focuser=AlpacaFocuser.open(focuser),
        rig=Rig("Turned", focus={"L": 10_250, "Ha": 10_400}),
    )
    there.close()
    rotator.close()
    focuser.close()


def test_flats_say_the_angle_and_are_taken_in_the_focus_of_their_filter(
    turned: SimulatedObservatory, tmp_path: Path
) -> None:
    assert turned.focuser is not None
    turned.focuser.move(9_900, CancelToken())
    angle = turned.rotator.angle_deg() if turned.rotator is not None else 0.0
    plan = flats(turned, "L", "Ha", "R")

    facts = {c.name: c.fact for c in preflight(turned, plan, tmp_path)}
    report = Operator().run(turned, plan, tmp_path)

    assert "flats fit its lights" in facts["Rotator"]
    assert facts["Focuser"].endswith("at 9900, goes to the focus of 2 filters.")
    assert report.problems == () and report.notes == ()
    headers = [fits.getheader(path) for path in report.accepted]
    assert {h["ROTATANG"] for h in headers} == {round(angle, 3)}
    # The focus of R is not known: it is left where it was.
    assert {(h["FILTER"], h["FOCUSPOS"]) for h in headers} == {
        ("L", 10_250), ("Ha", 10_400), ("R", 10_400),
    }  # fmt: skip
    assert turned.focuser.position() == 9_900


def test_a_focus_outside_the_range_is_refused_before_the_start(
    turned: SimulatedObservatory, tmp_path: Path
) -> None:
    far = replace(turned, rig=Rig("Far", focus={"L": 900_000}))

    row = next(c for c in preflight(far, flats(far, "L"), tmp_path) if c.name == "Focuser")

    assert row.verdict is Verdict.BAD and "outside its range" in row.fact and "rig" in row.fix


def test_a_rotator_that_is_lost_is_waited_for_and_every_flat_says_its_angle(tmp_path: Path) -> None:
    server = FakeAlpaca()
    server.devices["rotator", 0] = device = FakeDevice("Fake Rotator")
    device.values["position"] = -10.0
    line = AlpacaDevice(
        DeviceAddress(server.server, DeviceType.ROTATOR, 0), replace(QUICK, recent_s=0.0)
    )
    there = simulated_observatory("tiny", seed=3, speed=math.inf, start=NIGHT)
    there = replace(there, rotator=AlpacaRotator.open(line))
    operator = Operator({QuestionKind.FAILURE: [Answer.RETRY]})
    died = []

    def pull(status: CaptureStatus) -> None:
        if status.question is not None:
            server.come_back()
        elif len(status.frames) == 2 and not died:
            died.append(True)
            server.die()

    operator.on_status = pull
    report = operator.run(there, flats(there, "L"), tmp_path)

    assert len(operator.questions) == 1 and "Fake Rotator" in operator.questions[0].text
    assert any(t.startswith("Rotator stopped answering. Reconnecting") for t in operator.said)
    headers = [fits.getheader(path) for path in report.accepted]
    assert len(headers) == report.steps[0].good == 3
    assert {h.get("ROTATANG") for h in headers} == {350.0}
    there.close()
    line.close()
    server.close()


def test_while_it_is_not_safe_flats_of_the_sky_wait_covered(tmp_path: Path) -> None:
    there = simulated_observatory("tiny", speed=math.inf, start=DUSK)
    assert there.faults is not None and there.panel is not None
    desk, panel = there.faults, there.panel
    draft = FlatDraft(
        settings=CameraSettings(100, 50), filters=("L",), count=5, light=LightSource.SKY,
        twilight=Twilight.DUSK, limits=SearchLimits(0.5, 10.0), with_dark_flats=False,
    )  # fmt: skip
    waits: list[tuple[int, CoverState]] = []
    began = []

    def rain(status: CaptureStatus) -> None:
        good = sum(f.accepted for f in status.frames)
        if good == 2 and not began:
            began.append(True)
            desk.make("unsafe", ())
        if status.activity.text.startswith("Simulated safety monitor says that it is not safe."):
            assert status.activity.kind is ActivityKind.SEARCHING
            waits.append((good, panel.status().cover))
            if len(waits) == 10:
                desk.mend("unsafe")

    report = Operator(on_status=rain).run(there, draft.plan(there.camera.info), tmp_path)

    assert waits[-1] == (2, CoverState.CLOSED) and len(waits) >= 10
    assert [s.phase for s in report.steps] == [StepPhase.DONE]
    assert report.steps[0].good == 5
    assert any("Flats of the sky waited" in note for note in report.notes)
    levels = [f.level_adu for f in report.frames if f.accepted]
    assert levels == [pytest.approx(0.5 * 65_535, rel=0.1)] * 5
    there.close()


def test_a_night_that_is_never_safe_ends_the_flats_with_its_reason(tmp_path: Path) -> None:
    there = simulated_observatory("tiny", speed=math.inf, start=DUSK)
    assert there.faults is not None and there.panel is not None
    there.faults.make("unsafe", ())
    draft = FlatDraft(
        settings=CameraSettings(100, 50), filters=("L",), count=2, light=LightSource.SKY,
        twilight=Twilight.DUSK, limits=SearchLimits(0.5, 10.0), with_dark_flats=False,
    )  # fmt: skip
    plan = draft.plan(there.camera.info)

    row = next(c for c in preflight(there, plan, tmp_path) if c.name == "Open sky")
    report = Operator().run(there, plan, tmp_path)

    assert row.verdict is Verdict.WARN and "not safe" in row.fact
    assert report.steps[0].phase is StepPhase.FAILED
    assert report.steps[0].text.endswith("not safe. The twilight ended meanwhile.")
    assert all(not f.accepted for f in report.frames)
    assert there.panel.status().cover is CoverState.CLOSED
    there.close()
