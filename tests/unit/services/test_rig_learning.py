"""What flats measured is kept with the rig, shown with its source, and counts at the camera."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calibstudio.devices.measured_camera import MeasuredCamera
from calibstudio.devices.rigs import open_rig
from calibstudio.domain.equipment import ExposureRequest
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.quality import Assessment, Metric
from calibstudio.domain.rig import DeviceRef, Learned, Quantity, Rig
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Limit
from calibstudio.services.answers import answers_path
from calibstudio.services.rig_learning import learned_from, learned_words, teach
from calibstudio.services.rigs import Rigs

THEN = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
CAMERA = "Simulated 0.3 MP mono"
SIMULATED = DeviceRef("simulated", "camera", "tiny")


def flat(egain: float, noise: float, at: datetime = THEN, **key: Any) -> MasterRecord:
    metrics = (
        Metric("egain", "Gain", egain, "e-/ADU", None),
        Metric("read_noise", "Read noise", noise, "e-", None),
    )
    settings = {"camera": CAMERA, "gain": 100, "readout_mode": "High gain", "binning": (1, 1)}
    return MasterRecord(
        sha256="0" * 64, path=Path(f"/m/flat_{egain}.fits"), kind="flat", key=settings | key,
        n_frames=20, n_combined=20, unit="", bias_subtracted=True,
        observed_first_utc=at, observed_last_utc=at + timedelta(minutes=2),
        assessment=Assessment(metrics=metrics),
    )  # fmt: skip


@pytest.fixture
def rigs(tmp_path: Path) -> Rigs:
    made = Rigs(tmp_path / "rigs", data_folder=tmp_path / "data")
    made.save(Rig("Trial", (SIMULATED,)), new=True)
    return made


def test_what_a_flat_measured_is_kept_with_when_and_from_what(rigs: Rigs) -> None:
    new = teach(rigs, "Trial", CAMERA, [flat(0.41, 3.2), flat(0.9, 9.0, binning=(2, 1))])

    learned = rigs.get("Trial").learned
    assert set(new) == set(learned) and len(learned) == 2
    gain = learned[0]
    assert (gain.what, gain.value, gain.gain, gain.binning) == (Quantity.GAIN, 0.41, 100, 1)
    assert (gain.source, gain.at) == ("flat_0.41.fits", THEN + timedelta(minutes=1))
    (path,) = rigs.folder.glob("*.toml")
    assert tomllib.loads(path.read_text())["learned"][0]["source"] == "flat_0.41.fits"
    words = dict(learned_words(rigs.get("Trial")))
    assert words["Gain at gain 100, High gain"] == (
        "0.41\u202fe\u2212/ADU, 2026-04-17, measured by flat_0.41.fits"
    )


def test_the_newest_of_a_setting_counts_and_others_stay(rigs: Rigs) -> None:
    later = flat(0.43, 3.3, THEN + timedelta(days=9))
    teach(rigs, "Trial", CAMERA, [later, flat(0.41, 3.2), flat(1.6, 8.0, gain=0)])

    rig = rigs.get("Trial")
    found = rig.known(Quantity.GAIN, 100, "High gain")
    low = rig.known(Quantity.GAIN, 0, "High gain")
    assert found is not None and found.value == 0.43
    assert low is not None and low.value == 1.6
    assert rig.known(Quantity.GAIN, 100, None) is None
    assert teach(rigs, "Trial", CAMERA, [flat(0.41, 3.2)]) == ()


def test_other_cameras_and_other_kinds_teach_nothing(rigs: Rigs) -> None:
    other = [flat(0.4, 3.0, camera="Another"), replace(flat(0.4, 3.0), kind="bias")]
    assert learned_from(other, CAMERA) == ()
    assert teach(rigs, "No such rig", CAMERA, [flat(0.4, 3.0)]) == ()


def test_a_measured_gain_counts_more_than_what_the_driver_says() -> None:
    said = open_rig("tiny")
    request = ExposureRequest(FrameKind.BIAS, 0.0, gain=100)
    mode = said.camera.expose(request, CancelToken()).readout_mode
    rows = tuple(
        Learned(what, value, THEN, "f.fits", 100, mode)
        for what, value in ((Quantity.GAIN, 0.5), (Quantity.READ_NOISE, 2.5))
    )
    camera = MeasuredCamera(said.camera, Rig("r", (SIMULATED,), learned=rows))

    frame = camera.expose(request, CancelToken())
    other = camera.expose(replace(request, gain=0), CancelToken())
    binned = camera.expose(replace(request, binning=2), CancelToken())
    worth = camera.conversion(100, mode)

    driver = said.camera.conversion(100, mode)
    assert driver is not None and worth is not None and frame.conversion == worth
    assert (worth.e_per_adu, worth.read_noise_e) == (0.5, 2.5)
    assert worth.full_well_e == driver.full_well_e
    assert other.conversion == said.camera.conversion(0, mode)
    assert binned.conversion is not None and binned.conversion.e_per_adu != 0.5
    assert camera.info == said.camera.info
    camera.close()


def test_own_limits_are_read_from_the_file_and_bad_ones_cost_only_themselves(rigs: Rigs) -> None:
    limits = replace(DEFAULT_THRESHOLDS, saturated=Limit(warn_above=0.2, bad_above=1.0))
    rigs.save(Rig("Trial", (SIMULATED,), thresholds=limits))
    assert rigs.get("Trial").thresholds == limits
    opened = open_rig("Trial", known=rigs)
    assert opened.rig is not None and opened.rig.thresholds == limits
    opened.close()

    (path,) = rigs.folder.glob("*.toml")
    bad = '[thresholds]\nmood = 1\n[[learned]]\nwhat = "egain"\nvalue = -1\nsource = ""\n'
    path.write_text(f'name = "Trial"\n{bad}at = 2026-04-17T22:00:00Z\n')
    found = rigs.list()
    assert found.rigs[0].thresholds == DEFAULT_THRESHOLDS and found.rigs[0].learned == ()
    assert "no quality limit called mood" in found.problems[0]
    assert "learned egain cannot be -1" in found.problems[1]


def test_answers_follow_a_new_name(rigs: Rigs, tmp_path: Path) -> None:
    old = answers_path(tmp_path / "data", "Trial")
    old.parent.mkdir()
    old.write_text("{}")
    rigs.rename("Trial", "Newton")
    assert answers_path(tmp_path / "data", "Newton").exists() and not old.exists()
