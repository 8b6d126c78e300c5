"""What frames have in common: agreed, averaged, or left out with a word."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from calibstudio.domain.header import FrameHeader
from calibstudio.services.master_values import CommonValues, common_values


def common(*frames: dict[str, Any], key: dict[str, Any] | None = None) -> CommonValues:
    headers = [FrameHeader(Path(f"{i}.fits"), **values) for i, values in enumerate(frames)]
    return common_values(headers, key or {})


def test_what_agrees_is_copied() -> None:
    found = common({"gain": 100.0, "camera": "A"}, {"gain": 100.0, "camera": "A"})

    assert found.values == {"gain": 100.0, "camera": "A"}
    assert found.ranges == {}
    assert found.sentences == ()


def test_numbers_that_vary_become_their_mean_with_a_range() -> None:
    found = common({"sensor_temp_c": -9.0}, {"sensor_temp_c": -10.0}, {"sensor_temp_c": None})

    assert found.values["sensor_temp_c"] == -9.5
    assert found.ranges["sensor_temp_c"] == (-10.0, -9.0)


def test_means_are_written_without_the_dust_of_floating_point() -> None:
    found = common({"exposure_s": 13.59}, {"exposure_s": 13.85}, {"exposure_s": 13.9})

    assert found.values["exposure_s"] == 13.78


def test_a_setting_that_only_some_frames_say_stands_for_none() -> None:
    found = common({"readout_mode": "Fast"}, {"readout_mode": None})

    assert "readout_mode" not in found.values
    assert any("readout_mode" in sentence for sentence in found.sentences)


def test_texts_that_differ_are_left_out_and_said() -> None:
    found = common({"telescope": "A"}, {"telescope": "B"})

    assert "telescope" not in found.values
    assert found.sentences == ("The frames differ in telescope: it is not copied.",)


def test_the_groups_word_stands_for_other_spellings() -> None:
    found = common({"filter": "Ha"}, {"filter": "H-alpha"}, key={"filter": "Ha"})

    assert found.values["filter"] == "Ha"


def test_of_several_nights_the_first_is_named() -> None:
    found = common({"night": date(2026, 4, 18)}, {"night": date(2026, 4, 17)})

    assert found.values["night"] == date(2026, 4, 17)
    assert "2 nights" in found.sentences[0]


def test_angles_across_north_are_averaged_across_north() -> None:
    found = common({"rotator_deg": 359.0}, {"rotator_deg": 1.0})

    assert found.values["rotator_deg"] == pytest.approx(0.0)


def test_values_given_by_hand_are_said() -> None:
    found = common({"gain": 1.0, "origin": {"gain": "corrected"}}, {"gain": 1.0})

    assert found.sentences == ("gain was corrected by hand for 1 of 2 frames.",)
