"""One whole night at the simulated observatory, every number held against the twin's truth.

The plan is the example that ships, ``resources/examples/whole_night.yaml``: connect, cool, biases,
darks of three exposures, panel flats through four filters, dark flats, flats of the dawn through
two, masters, warming up. These are the longest tests of the suite.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from calibstudio.cli.main import run
from calibstudio.devices.rigs import open_rig
from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.domain.capture import CaptureReport, CaptureStatus, StepPhase
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.quality import Verdict
from calibstudio.domain.run_plan import plan_of
from calibstudio.domain.sun import sun_altitude_deg
from calibstudio.domain.thresholds import Thresholds
from calibstudio.services.capture_state import find_sequences
from calibstudio.services.library import Library
from calibstudio.services.run_config import read_run_config
from calibstudio.services.run_job import RunJob, RunSettings, build, capture
from calibstudio.store.assets import assets
from tests.helpers.night_truth import SET_C, Raw, Truth, by_step
from tests.helpers.sequences import Operator

EXAMPLE = next(iter(assets("examples", "whole_night.yaml")))
DARKS_S = (30.0, 90.0, 300.0)
PANEL, SKY = ("L", "R", "G", "B"), ("OIII", "Ha")
SKY_LIMITS_S = (0.5, 10.0)
pytestmark = pytest.mark.timeout(240)
"""A night costs what its frames cost to render and judge: about 20 s of one core."""


class NightLog(Operator):
    """Also writes down how the sensor's temperature went, by the observatory's clock."""

    def watch(self, there: SimulatedObservatory) -> None:
        self.temperatures: list[tuple[float, float]] = []

        def see(status: CaptureStatus) -> None:
            sensor_c = there.camera.status().sensor_c
            assert sensor_c is not None
            self.temperatures.append((there.clock.elapsed_s, sensor_c))

        self.on_status = see


def test_every_number_of_a_whole_night_is_that_of_the_twins_truth(tmp_path: Path) -> None:
    config, text = read_run_config(EXAMPLE)
    settings = RunSettings(config.rig, tmp_path / "frames", str(tmp_path / "library"))
    there = open_rig(config.rig, simulation=config.simulation)
    assert isinstance(there, SimulatedObservatory)
    plan = plan_of(config, there).plan
    operator = NightLog()
    operator.watch(there)
    job = RunJob(config, text, settings)
    start_c = there.camera.status().sensor_c
    assert start_c is not None

    report = capture(
        JobContext(operator.token), job, there, plan, operator.control, operator._see, tmp_path
    )
    built, _ = build(JobContext(), job, report.accepted)

    truth = Truth(there)
    check_counts(report)
    frames = by_step(report.accepted)
    check_frames(truth, report, frames)
    check_dawn(there, frames)
    check_end(there, operator, start_c)
    assert not built.skipped
    with Library.open(tmp_path / "library") as library:
        masters = library.masters()
    check_masters(truth, masters)
    check_what_was_used(masters)


def check_counts(report: CaptureReport) -> None:
    """As many good frames as the file asks for; the dark flats are the fewest that serve."""
    assert report.problems == () and report.notes == () and not report.stopped
    done = {s.step.id: s.good for s in report.steps if s.phase is StepPhase.DONE}
    skipped = {s.step.id: s.text for s in report.steps if s.phase is StepPhase.SKIPPED}
    (dark_flats,) = [name for name in done if name.startswith("darkflat")]
    assert done == {
        "bias": 16,
        **{f"dark-{s:g}s": 12 for s in DARKS_S},
        **{f"flat-{name}": 8 for name in (*PANEL, *SKY)},
        dark_flats: 8,
    }
    assert len(done) + len(skipped) == len(report.steps) == 16
    # Never the plain darks of 30 s: a bias is nearer to flats of 2 s than they are.
    assert all(text.startswith("The dark flats of filter ") for text in skipped.values())
    assert len(report.accepted) == sum(done.values()) == 108


def check_frames(truth: Truth, report: CaptureReport, frames: dict[str, list[Raw]]) -> None:
    targets = {s.step.id: s.target_adu for s in report.steps}
    # Half of the saturation, as the file asks: 50 % of the converter's maximum, which comes first.
    half = 0.5 * truth.sensor.saturation_adu(100, 50)
    for step, raws in frames.items():
        for raw in raws:
            truth.check_header(raw)
            assert raw.path.parts[-4] == "2026-04-17"
            kind, _, rest = step.partition("-")
            words = {"bias": "Bias Frame", "dark": "Dark Frame", "darkflat": "Dark Flat"}
            assert raw.header["IMAGETYP"] == words.get(kind, "Flat Field")
            assert raw.header["CSLIGHT"] is (kind == "flat")
            if kind == "bias":
                truth.check_bias_frame(raw)
            elif kind == "dark":
                assert f"{raw.seconds:g}s" == rest
            elif kind == "flat":
                assert raw.header["FILTER"] == rest and targets[step] == half
            if kind == "flat" and rest in PANEL:
                truth.check_panel_flat(raw, half)
            elif kind == "flat":
                truth.check_sky_flat(raw, half, SKY_LIMITS_S)
            else:
                assert raw.header["CSCOVER"] == "CLOSED" and raw.header["CSPANEL"] == 0
    for pair in zip(frames["bias"][::2], frames["bias"][1::2], strict=True):
        truth.check_noise(pair)


def check_dawn(there: SimulatedObservatory, frames: dict[str, list[Raw]]) -> None:
    """Flats of the dawn are taken between night and day, in the order of the light."""
    assert there.site is not None
    for name in SKY:
        altitudes = [sun_altitude_deg(raw.middle, there.site) for raw in frames[f"flat-{name}"]]
        assert all(-8.0 < a < 0.0 for a in altitudes) and altitudes == sorted(altitudes)
    first, second = (frames[f"flat-{name}"] for name in ("Ha", "OIII"))
    # The plan orders them: at dawn the filter that lets more light through comes first.
    order = sorted(SKY, key=lambda name: frames[f"flat-{name}"][0].middle)
    assert order == ["Ha", "OIII"] and first[-1].middle < second[0].middle


def check_end(there: SimulatedObservatory, operator: NightLog, start_c: float) -> None:
    """Nothing was asked; ramps were kept; the sensor is warm and everything as it was."""
    assert operator.questions == []
    assert there.panel is not None and there.mount is not None
    panel, camera = there.panel.status(), there.camera.status()
    assert panel.cover is CoverState.CLOSED and panel.brightness == 0
    assert camera.cooler_on is False and camera.sensor_c is not None
    assert abs(camera.sensor_c - start_c) < 2.5  # the air, which cools in the night
    coldest = min(c for _, c in operator.temperatures)
    assert SET_C - 1.0 <= coldest <= SET_C + 0.1  # it swings through once, before it settles
    for (t0, c0), (t1, c1) in zip(operator.temperatures, operator.temperatures[10:], strict=False):
        if t1 - t0 >= 30.0:  # 6 degrees a minute, and what the cooler overshoots
            assert abs(c1 - c0) <= 6.0 * (t1 - t0) / 60.0 + 1.0


def check_masters(truth: Truth, masters: tuple[MasterRecord, ...]) -> None:
    kinds = sorted(m.kind for m in masters)
    assert kinds == sorted(["bias", *["dark"] * 3, "dark flat", *["flat"] * 6, "bpm"])
    assert all(m.verdict is not Verdict.BAD for m in masters)
    for master in masters:
        values = master.values
        assert values["gain"] == 100 and values["offset"] == 50 and values["set_temp_c"] == SET_C
        assert str(values["night"]) == "2026-04-17"
        if master.kind != "bpm":
            assert master.n_frames == master.n_combined
        if master.kind == "bias":
            truth.check_bias_master(master.path, master.n_combined)
        elif master.kind in ("dark", "dark flat"):
            seconds = values["exposure_s"]
            assert isinstance(seconds, float)
            truth.check_dark_master(master.path, seconds, master.n_combined)
        elif master.kind == "flat":
            name = str(values["filter"])
            truth.check_flat_master(master.path, name, panel=name in PANEL)
            truth.check_gain(master)
        else:
            truth.check_bad_pixels(master.path, Thresholds().hot_rate_e_per_s)
    assert sorted(m.values["exposure_s"] for m in masters if m.kind == "dark") == list(DARKS_S)
    assert {m.values["filter"] for m in masters if m.kind == "flat"} == {*PANEL, *SKY}


def check_what_was_used(masters: tuple[MasterRecord, ...]) -> None:
    """Flats have the night's dark flat taken out; the map is of a bias, a dark, a flat."""
    of = {m.sha256: m for m in masters}
    (dark_flat,) = [m for m in masters if m.kind == "dark flat"]
    for flat in (m for m in masters if m.kind == "flat"):
        assert [(u.kind, u.sha256) for u in flat.used] == [("dark flat", dark_flat.sha256)]
        assert flat.bias_subtracted and flat.dark_subtracted
    (bpm,) = [m for m in masters if m.kind == "bpm"]
    assert [u.kind for u in bpm.used] == ["bias", "dark", "flat"]
    assert of[bpm.used[1].sha256].values["exposure_s"] == max(DARKS_S)


