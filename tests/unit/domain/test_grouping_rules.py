"""Which frames are one group (RULES 3)."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.grouping import Group, Grouping, LeftOut
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.recipe import Tolerances
from tests.helpers.headers import make_header, make_headers


def sizes(grouping: Grouping) -> list[int]:
    return [len(g.frames) for g in grouping.groups]


def grouped(*series: list[FrameHeader]) -> Grouping:
    return group_frames([h for part in series for h in part])


def only(grouping: Grouping) -> Group:
    assert len(grouping.groups) == 1, [g.key for g in grouping.groups]
    return grouping.groups[0]


def test_nothing_is_no_group() -> None:
    assert group_frames([]).groups == ()


def test_equal_frames_are_one_group_with_what_they_share() -> None:
    group = only(grouped(make_headers(3)))

    assert group.kind == "dark"
    assert dict(group.key) == {
        "camera": "ZWO ASI2600MM Pro",
        "readout_mode": "High Gain",
        "gain": 100.0,
        "offset": 30.0,
        "binning": (1, 1),
        "shape": (4, 6),
        "set_temp_c": -10.0,
        "exposure_s": 300.0,
    }
    assert group.notes == ()
    assert group.unknown == ()


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("camera", "QHY268M"),
        ("serial", "0123"),
        ("readout_mode", "Low Noise"),
        ("gain", 101.0),
        ("offset", 31.0),
        ("binning", (2, 2)),
        ("region", (0, 0, 6, 4)),
        ("shape", (4, 7)),
        ("bayer", "RGGB"),
        ("set_temp_c", -9.0),
        ("exposure_s", 305.0),
        ("kind", "dark flat"),
    ],
)
def test_darks_that_differ_in_a_key_are_two_groups(word: str, value: Any) -> None:
    grouping = grouped(make_headers(2, "a"), make_headers(2, "b", **{word: value}))

    assert sizes(grouping) == [2, 2]


@pytest.mark.parametrize(
    ("kind", "changes", "together"),
    [
        ("dark", {"filter": "OIII"}, True),
        ("dark", {"night": date(2026, 5, 1)}, True),
        ("dark", {"telescope": "Other"}, True),
        ("dark", {"exposure_s": 301.0}, True),
        ("dark", {"set_temp_c": -10.4}, True),
        ("dark", {"sensor_temp_c": -8.9}, True),
        ("bias", {"exposure_s": 0.001}, True),
        ("flat", {"exposure_s": 12.0}, True),
        ("flat", {"filter": "OIII"}, False),
        ("flat", {"filter": "H-alpha"}, True),
        ("flat", {"night": date(2026, 4, 18)}, False),
        ("flat", {"telescope": "Other"}, False),
        ("flat", {"focal_length_mm": 433.0}, True),
        ("flat", {"focal_length_mm": 500.0}, False),
        ("flat", {"rotator_deg": 90.0}, False),
        ("flat", {"sensor_temp_c": 5.0}, True),
        ("light", {"exposure_s": 60.0}, False),
    ],
)
def test_each_kind_has_its_own_keys(kind: str, changes: dict[str, Any], together: bool) -> None:
    grouping = grouped(make_headers(2, "a", kind=kind), make_headers(2, "b", kind=kind, **changes))

    assert sizes(grouping) == ([4] if together else [2, 2])


def test_a_dawn_series_of_flats_is_one_group() -> None:
    # Given as many exposures as frames
    flats = [
        make_header(f"f{i:02d}.fits", kind="flat", exposure_s=10.0 / 1.3**i) for i in range(20)
    ]

    group = only(grouped(flats))

    assert len(group.frames) == 20
    assert "exposure_s" not in group.key


def test_rotator_angles_cluster_across_zero() -> None:
    near = make_headers(2, "a", kind="flat", rotator_deg=359.7)
    over = make_headers(2, "b", kind="flat", rotator_deg=0.2)
    far = make_headers(2, "c", kind="flat", rotator_deg=10.0)

    grouping = grouped(near, over, far)

    assert sorted(sizes(grouping)) == [2, 4]
    angles = [g.key["rotator_deg"] for g in grouping.groups if len(g.frames) == 4]
    assert angles[0] == pytest.approx(359.95)


def test_exposures_written_with_rounding_errors_are_one_group() -> None:
    # 0.1 + 0.2 is not 0.3, and a millisecond is the least that counts.
    frames = [
        make_header(f"d{i}.fits", exposure_s=e)
        for i, e in enumerate([0.3, 0.1 + 0.2, 0.3009, 0.2995])
    ]

    assert sizes(group_frames(frames)) == [4]


def test_one_and_four_milliseconds_are_two_groups() -> None:
    grouping = grouped(
        make_headers(2, "a", kind="dark flat", exposure_s=0.001),
        make_headers(2, "b", kind="dark flat", exposure_s=0.004),
    )

    assert sizes(grouping) == [2, 2]
    assert len({g.id for g in grouping.groups}) == 2


def test_uncooled_frames_cluster_by_two_degrees_of_the_measured_temperature() -> None:
    # Given a sensor that drifts from 20 to 26 °C in steps of 0.1 °C
    frames = [
        make_header(f"d{i:02d}.fits", set_temp_c=None, sensor_temp_c=20.0 + 0.1 * i)
        for i in range(61)
    ]

    grouping = group_frames(frames)

    for group in grouping.groups:
        own = [grouping.headers[p].sensor_temp_c for p in group.frames]
        assert max(own) - min(own) <= 2.0 + 1e-9  # type: ignore[type-var, operator]
        assert any("cut at the largest gap" in note for note in group.notes)
        assert group.unknown == ()
    assert 3 <= len(grouping.groups) <= 6
    assert len({g.id for g in grouping.groups}) == len(grouping.groups)


def test_frames_taken_while_cooling_down_are_a_group_of_their_own() -> None:
    settled = make_headers(5, "a", sensor_temp_c=-9.8)
    warm = [make_header("w.fits", sensor_temp_c=4.0)]

    grouping = grouped(settled, warm)

    assert sorted(sizes(grouping)) == [1, 5]
    stray = next(g for g in grouping.groups if len(g.frames) == 1)
    assert stray.key["sensor_temp_c"] == 4.0
    assert "not at the set \u221210.0\u202f°C" in stray.notes[0]
    rest = next(g for g in grouping.groups if len(g.frames) == 5)
    assert "sensor_temp_c" not in rest.key


def test_cooled_frames_whose_sensor_was_not_read_stay_with_the_others() -> None:
    grouping = grouped(make_headers(3, "a"), make_headers(2, "b", sensor_temp_c=None))

    group = only(grouping)
    assert len(group.frames) == 5
    assert group.unknown == ()


def test_without_any_temperature_the_group_says_so() -> None:
    group = only(grouped(make_headers(3, set_temp_c=None, sensor_temp_c=None)))

    assert group.unknown == ("set_temp_c",)
    assert group.notes == (
        "3 darks do not say their temperature. Nothing is assumed until you answer.",
    )


@pytest.mark.parametrize("word", ["gain", "offset", "exposure_s", "binning", "camera"])
def test_unknown_is_neither_equal_nor_different(word: str) -> None:
    grouping = grouped(make_headers(3, "a"), make_headers(2, "b", **{word: None}))

    assert sorted(sizes(grouping)) == [2, 3]
    unsaid = next(g for g in grouping.groups if len(g.frames) == 2)
    assert word not in unsaid.key
    assert word in unsaid.unknown


def test_a_group_that_does_not_say_its_offset_asks() -> None:
    group = only(grouped(make_headers(12, offset=None)))

    assert group.notes == (
        "12 darks do not say their offset. Nothing is assumed until you answer.",
    )


def test_one_frame_is_spoken_of_as_one() -> None:
    group = only(grouped(make_headers(1, offset=None)))

    assert group.notes[0].startswith("1 dark does not say its offset.")


def test_a_camera_without_settings_is_not_asked_for_them() -> None:
    group = only(grouped(make_headers(3, gain=None, offset=None, egain_e_per_adu=2.06)))

    assert group.unknown == ("gain", "offset")
    assert group.notes == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": None}, "kind is unknown"),
        ({"is_master": True}, "It is a master dark"),
        ({"calibrated": "bias taken out (SUBBIAS)"}, "calibrated already"),
        ({"unit": "e\u207b"}, "not in ADU"),
        ({"damage": "It is cut off: 5 of 9 bytes are there."}, "cut off"),
        ({"images": ()}, "no picture"),
        ({"shape": None}, "no picture"),
        ({"planes": 3}, "3 colour planes"),
    ],
)
def test_what_is_no_raw_frame_is_left_out_with_its_reason(
    changes: dict[str, Any], words: str
) -> None:
    grouping = grouped(make_headers(2, "a"), [make_header("odd.fits", **changes)])

    assert sizes(grouping) == [2]
    (left,) = grouping.ungrouped
    assert left.path.name == "odd.fits"
    assert words in left.reason
    assert left.path in grouping.headers


def test_files_that_could_not_be_read_are_kept_with_their_reasons() -> None:
    broken = LeftOut(make_header("broken.fits").path, "It is empty.")
    text = LeftOut(make_header("notes.txt").path, "A .txt file is no frame.")

    grouping = group_frames(make_headers(2), left_out=[broken], ignored=[text])

    assert grouping.ungrouped == (broken,)
    assert grouping.ignored == (text,)


def test_other_kinds_group_by_object_under_their_own_name() -> None:
    arcs = make_headers(2, "a", kind="arc", object_name="Xe")
    others = make_headers(2, "b", kind="arc", object_name="Ne")

    grouping = grouped(arcs, others)

    assert [g.kind for g in grouping.groups] == ["arc", "arc"]
    assert {g.key["object"] for g in grouping.groups} == {"Xe", "Ne"}


def test_frames_are_in_order_of_time_and_groups_in_order_of_kind() -> None:
    start = datetime(2026, 4, 17, 22, tzinfo=UTC)
    late = make_header("a.fits", observed_utc=start + timedelta(hours=1))
    early = make_header("z.fits", observed_utc=start)
    timeless = make_header("m.fits", observed_utc=None)
    kinds = [
        make_header(f"{k}.fits", kind=k) for k in ("light", "flat", "arc", "bias", "dark flat")
    ]

    grouping = group_frames([late, timeless, early, *kinds])

    assert [g.kind for g in grouping.groups] == [
        "bias",
        "dark",
        "flat",
        "dark flat",
        "light",
        "arc",
    ]
    assert [p.name for p in grouping.groups[1].frames] == ["z.fits", "a.fits", "m.fits"]


def test_ids_stay_when_a_frame_is_added_or_measured_a_little_differently() -> None:
    before = grouped(make_headers(5, sensor_temp_c=-10.02))
    after = grouped(
        make_headers(5, sensor_temp_c=-10.02), [make_header("new.fits", exposure_s=300.2)]
    )

    assert only(before).id == only(after).id
    assert only(before).id.startswith("dark-")


def test_notes_of_frames_are_told_once_with_their_count() -> None:
    odd = make_headers(2, "b", notes=("Header says Ha, folder says OIII. The header is used.",))

    group = only(grouped(make_headers(3, "a"), odd))

    assert group.notes == ("2 frames: Header says Ha, folder says OIII. The header is used.",)


def test_keys_and_tolerances_can_be_told() -> None:
    frames = [make_header("a.fits", exposure_s=300.0), make_header("b.fits", exposure_s=330.0)]

    assert sizes(group_frames(frames)) == [1, 1]
    assert sizes(group_frames(frames, Tolerances(exposure_rel=0.2))) == [2]
    assert sizes(group_frames(frames, keys={"dark": ("camera", "shape")})) == [2]


FRAMES = st.builds(
    make_header,
    name=st.uuids().map(lambda u: f"{u}.fits"),
    kind=st.sampled_from(["bias", "dark", "flat", "dark flat", "light", "arc", None]),
    exposure_s=st.sampled_from([None, 0.001, 1.0, 1.004, 300.0, 300.9]),
    gain=st.sampled_from([None, 0.0, 100.0]),
    set_temp_c=st.sampled_from([None, -10.0, -10.3, -20.0]),
    sensor_temp_c=st.none() | st.floats(-21, 25).map(lambda v: round(v, 2)),
    rotator_deg=st.sampled_from([None, 0.2, 359.9, 90.0]),
    filter=st.sampled_from([None, "Ha", "H-alpha", "OIII"]),
    night=st.sampled_from([None, date(2026, 4, 17), date(2026, 4, 18)]),
    is_master=st.sampled_from([False, False, False, True]),
)


@given(frames=st.lists(FRAMES, max_size=40, unique_by=lambda h: h.path), seed=st.integers(0, 99))
def test_every_frame_is_in_one_place_whatever_their_order(
    frames: list[FrameHeader], seed: int
) -> None:
    shuffled = frames.copy()
    random.Random(seed).shuffle(shuffled)

    grouping = group_frames(frames)

    assert grouping == group_frames(shuffled)
    placed = [p for g in grouping.groups for p in g.frames] + [u.path for u in grouping.ungrouped]
    assert sorted(placed) == sorted(h.path for h in frames)
    assert len({g.id for g in grouping.groups}) == len(grouping.groups)
    for group in grouping.groups:
        for path in group.frames:
            header = grouping.headers[path]
            assert header.kind == group.kind
            assert ("gain" in group.key) == (header.gain is not None)
