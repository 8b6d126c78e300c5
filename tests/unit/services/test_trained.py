"""Trained flats: remembered, scaled, aged, and never in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calibstudio.domain.plan import CameraSettings
from calibstudio.services.trained import TrainedKey, TrainedStore

THEN = datetime(2026, 3, 19, 22, 0, tzinfo=UTC)
HA = TrainedKey.of(CameraSettings(100, 50), "Ha", 46)


def test_a_success_is_found_again_after_a_restart(tmp_path: Path) -> None:
    TrainedStore.for_rig(tmp_path, "My rig / Newton").learn(HA, 4.12, 32_000.0, THEN)

    value = TrainedStore.for_rig(tmp_path, "My rig / Newton").find(HA)

    assert value is not None
    assert (value.exposure_s, value.signal_adu, value.at) == (4.12, 32_000.0, THEN)
    assert value.exposure_for(16_000.0) == pytest.approx(2.06)


def test_the_time_before_and_the_range_to_expect_come_from_the_history(tmp_path: Path) -> None:
    store = TrainedStore(tmp_path / "t.json")
    store.learn(HA, 4.0, 32_000.0, THEN)
    store.learn(HA, 4.4, 32_000.0, THEN + timedelta(days=10))

    value = TrainedStore(tmp_path / "t.json").find(HA)

    assert value is not None
    assert value.before(32_000.0) == pytest.approx(4.0)
    low, high = value.expected_range(32_000.0)
    assert low < 4.0 < 4.4 < high


def test_another_offset_is_the_same_light_and_another_brightness_is_scaled(tmp_path: Path) -> None:
    store = TrainedStore(tmp_path / "t.json")
    store.learn(HA, 4.0, 32_000.0, THEN)

    offset = store.find(replace(HA, offset=10))
    brighter = store.find(replace(HA, brightness=92))

    assert offset is not None and offset.exposure_s == 4.0
    assert brighter is not None and brighter.exposure_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    "changes", [{"filter": "OIII"}, {"gain": 0}, {"binning": 2}, {"readout_mode": "Fast"}]
)
def test_nothing_is_taken_from_another_filter_gain_binning_or_mode(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    store = TrainedStore(tmp_path / "t.json")
    store.learn(HA, 4.0, 32_000.0, THEN)

    assert store.find(replace(HA, **changes)) is None  # type: ignore[arg-type]


def test_values_age_and_say_so(tmp_path: Path) -> None:
    store = TrainedStore(tmp_path / "t.json")
    store.learn(HA, 4.0, 32_000.0, THEN)
    value = store.find(HA)

    assert value is not None
    assert not value.is_stale(THEN + timedelta(days=120))
    assert value.is_stale(THEN + timedelta(days=167))
    assert value.age_days(THEN + timedelta(days=167, hours=5)) == 167


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"version": 1}', '{"values": [{"exposure_s": -1}]}', '{"version": 99}'],
)
def test_a_broken_file_costs_only_test_frames_and_is_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)

    store = TrainedStore(path)
    store.learn(HA, 4.0, 32_000.0, THEN)

    assert "cannot be read" in store.complaint
    assert TrainedStore(path).find(HA) is not None
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    store = TrainedStore(tmp_path / "t.json")
    store.learn(HA, 4.0, 32_000.0, THEN)

    store.forget(HA)

    assert TrainedStore(tmp_path / "t.json").values() == ()