def test_the_same_night_from_the_command_line_with_fewer_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = EXAMPLE.read_text()
    for line, fewer in (
        ("frames: 16", "frames: 4"), ("frames: 12", "frames: 3"),
        ("frames: 8", "frames: 3"), ("dark_flats: 8", "dark_flats: 3"),
        ("[30, 90, 300]", "[30, 300]"),
    ):  # fmt: skip
        assert line in text
        text = text.replace(line, fewer)
    config = tmp_path / "night.yaml"
    config.write_text(text)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    code = run(
        ["run", str(config), "--no-confirm", "--json", "--frames", str(tmp_path / "frames"),
         "--library", str(tmp_path / "library")]
    )  # fmt: skip

    out, err = capsys.readouterr()
    document = json.loads(out)
    # Three flats are too few for a good master, and that is said of each; nothing else is wrong.
    said = err.strip().splitlines()
    assert code == 1 and len(said) == 6, err
    assert all("is BAD: S/N per pixel of the master" in line for line in said)
    captured = [f for f in document["captured"] if f["accepted"]]
    kinds = [f["kind"] for f in captured]
    assert {k: kinds.count(k) for k in kinds} == {"bias": 4, "dark": 6, "flat": 18, "dark flat": 3}
    made = sorted(m["kind"] for m in document["masters"])
    assert made == sorted(
        ["master bias", *["master dark"] * 2, "master dark flat", *["master flat"] * 6,
         "master bpm"]
    )  # fmt: skip
    flats = [m for m in document["masters"] if m["kind"] == "master flat"]
    assert all(set(m["used"]) == {"dark_flat"} for m in flats)
    assert document["finished"] is True and document["skipped"] == []
    (sequence,) = find_sequences(tmp_path / "frames")
    assert sequence.has_masters and not sequence.can_go_on
    there = open_rig("tiny", simulation=replace(read_run_config(EXAMPLE)[0].simulation, speed=1.0))
    assert isinstance(there, SimulatedObservatory)
    truth = Truth(there)
    for step, raws in by_step([Path(f["path"]) for f in captured]).items():
        for raw in raws:
            truth.check_header(raw)
            if step in {f"flat-{name}" for name in SKY}:
                truth.check_sky_flat(raw, 0.5 * 65535, SKY_LIMITS_S)
