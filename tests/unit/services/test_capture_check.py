"""The pre-flight: every row has a fact with numbers, and what is not good says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.equipment import CoverState, Observatory, PanelInfo
from calibstudio.domain.errors import DeviceError, UsageError, WriteProblemError
from calibstudio.domain.plan import CameraSettings, CapturePlan, LightSource, Search
from calibstudio.domain.quality import Verdict
from calibstudio.services.capture_check import Check, preflight, raise_if_impossible
from tests.helpers.bench import BENCH_INFO, BenchPanel, bench_camera, bench_observatory

COOLED: dict[str, Any] = {"can_cool": True, "set_temp_range_c": (-40.0, 30.0)}
FLATS = FlatDraft(CameraSettings(100, 50), brightness=46)


def look(observatory: Observatory, plan: CapturePlan, folder: Path) -> dict[str, Check]:
    return {check.name: check for check in preflight(observatory, plan, folder)}


def test_everything_in_order_is_said_with_facts(tmp_path: Path) -> None:
    observatory = bench_observatory(panel=BenchPanel(cover=CoverState.CLOSED))

    checks = look(observatory, FLATS.plan(BENCH_INFO), tmp_path / "not" / "made" / "yet")

    assert {name: c.verdict for name, c in checks.items()} == {
        "Free disk": Verdict.GOOD,
        "Camera": Verdict.GOOD,
        "Cooler settled": Verdict.GOOD,
        "Gain and offset": Verdict.GOOD,
        "Panel answers": Verdict.GOOD,
        "Cover closed": Verdict.GOOD,
        "Light leak": None,
    }
    assert "free," in checks["Free disk"].fact and "needed" in checks["Free disk"].fact
    assert checks["Gain and offset"].fact == (
        "Gain 100, offset 50, binning 1 × 1; read back with every frame."
    )
    assert checks["Panel answers"].fact == "Bench panel, off, brightness 0–255."


def test_nothing_moves_and_nothing_is_exposed(tmp_path: Path) -> None:
    panel = BenchPanel(cover=CoverState.OPEN)
    observatory = bench_observatory(panel=panel)

    checks = look(observatory, FLATS.plan(BENCH_INFO), tmp_path)

    assert checks["Cover closed"].verdict is None
    assert "it closes before the first covered frame" in checks["Cover closed"].fact
    assert panel.moves == [] and bench_camera(observatory).requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_says_how_much_is_missing(tmp_path: Path) -> None:
    plan = BiasDraft(CameraSettings(), 10_000, 0.001).plan(BENCH_INFO)
    many = CapturePlan(
        "x", tuple(replace(plan.steps[0], id=str(i), count=10_000_000) for i in range(9))
    )

    check = look(bench_observatory(), many, tmp_path)["Free disk"]

    assert check.verdict is Verdict.BAD and check.action == "folder"
    assert check.fix.startswith("Free ") and check.fix.endswith("or choose another folder.")
    with pytest.raises(WriteProblemError, match="Free disk"):
        raise_if_impossible([check])


def test_a_file_where_the_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "frames").touch()

    check = look(bench_observatory(), FLATS.plan(BENCH_INFO), tmp_path / "frames")["Free disk"]

    assert check.verdict is Verdict.BAD and "is a file" in check.fact


def test_a_cooler_that_is_not_there_yet_says_about_how_long(tmp_path: Path) -> None:
    observatory = bench_observatory(panel=BenchPanel(), **COOLED)
    plan = DarkDraft(CameraSettings(set_temp_c=-10.0), (60.0,)).plan(BENCH_INFO)
    camera = bench_camera(observatory)

    warm = look(observatory, plan, tmp_path)["Cooler settled"]
    camera.sensor_c, camera.set_c, camera.cooler_on = -10.1, -10.0, True
    cold = look(observatory, plan, tmp_path)["Cooler settled"]

    assert warm.verdict is None and "in about 5\u202fmin" in warm.fact
    assert cold.verdict is Verdict.GOOD and "Sensor −10.1\u202f°C" in cold.fact


def test_darks_without_a_temperature_are_warned_about_where_there_is_a_cooler(
    tmp_path: Path,
) -> None:
    plan = DarkDraft(CameraSettings(), (60.0,)).plan(BENCH_INFO)

    check = look(bench_observatory(panel=BenchPanel(), **COOLED), plan, tmp_path)["Cooler settled"]

    assert check.verdict is Verdict.WARN and check.fix == "Set one for darks."


def test_a_lost_camera_and_impossible_settings_are_bad(tmp_path: Path) -> None:
    observatory = bench_observatory(panel=BenchPanel())
    bench_camera(observatory).lost = True
    plan = BiasDraft(CameraSettings(gain=999), 5, 0.001).plan(BENCH_INFO)

    checks = look(observatory, plan, tmp_path)

    assert checks["Camera"].fact == "Bench camera does not answer."
    assert checks["Gain and offset"].verdict is Verdict.BAD
    with pytest.raises(DeviceError, match="1 more problem"):
        raise_if_impossible(list(checks.values()))


def test_flats_need_a_wheel_that_knows_their_filters(tmp_path: Path) -> None:
    one = replace(FLATS, filters=("Ha",), with_dark_flats=False).plan(BENCH_INFO)
    two = replace(FLATS, filters=("Ha", "OIII"), with_dark_flats=False).plan(BENCH_INFO)
    observatory = bench_observatory(panel=BenchPanel())

    believed = look(observatory, one, tmp_path)["Filter wheel"]
    missing = look(observatory, two, tmp_path)["Filter wheel"]

    assert believed.verdict is Verdict.WARN and "Ha is believed" in believed.fact
    assert missing.verdict is Verdict.BAD and missing.action == "connect"


def test_panel_flats_need_a_panel_with_a_lamp_of_that_brightness(tmp_path: Path) -> None:
    cap = BenchPanel(PanelInfo("Dust cap", True, False))
    plan = FLATS.plan(BENCH_INFO)
    bright = replace(FLATS, brightness=9999).plan(BENCH_INFO)
    by_hand = replace(FLATS, light=LightSource.LAMP).plan(BENCH_INFO)
    dimmed = replace(FLATS, light=LightSource.LAMP, search=Search.BRIGHTNESS).plan(BENCH_INFO)

    def light(observatory: Observatory, plan: CapturePlan) -> Check:
        checks = look(observatory, plan, tmp_path)
        return checks.get("Panel answers") or checks["Lamp"]

    assert light(bench_observatory(panel=cap), plan).fact == "No panel is connected."
    assert "outside the panel's range" in light(bench_observatory(panel=BenchPanel()), bright).fact
    assert light(bench_observatory(), by_hand).verdict is None
    assert light(bench_observatory(), dimmed).verdict is Verdict.BAD


def test_who_covers_the_sensor_is_said(tmp_path: Path) -> None:
    plan = DarkDraft(CameraSettings(), (60.0,)).plan(BENCH_INFO)

    shutter = look(bench_observatory(has_shutter=True), plan, tmp_path)["Cover closed"]
    nobody = look(bench_observatory(), plan, tmp_path)["Cover closed"]

    assert shutter.fact == "The camera's shutter covers it."
    assert nobody.verdict is None and nobody.fact.startswith("Asked before")


def test_a_warning_does_not_stop_the_start() -> None:
    raise_if_impossible([Check("A", Verdict.WARN, "x"), Check("B", None, "y")])

    with pytest.raises(UsageError, match="A: x"):
        raise_if_impossible([Check("A", Verdict.BAD, "x")])
