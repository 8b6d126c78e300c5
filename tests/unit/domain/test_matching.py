"""Whether a master fits: four answers, unknown one of them, and always the same ranking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.matching import (
    HARD,
    Result,
    candidate,
    exposure_rule,
    filter_rule,
    ranked,
    setting_rules,
    temperature_rule,
    usable_rule,
)
from calibstudio.domain.quality import Assessment, Finding, Verdict
from calibstudio.domain.recipe import Tolerances

VALUES: dict[str, Any] = {
    "shape": (100, 200),
    "binning": (1, 1),
    "camera": "Camera One",
    "readout_mode": "High gain",
    "gain": 100.0,
    "offset": 8.0,
    "set_temp_c": -10.0,
    "exposure_s": 10.0,
}
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def make_record(kind: str = "dark", sha: str = "a", **changes: Any) -> MasterRecord:
    values = {**VALUES, **{w: changes.pop(w) for w in list(changes) if w in VALUES or w in HARD}}
    values = {word: value for word, value in values.items() if value is not None}
    fields: dict[str, Any] = {
        "sha256": sha * 64,
        "path": Path(f"{sha}.fits"),
        "kind": kind,
        "key": values,
        "n_frames": 20,
        "n_combined": 20,
        "unit": "adu",
        "bias_subtracted": False,
        "observed_first_utc": NOON,
        "observed_last_utc": NOON,
        "values": values,
    }
    return MasterRecord(**{**fields, **changes})


def with_verdict(verdict: Verdict) -> Assessment:
    return Assessment((), (Finding(verdict, "x", f"A {verdict.value} thing."),))


@pytest.mark.parametrize(
    ("word", "frame", "master", "result", "blocks"),
    [
        ("gain", 100.0, 100.0, Result.EQUAL, False),
        ("gain", 100.0, 120.0, Result.DIFFERENT, True),
        ("gain", 100.0, None, Result.UNKNOWN, True),
        ("gain", None, 100.0, Result.UNKNOWN, True),
        ("gain", None, None, Result.UNKNOWN, False),
        ("camera", "camera one", "Camera  One", Result.EQUAL, False),
        ("camera", None, "Camera One", Result.UNKNOWN, True),
        ("serial", "17", None, Result.EQUAL, False),
        ("serial", "17", "18", Result.DIFFERENT, True),
        ("shape", (100, 200), (100, 201), Result.DIFFERENT, True),
        ("binning", (1, 1), (2, 2), Result.DIFFERENT, True),
        ("region", (0, 0, 200, 100), None, Result.EQUAL, False),
        ("region", (8, 0, 200, 100), None, Result.DIFFERENT, True),
        ("region", (8, 0, 200, 100), (8, 0, 200, 100), Result.EQUAL, False),
        ("bayer", None, None, Result.EQUAL, False),
        ("bayer", "RGGB", "RGGB", Result.EQUAL, False),
        ("bayer", "RGGB", "GRBG", Result.DIFFERENT, True),
        ("bayer", "RGGB", None, Result.UNKNOWN, True),
    ],
)
def test_a_setting_is_equal_different_or_unknown(
    word: str, frame: object, master: object, result: Result, blocks: bool
) -> None:
    rules = setting_rules({**VALUES, word: frame}, {**VALUES, word: master})  # type: ignore[dict-item]

    rule = next(r for r in rules if r.rule == word)
    assert (rule.result, rule.blocks) == (result, blocks)
    assert rule.detail.endswith(".")


def test_what_neither_side_says_is_no_obstacle_but_is_said() -> None:
    values = {k: v for k, v in VALUES.items() if k not in ("gain", "offset")}

    found = candidate(values, make_record(gain=None, offset=None), Tolerances())

    assert found.accepted
    assert found.unsaid == ("gain", "offset")


@pytest.mark.parametrize(
    ("frame", "master", "result"),
    [
        ({"set_temp_c": -10.0}, {"set_temp_c": -10.0}, Result.EQUAL),
        ({"set_temp_c": -10.0}, {"set_temp_c": -10.4}, Result.WITHIN),
        ({"set_temp_c": -10.0}, {"set_temp_c": -11.0}, Result.DIFFERENT),
        ({"sensor_temp_c": 20.0}, {"sensor_temp_c": 21.9}, Result.WITHIN),
        ({"sensor_temp_c": 20.0}, {"sensor_temp_c": 23.0}, Result.DIFFERENT),
        ({"set_temp_c": -10.0, "sensor_temp_c": -10.0}, {"sensor_temp_c": -11.4}, Result.WITHIN),
        ({"set_temp_c": -10.0, "sensor_temp_c": -10.0}, {"sensor_temp_c": -11.6}, Result.DIFFERENT),
        ({"set_temp_c": -10.0}, {}, Result.UNKNOWN),
        # A sensor that was never at its set point: the set point says nothing of its darks.
        (
            {"set_temp_c": -10.0, "sensor_temp_c": -10.0},
            {"set_temp_c": -10.0, "sensor_temp_c": 4.0},
            Result.DIFFERENT,
        ),
        (
            {"set_temp_c": 5.0, "sensor_temp_c": 5.1},
            {"set_temp_c": -10.0, "sensor_temp_c": 4.0},
            Result.WITHIN,
        ),
        ({}, {}, Result.UNKNOWN),
    ],
)
def test_temperatures_compare_set_points_else_the_sensor(
    frame: dict[str, float], master: dict[str, float], result: Result
) -> None:
    assert temperature_rule(frame, master, Tolerances()).result is result


def test_exposures_are_the_same_within_the_larger_tolerance() -> None:
    def rule(a: float, b: float) -> Result:
        return exposure_rule({"exposure_s": a}, {"exposure_s": b}, Tolerances()).result

    assert rule(300.0, 301.4) is Result.WITHIN
    assert rule(300.0, 302.0) is Result.DIFFERENT
    assert rule(0.01, 0.0109) is Result.WITHIN
    assert rule(10.0, 10.0) is Result.EQUAL


def test_filters_are_compared_by_meaning() -> None:
    assert filter_rule({"filter": "H-alpha"}, {"filter": "Ha"}).result is Result.EQUAL
    assert filter_rule({"filter": "r"}, {"filter": "R"}).result is Result.DIFFERENT
    assert filter_rule({}, {"filter": "R"}).blocks


@pytest.mark.parametrize(
    ("verdict", "state", "usable"),
    [
        (Verdict.GOOD, ReviewState.NEW, True),
        (Verdict.WARN, ReviewState.NEW, True),
        (Verdict.BAD, ReviewState.NEW, False),
        (Verdict.BAD, ReviewState.APPROVED, True),
        (Verdict.GOOD, ReviewState.REJECTED, False),
        (Verdict.GOOD, ReviewState.RETIRED, False),
    ],
)
def test_a_persons_decision_counts_more_than_the_verdict(
    verdict: Verdict, state: ReviewState, usable: bool
) -> None:
    record = make_record(assessment=with_verdict(verdict), state=state, state_reason="dew")

    rule = usable_rule(record)

    assert rule.blocks is not usable
    if state in (ReviewState.REJECTED, ReviewState.RETIRED):
        assert "dew" in rule.detail


def test_a_bias_needs_no_temperature_and_a_dark_does() -> None:
    warm = {**VALUES, "set_temp_c": 10.0}

    assert candidate(warm, make_record("bias"), Tolerances()).accepted
    dark = candidate(warm, make_record("dark"), Tolerances())
    assert not dark.accepted
    assert "temperature" in dark.why_not


def test_exposure_counts_only_where_it_is_asked_for() -> None:
    other = {**VALUES, "exposure_s": 60.0}

    assert candidate(other, make_record(), Tolerances()).accepted
    assert not candidate(other, make_record(), Tolerances(), exposure_too=True).accepted


def test_the_best_comes_first_and_ties_are_always_broken_the_same_way() -> None:
    good = make_record(sha="1")
    records = [
        make_record(sha="9", exposure_s=11.0),
        make_record(sha="8", set_temp_c=-10.3),
        make_record(
            sha="7",
            observed_first_utc=NOON - timedelta(days=9),
            observed_last_utc=NOON - timedelta(days=9),
        ),
        make_record(sha="6", assessment=with_verdict(Verdict.WARN)),
        make_record(sha="5", n_combined=10),
        make_record(sha="2"),
        good,
    ]
    found = [candidate(VALUES, r, Tolerances()) for r in records]

    order = [c.record.sha256[0] for c in ranked(found, VALUES, exposure_s=10.0, at=NOON)]
    again = [c.record.sha256[0] for c in ranked(found[::-1], VALUES, exposure_s=10.0, at=NOON)]

    assert order == again == ["1", "2", "5", "6", "7", "8", "9"]


def test_masters_of_this_run_come_first_at_the_same_exposure() -> None:
    old, new = make_record(sha="1"), make_record(sha="2")
    found = [candidate(VALUES, r, Tolerances()) for r in (old, new)]

    order = ranked(found, VALUES, exposure_s=10.0, first=["2" * 64])

    assert order[0].record is new


def test_what_is_not_accepted_is_not_ranked() -> None:
    found = [candidate(VALUES, replace(make_record(), state=ReviewState.RETIRED), Tolerances())]

    assert ranked(found, VALUES) == []


def test_a_bad_pixel_map_is_of_a_setting_and_a_temperature_and_of_any_exposure() -> None:
    lights = {**VALUES, "exposure_s": 300.0}

    fits = candidate(lights, make_record("bpm"), Tolerances())
    warm = candidate(lights, make_record("bpm", set_temp_c=5.0), Tolerances())
    other = candidate(lights, make_record("bpm", gain=200.0), Tolerances())

    assert fits.accepted
    assert not warm.accepted and "Another temperature" in warm.why_not
    assert not other.accepted and "Another gain" in other.why_not
