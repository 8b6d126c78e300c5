"""Whether a master flat fits lights: beside the camera's settings its filter, train and night.

What only one side says of the optical train (a capture program without a telescope writes none of
it) does not stand in the way, but is said: else no flat of such a program would ever fit.
"""

from __future__ import annotations

from datetime import date, datetime

from calibstudio.domain.group_notes import WORDS
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.matching import (
    Candidate,
    Result,
    Rule,
    Values,
    filter_rule,
    ranked,
    setting_rules,
    usable_rule,
)
from calibstudio.domain.recipe import Tolerances
from calibstudio.domain.wording import count, quantity

_NEVER = 10**9
"""Nights between two of which one is not known."""


def train_rules(frame: Values, master: Values, tolerances: Tolerances) -> tuple[Rule, ...]:
    """Compare telescope, focal length and rotator angle."""
    return (
        _telescope(frame.get("telescope"), master.get("telescope")),
        _focal_length(frame.get("focal_length_mm"), master.get("focal_length_mm"), tolerances),
        _rotator(frame.get("rotator_deg"), master.get("rotator_deg"), tolerances),
    )


def night_rule(frame: Values, master: Values) -> Rule:
    """Compare nights: flats of another night may serve, and it is said how far away it is."""
    a, b = frame.get("night"), master.get("night")
    apart = nights_apart(a, b)
    if apart is None:
        return Rule("night", a, b, Result.UNKNOWN, "A night is not known.", blocks=False)
    if apart == 0:
        return Rule("night", a, b, Result.EQUAL, "Same night.", blocks=False)
    detail = f"The flats were taken {count(apart, 'night')} away from the lights."
    return Rule("night", a, b, Result.WITHIN, detail, blocks=False)


def nights_apart(a: HeaderValue | None, b: HeaderValue | None) -> int | None:
    """Return the nights between two; None where one is not known."""
    if not isinstance(a, date) or not isinstance(b, date):
        return None
    return abs((b - a).days)


def flat_candidate(frame: Values, record: MasterRecord, tolerances: Tolerances) -> Candidate:
    """Look at a flat for lights with these values (RULES 8)."""
    rules = (
        usable_rule(record),
        *setting_rules(frame, record.values),
        filter_rule(frame, record.values),
        *train_rules(frame, record.values, tolerances),
        night_rule(frame, record.values),
    )
    return Candidate(record, rules)


def ranked_flats(
    candidates: list[Candidate], frame: Values, at: datetime | None
) -> list[Candidate]:
    """Return accepted flats, those of the nearest night first; else as `ranked`."""
    without = {w: v for w, v in frame.items() if w not in ("set_temp_c", "sensor_temp_c")}

    def night(found: Candidate) -> int:
        apart = nights_apart(frame.get("night"), found.record.values.get("night"))
        return _NEVER if apart is None else apart

    return sorted(ranked(candidates, without, at=at), key=night)


def _telescope(a: HeaderValue | None, b: HeaderValue | None) -> Rule:
    if a is None or b is None:
        return _unsaid("telescope", a, b)
    if str(a).split() == str(b).split() or str(a).casefold() == str(b).casefold():
        return Rule("telescope", a, b, Result.EQUAL, "Same telescope.", blocks=False)
    detail = f"Another telescope: {a} in the frames, {b} in the master."
    return Rule("telescope", a, b, Result.DIFFERENT, detail, blocks=True)


def _focal_length(a: HeaderValue | None, b: HeaderValue | None, tolerances: Tolerances) -> Rule:
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return _unsaid("focal_length_mm", a, b)
    return _compared(
        "focal_length_mm",
        (a, b),
        abs(a - b),
        tolerances.focal_length_rel * max(abs(a), abs(b)),
        "mm",
    )


def _rotator(a: HeaderValue | None, b: HeaderValue | None, tolerances: Tolerances) -> Rule:
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return _unsaid("rotator_deg", a, b)
    apart = abs((a - b + 180.0) % 360.0 - 180.0)
    return _compared("rotator_deg", (a, b), apart, tolerances.rotator_deg, "°")


def _compared(
    word: str, values: tuple[float, float], apart: float, width: float, unit: str
) -> Rule:
    a, b = values
    name = WORDS[word]
    if apart == 0:
        return Rule(word, a, b, Result.EQUAL, f"Same {name}.", blocks=False)
    said = f"{quantity(a, unit, 1)} in the frames, {quantity(b, unit, 1)} in the master"
    if apart <= width:
        detail = f"{name.capitalize()} {said}."
        return Rule(word, a, b, Result.WITHIN, detail, blocks=False)
    return Rule(word, a, b, Result.DIFFERENT, f"Another {name}: {said}.", blocks=True)


def _unsaid(word: str, a: HeaderValue | None, b: HeaderValue | None) -> Rule:
    name = WORDS[word]
    if a is None and b is None:
        return Rule(word, None, None, Result.EQUAL, f"Nothing said of a {name}.", blocks=False)
    who = "The frames do" if a is None else "The master does"
    return Rule(word, a, b, Result.UNKNOWN, f"{who} not say the {name}.", blocks=False)
