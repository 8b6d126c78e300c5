"""The truth as a document: it is JSON, complete, and what the frames show."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from calibstudio.devices.simulator.observatory import PRESETS, SimulatedObservatory
from calibstudio.devices.simulator.truth_document import truth_document
from tests.unit.devices.shots import bias, cooled, dark, flat, lamp

Build = Callable[..., SimulatedObservatory]


@pytest.mark.parametrize("preset", PRESETS)
def test_it_is_a_json_document_for_every_camera(build: Build, preset: str) -> None:
    night = build(preset)

    document = json.loads(json.dumps(truth_document(night), allow_nan=False))

    assert document["camera"]["shape"] == list(night.camera.info.shape)
    assert len(document["filters"]) == (7 if night.wheel is not None else 1)
    assert [m["name"] for m in document["readout_modes"]] == list(night.camera.info.readout_modes)


def test_its_numbers_are_those_that_frames_show(build: Build) -> None:
    night = build(seed=3)
    document = truth_document(night)
    cooled(night, 0.0)
    mode = document["readout_modes"][0]
    gain = next(g for g in mode["gains"] if g["gain"] == 100)

    first, second = bias(night), bias(night)
    darkness = (dark(night, 600.0) - bias(night)).mean() * gain["e_per_adu"] / 600.0
    lamp(night, 4096)
    lit = (flat(night, 0.1)[200:280, 280:360] - first[200:280, 280:360]).mean()

    level = document["bias"]["level_adu_at_default_offset"]
    drift = 10.0 * document["bias"]["drift_adu_per_c"]
    assert first.mean() == pytest.approx(level + drift, abs=0.2)
    noise_e = (first - second).std() / np.sqrt(2.0) * gain["e_per_adu"]
    assert noise_e == pytest.approx(gain["total_read_noise_e"], rel=0.03)
    expected = next(d for d in document["dark"]["without_glow"] if d["sensor_c"] == 0.0)
    mean = expected["mean_e_per_s"] + document["dark"]["glow_mean_e_per_s"]
    # Hot pixels that saturate or blink, and rays, are a few percent of the mean.
    assert darkness == pytest.approx(mean, rel=0.15)
    full = document["panel"]["full_e_per_s_without_filter"]
    assert lit * gain["e_per_adu"] == pytest.approx(0.1 * full, rel=0.02)


def test_it_tells_of_faults_and_time(build: Build) -> None:
    night = build()
    assert night.faults is not None
    night.faults.make("light-leak", (7.0,))

    now = truth_document(night)["now"]

    assert now["faults"] == {"light-leak": (7.0,)}
    assert now["utc"].startswith("2026-04-17T22:00:00")
    assert now["sun_altitude_deg"] == pytest.approx(-29.0, abs=0.1)
