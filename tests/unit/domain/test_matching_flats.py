"""Which flat fits which lights: filter, train, night; and what is only said."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from calibstudio.domain.matching import Candidate, Result
from calibstudio.domain.matching_flats import flat_candidate, ranked_flats
from calibstudio.domain.recipe import Tolerances
from tests.unit.domain.test_matching import VALUES, make_record

LIGHT: dict[str, Any] = {
    **VALUES,
    "exposure_s": 300.0,
    "filter": "Ha",
    "telescope": "RC 10",
    "focal_length_mm": 2000.0,
    "rotator_deg": 359.8,
    "night": date(2025, 6, 1),
}


def look_at(sha: str = "a", **flat: Any) -> Candidate:
    record = make_record("flat", sha)
    values = {**LIGHT, "exposure_s": 2.0, **flat}
    values = {word: value for word, value in values.items() if value is not None}
    from dataclasses import replace

    return flat_candidate(LIGHT, replace(record, values=values, unit=""), Tolerances())


@pytest.mark.parametrize(
    ("word", "value", "result", "blocks"),
    [
        ("filter", "H-alpha", Result.EQUAL, False),
        ("filter", "OIII", Result.DIFFERENT, True),
        ("filter", None, Result.UNKNOWN, True),
        ("telescope", "rc 10", Result.EQUAL, False),
        ("telescope", "RC 12", Result.DIFFERENT, True),
        ("telescope", None, Result.UNKNOWN, False),
        ("focal_length_mm", 2015.0, Result.WITHIN, False),
        ("focal_length_mm", 2030.0, Result.DIFFERENT, True),
        ("focal_length_mm", None, Result.UNKNOWN, False),
        ("rotator_deg", 0.6, Result.WITHIN, False),
        ("rotator_deg", 1.2, Result.DIFFERENT, True),
        ("rotator_deg", 179.8, Result.DIFFERENT, True),
        ("night", date(2025, 6, 1), Result.EQUAL, False),
        ("night", date(2025, 6, 4), Result.WITHIN, False),
        ("gain", 120.0, Result.DIFFERENT, True),
    ],
)
def test_each_rule_says_what_it_is(word: str, value: Any, result: Result, blocks: bool) -> None:
    rule = next(r for r in look_at(**{word: value}).rules if r.rule == word)

    assert (rule.result, rule.blocks) == (result, blocks)
    assert rule.detail.endswith(".")


def test_the_temperature_of_the_lights_does_not_matter_to_a_flat() -> None:
    assert look_at(set_temp_c=20.0).accepted


def test_the_nearest_night_comes_first_before_or_after() -> None:
    found = [
        look_at("a", night=date(2025, 5, 28)),
        look_at("b", night=date(2025, 6, 3)),
        look_at("c", night=None),
    ]

    order = [c.record.sha256[0] for c in ranked_flats(found, LIGHT, None)]

    assert order == ["b", "a", "c"]
