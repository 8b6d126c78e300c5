"""Groups changed by hand: pure, undoable, and applied again after a re-scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calibstudio.domain.changes import Action, ManualChanges
from calibstudio.domain.changes_json import changes_from_json, changes_to_json
from calibstudio.domain.errors import CalibrationError, UsageError
from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.regroup import (
    apply_changes,
    automatic,
    corrected,
    excluded,
    included,
    merged,
    moved,
    renamed,
    split,
)
from tests.helpers.headers import make_header, make_headers

WHEN = datetime(2026, 4, 18, 9, tzinfo=UTC)


@pytest.fixture
def grouping() -> Grouping:
    """Three darks of 300 s, two of 60 s, two flats, and a frame that says no kind."""
    return group_frames(
        [
            *make_headers(3, "long", exposure_s=300.0),
            *make_headers(2, "short", exposure_s=60.0),
            *make_headers(2, "flat", kind="flat"),
            make_header("odd.fits", kind=None),
            make_header("small.fits", kind="dark", shape=(2, 2)),
        ]
    )


def path(name: str) -> Path:
    return Path("/night") / name


def group(grouping: Grouping, *names: str) -> Group:
    """The group that holds exactly these files."""
    wanted = {path(n) for n in names}
    return next(g for g in grouping.groups if set(g.frames) == wanted)


def names(grouping: Grouping) -> set[frozenset[str]]:
    return {frozenset(p.name for p in g.frames) for g in grouping.groups}


LONG = ("long00.fits", "long01.fits", "long02.fits")
SHORT = ("short00.fits", "short01.fits")


def test_moved_frames_are_in_their_new_group_only(grouping: Grouping) -> None:
    target = group(grouping, *LONG)

    after = moved(grouping, [path("short00.fits")], target.id, when=WHEN, why="mislabelled")

    assert frozenset({*LONG, "short00.fits"}) in names(after)
    assert frozenset({"short01.fits"}) in names(after)
    assert after.group(target.id).key == target.key
    assert after.group(target.id).notes == ("By hand: 1 frame moved here, different in exposure.",)
    change = after.changes.records[0]
    assert (change.action, change.when_utc, change.why) == (Action.MOVED, WHEN, "mislabelled")
    # The value before is untouched, so undo is going back to it.
    assert names(grouping) != names(after)
    assert not grouping.changes


def test_a_group_whose_frames_all_moved_vanishes(grouping: Grouping) -> None:
    after = moved(grouping, [path(n) for n in SHORT], group(grouping, *LONG).id)

    assert frozenset(SHORT) not in names(after)
    assert frozenset({*LONG, *SHORT}) in names(after)


def test_a_frame_of_unknown_kind_can_be_moved_into_a_group(grouping: Grouping) -> None:
    after = moved(grouping, [path("odd.fits")], group(grouping, *LONG).id)

    assert frozenset({*LONG, "odd.fits"}) in names(after)
    assert path("odd.fits") not in {u.path for u in after.ungrouped}
    assert group(after, *LONG, "odd.fits").notes == (
        "By hand: 1 frame moved here, different in kind.",
    )


def test_frames_of_another_size_cannot_be_moved(grouping: Grouping) -> None:
    with pytest.raises(
        CalibrationError, match=r"small\.fits has 2 × 2 pixels, the group has 6 × 4"
    ):
        moved(grouping, [path("small.fits")], group(grouping, *LONG).id)


def test_split_frames_make_a_group_of_their_own(grouping: Grouping) -> None:
    source = group(grouping, *LONG)

    after = split(grouping, source.id, [path("long01.fits")], when=WHEN)

    assert frozenset({"long00.fits", "long02.fits"}) in names(after)
    part = group(after, "long01.fits")
    assert part.id != source.id
    assert part.key == source.key
    assert after.group(source.id).frames == (path("long00.fits"), path("long02.fits"))


def test_merged_groups_are_the_first_of_them(grouping: Grouping) -> None:
    long, short = group(grouping, *LONG), group(grouping, *SHORT)

    after = merged(grouping, [long.id, short.id])

    assert after.group(long.id).frames == (*long.frames, *short.frames)
    assert short.id not in {g.id for g in after.groups}
    assert "exposure" in after.group(long.id).notes[0]


def test_groups_of_different_sizes_cannot_be_merged(grouping: Grouping) -> None:
    with pytest.raises(CalibrationError, match="the group has 6 × 4"):
        merged(grouping, [group(grouping, *LONG).id, group(grouping, "small.fits").id])


def test_excluded_frames_stay_in_their_group_but_are_not_stacked(grouping: Grouping) -> None:
    after = excluded(grouping, [path("long01.fits")], "Cloud.", when=WHEN)
    long = group(after, *LONG)

    assert after.excluded == {path("long01.fits"): "Cloud."}
    assert after.stacked(long) == (path("long00.fits"), path("long02.fits"))
    back = included(after, [path("long01.fits")])
    assert back.excluded == {}
    assert not back.changes


def test_a_name_is_kept_and_an_empty_one_brings_the_automatic_back(grouping: Grouping) -> None:
    long = group(grouping, *LONG)

    after = renamed(grouping, long.id, "  My   darks ")
    back = renamed(after, long.id, "")

    assert group_title(after.group(long.id)) == "My darks"
    assert group_title(back.group(long.id)) == group_title(long)
    assert not back.changes


def test_a_corrected_value_regroups_and_the_file_stays_as_it_was(grouping: Grouping) -> None:
    short = path("short00.fits")

    after = corrected(grouping, [short], {"exposure_s": 300.0}, when=WHEN, why="wrong name")

    assert frozenset({*LONG, "short00.fits"}) in names(after)
    assert after.headers[short].exposure_s == 300.0
    assert after.as_read[short].exposure_s == 60.0
    assert after.changes.corrections() == {short: {"exposure_s": 300.0}}
    back = corrected(after, [short], {"exposure_s": None})
    assert names(back) == names(grouping)
    assert back.headers[short] == grouping.headers[short]


def test_a_corrected_kind_brings_a_frame_into_its_group(grouping: Grouping) -> None:
    after = corrected(grouping, [path("odd.fits")], {"kind": "dark"})

    assert frozenset({*LONG, "odd.fits"}) in names(after)


def test_a_second_correction_takes_the_place_of_the_first(grouping: Grouping) -> None:
    once = corrected(grouping, [path("short00.fits")], {"exposure_s": 100.0})
    twice = corrected(once, [path("short00.fits")], {"exposure_s": 300.0})

    assert len(twice.changes) == 1
    assert twice.headers[path("short00.fits")].exposure_s == 300.0


def test_other_changes_outlive_a_correction(grouping: Grouping) -> None:
    after = excluded(grouping, [path("long00.fits")], "Cloud.")
    after = renamed(after, group(after, *LONG).id, "Mine")
    after = corrected(after, [path("short00.fits")], {"exposure_s": 300.0})

    assert after.excluded == {path("long00.fits"): "Cloud."}
    assert group(after, *LONG, "short00.fits").name == "Mine"


@pytest.mark.parametrize(
    "nothing",
    [
        lambda g, a, b: moved(g, [], a),
        lambda g, a, b: moved(g, [path(LONG[0])], a),
        lambda g, a, b: split(g, a, []),
        lambda g, a, b: split(g, a, [path(n) for n in LONG]),
        lambda g, a, b: merged(g, [a]),
        lambda g, a, b: merged(g, [a, a]),
        lambda g, a, b: excluded(g, [], "x"),
        lambda g, a, b: included(g, [path(LONG[0])]),
        lambda g, a, b: renamed(g, a, ""),
        lambda g, a, b: corrected(g, [path(LONG[0])], {"exposure_s": 300.0}),
        lambda g, a, b: corrected(g, [path(LONG[0])], {"gain": None}),
        lambda g, a, b: corrected(g, [path(LONG[0])], {}),
        lambda g, a, b: apply_changes(g, ManualChanges()),
    ],
)
def test_a_change_that_does_nothing_is_the_same_object(
    grouping: Grouping, nothing: Callable[[Grouping, str, str], Grouping]
) -> None:
    a, b = group(grouping, *LONG).id, group(grouping, *SHORT).id

    assert nothing(grouping, a, b) is grouping


def test_excluding_again_for_the_same_reason_is_nothing(grouping: Grouping) -> None:
    after = excluded(grouping, [path(LONG[0])], "Cloud.")

    assert excluded(after, [path(LONG[0])], "Cloud.") is after
    assert excluded(after, [path(LONG[0])], "Satellite.").excluded[path(LONG[0])] == "Satellite."


@pytest.mark.parametrize(
    "wrong",
    [
        lambda g, a: moved(g, [path(LONG[0])], "no-such-group"),
        lambda g, a: moved(g, [path("nowhere.fits")], a),
        lambda g, a: split(g, a, [path(SHORT[0])]),
        lambda g, a: renamed(g, "no-such-group", "x"),
        lambda g, a: excluded(g, [path("nowhere.fits")], "x"),
    ],
)
def test_what_does_not_exist_is_a_mistake_of_the_caller(
    grouping: Grouping, wrong: Callable[[Grouping, str], Grouping]
) -> None:
    with pytest.raises(KeyError):
        wrong(grouping, group(grouping, *LONG).id)


def _changed_by_hand(grouping: Grouping) -> Grouping:
    long, short = group(grouping, *LONG), group(grouping, *SHORT)
    after = corrected(grouping, [path("odd.fits")], {"kind": "flat"}, when=WHEN, why="seen")
    after = moved(after, [path("short00.fits")], long.id, when=WHEN)
    after = split(after, long.id, [path("long02.fits")], when=WHEN)
    after = excluded(after, [path("long00.fits")], "Cloud.", when=WHEN)
    after = renamed(after, short.id, "Rest", when=WHEN)
    flats = next(g for g in after.groups if g.kind == "flat")
    return merged(after, [long.id, flats.id], when=WHEN)


def test_changes_are_applied_again_to_a_new_scan(grouping: Grouping) -> None:
    by_hand = _changed_by_hand(grouping)
    scanned = group_frames(automatic(by_hand).headers.values())

    again = apply_changes(scanned, by_hand.changes)

    assert again.groups == by_hand.groups
    assert again.excluded == by_hand.excluded
    assert again.headers == by_hand.headers
    assert again.changes == by_hand.changes
    assert automatic(again) == grouping


def test_changes_survive_frames_that_come_and_go(grouping: Grouping) -> None:
    by_hand = moved(grouping, [path("short00.fits")], group(grouping, *LONG).id)
    headers = [h for p, h in grouping.headers.items() if p.name not in ("long00.fits", "odd.fits")]
    headers += make_headers(2, "new", exposure_s=300.4)

    again = apply_changes(group_frames(headers), by_hand.changes)

    expected = {"long01.fits", "long02.fits", "short00.fits", "new00.fits", "new01.fits"}
    assert frozenset(expected) in names(again)
    assert again.changes == by_hand.changes
    without = apply_changes(group_frames(make_headers(2, "flat", kind="flat")), by_hand.changes)
    assert names(without) == {frozenset({"flat00.fits", "flat01.fits"})}
    assert without.changes == by_hand.changes


def test_a_group_is_found_by_its_frames_when_its_id_changed(grouping: Grouping) -> None:
    long = group(grouping, *LONG)
    by_hand = renamed(grouping, long.id, "Mine")
    # Given the same files, whose camera is now written otherwise
    headers = [replace(h, camera="ZWO ASI2600MM") for h in grouping.headers.values()]

    again = apply_changes(group_frames(headers), by_hand.changes)

    assert group(again, *LONG).id != long.id
    assert group(again, *LONG).name == "Mine"


def test_corrections_that_a_scan_already_applied_are_not_applied_twice(grouping: Grouping) -> None:
    by_hand = corrected(grouping, [path("short00.fits")], {"exposure_s": 300.0})

    again = apply_changes(by_hand, by_hand.changes)

    assert again.headers == by_hand.headers
    assert again.groups == by_hand.groups


def test_changes_go_to_json_and_back(grouping: Grouping) -> None:
    import json

    changes = _changed_by_hand(grouping).changes

    back = changes_from_json(json.loads(json.dumps(changes_to_json(changes))))

    assert back == changes
    assert len(back) == 6


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"version": 1},
        {"version": 99, "changes": []},
        {"version": 1, "changes": [{}]},
        {"version": 1, "changes": [{"action": "exploded"}]},
        {"version": 1, "changes": [{"action": "moved", "group": {"id": 1}}]},
        {"version": 1, "changes": ["moved"]},
        {"version": 1, "changes": [{"action": "corrected", "values": {"gain": {"x": 1}}}]},
    ],
)
def test_what_are_no_changes_is_refused_in_words(document: object) -> None:
    with pytest.raises(UsageError) as caught:
        changes_from_json(document)

    assert caught.value.hint
