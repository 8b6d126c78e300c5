"""Whether a master fits frames, rule by rule, and which of several fits best (RULES 8).

Every rule has one of four answers, and unknown is one of them: a value that nobody wrote never
counts as equal. Where *neither* side writes a value (most CCD cameras have no gain to set) the
rule stays unknown, the master may still be used, and it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from calibstudio.domain.filters import same_filter
from calibstudio.domain.group_notes import WORDS
from calibstudio.domain.header import HeaderValue, json_value
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.quality import Verdict
from calibstudio.domain.recipe import Tolerances
from calibstudio.domain.wording import exposure, quantity, temperature

Values = Mapping[str, HeaderValue]
"""Header values by JSON word."""


class Result(StrEnum):
    """What one rule says."""

    EQUAL = "equal"
    WITHIN = "within"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """One value of the frames against the same of a master."""

    rule: str
    """JSON word, or ``state``."""
    frame: HeaderValue | None
    master: HeaderValue | None
    result: Result
    detail: str
    """One sentence."""
    blocks: bool
    """Whether the master may not be used because of it."""

    @property
    def neither(self) -> bool:
        """Neither side says it: not in the way, but worth saying."""
        return self.result is Result.UNKNOWN and not self.blocks


@dataclass(frozen=True, slots=True)
class Candidate:
    """A master, and every rule it was looked at with."""

    record: MasterRecord
    rules: tuple[Rule, ...]

    @property
    def accepted(self) -> bool:
        """Whether no rule stands in the way."""
        return not any(rule.blocks for rule in self.rules)

    @property
    def why_not(self) -> str:
        """The first rule that stands in the way, as a sentence; empty when accepted."""
        return next((rule.detail for rule in self.rules if rule.blocks), "")

    @property
    def unsaid(self) -> tuple[str, ...]:
        """What neither the frames nor the master say."""
        return tuple(WORDS.get(rule.rule, rule.rule) for rule in self.rules if rule.neither)


HARD = (
    *("shape", "detectors", "overscan", "region", "binning", "camera", "serial"),
    *("readout_mode", "gain", "offset", "bayer"),
)
"""Settings in which a master and frames must agree, whatever the kind."""
_OF_FILES = frozenset({"detectors", "overscan"})
"""Known from the files themselves, so that absence means none."""
_ORDINARY = frozenset({"region", "serial", "bayer"})
"""Absent on one side without meaning: full frame, a driver without serial numbers, mono."""


def usable_rule(record: MasterRecord) -> Rule:
    """Judge whether a master may be used at all: by a person's decision, else by its verdict."""
    state, verdict = record.state, record.verdict
    if state in (ReviewState.REJECTED, ReviewState.RETIRED):
        reason = f": {record.state_reason}" if record.state_reason else ""
        detail = f"It was {state.value}{reason}."
        return Rule("state", None, state.value, Result.DIFFERENT, detail, blocks=True)
    if state is ReviewState.NEW and verdict is Verdict.BAD:
        finding = record.assessment.worst_finding
        detail = "It is BAD and nobody approved it" + (f": {finding.what}" if finding else ".")
        return Rule("state", None, verdict.value, Result.DIFFERENT, detail, blocks=True)
    said = "approved" if state is ReviewState.APPROVED else verdict.value
    return Rule("state", None, said, Result.EQUAL, f"It is {said}.", blocks=False)


def setting_rules(frame: Values, master: Values) -> tuple[Rule, ...]:
    """Compare the settings of the camera (`HARD`)."""
    return tuple(_setting(word, frame.get(word), master.get(word)) for word in HARD)


def _setting(word: str, frame: HeaderValue | None, master: HeaderValue | None) -> Rule:
    name = WORDS.get(word, word)
    if word in _OF_FILES and (frame is None or master is None):
        return _of_files(word, name, frame, master)
    if word == "region":
        frame, master = _part_of_sensor(frame), _part_of_sensor(master)
    if word == "bayer" and (frame is None) != (master is None):
        who = "The frames" if frame is None else "The master"
        detail = f"{who} say nothing of a colour pattern."
        return Rule(word, frame, master, Result.UNKNOWN, detail, blocks=True)
    if frame is None or master is None:
        return _unknown(word, name, frame, master)
    if _same(frame, master):
        return Rule(word, frame, master, Result.EQUAL, f"Same {name}.", blocks=False)
    detail = f"Another {name}: {_say(frame)} in the frames, {_say(master)} in the master."
    return Rule(word, frame, master, Result.DIFFERENT, detail, blocks=True)


def _of_files(word: str, name: str, frame: HeaderValue | None, master: HeaderValue | None) -> Rule:
    """Compare what a file says by what it holds: absent on one side alone is a difference."""
    if frame is None and master is None:
        return Rule(word, None, None, Result.EQUAL, f"Same {name}.", blocks=False)
    said = f"{_say(frame or 'none')} in the frames, {_say(master or 'none')} in the master"
    detail = f"Another {name}: {said}."
    return Rule(word, frame, master, Result.DIFFERENT, detail, blocks=True)


def _unknown(word: str, name: str, frame: HeaderValue | None, master: HeaderValue | None) -> Rule:
    if word in _ORDINARY:
        return Rule(word, frame, master, Result.EQUAL, f"Nothing said of a {name}.", blocks=False)
    if frame is None and master is None:
        detail = f"Neither the frames nor the master say the {name}."
        return Rule(word, None, None, Result.UNKNOWN, detail, blocks=False)
    who = "The frames do" if frame is None else "The master does"
    detail = f"{who} not say the {name}."
    return Rule(word, frame, master, Result.UNKNOWN, detail, blocks=True)


def _part_of_sensor(region: HeaderValue | None) -> HeaderValue | None:
    """Where a picture begins on the sensor; the size is the shape's rule. Full frames: nothing."""
    if isinstance(region, tuple) and any(region[:2]):
        return (region[0], region[1])
    return (0, 0)


def _same(a: HeaderValue, b: HeaderValue) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= 0.001
    if isinstance(a, str) and isinstance(b, str):
        return " ".join(a.split()).casefold() == " ".join(b.split()).casefold()
    return a == b


def temperature_rule(frame: Values, master: Values, tolerances: Tolerances) -> Rule:
    """Compare set temperatures; the measured ones without them, or where they are elsewhere."""
    word = "set_temp_c"
    width = tolerances.set_temp_c
    if _away_from_set(frame, tolerances) or _away_from_set(master, tolerances):
        word, width = "sensor_temp_c", tolerances.sensor_temp_c
    elif frame.get(word) is None or master.get(word) is None:
        word, width = "sensor_temp_c", tolerances.sensor_temp_c
        if frame.get("set_temp_c") is None and master.get("set_temp_c") is None:
            width = tolerances.uncooled_temp_c
    a, b = frame.get(word), master.get(word)
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return _unknown("sensor_temp_c", "temperature", a, b)
    return _number_rule(word, float(a), float(b), width, temperature, "temperature")


def _away_from_set(values: Values, tolerances: Tolerances) -> bool:
    """Whether the sensor was not at its set point: then that says nothing of the dark current."""
    set_c, sensor_c = values.get("set_temp_c"), values.get("sensor_temp_c")
    if not isinstance(set_c, (int, float)) or not isinstance(sensor_c, (int, float)):
        return False
    return abs(sensor_c - set_c) > tolerances.sensor_temp_c


def exposure_rule(frame: Values, master: Values, tolerances: Tolerances) -> Rule:
    """Compare exposures: the same within the larger of two tolerances."""
    a, b = frame.get("exposure_s"), master.get("exposure_s")
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return _unknown("exposure_s", "exposure", a, b)
    width = exposure_tolerance_s(float(a), tolerances)
    return _number_rule("exposure_s", float(a), float(b), width, exposure, "exposure")


def exposure_tolerance_s(exposure_s: float, tolerances: Tolerances) -> float:
    """How far apart two exposures may be and count as the same."""
    return max(tolerances.exposure_abs_s, tolerances.exposure_rel * exposure_s)


def _number_rule(
    word: str, a: float, b: float, width: float, say: Callable[[float], str], name: str
) -> Rule:
    if a == b:
        return Rule(word, a, b, Result.EQUAL, f"Same {name}: {say(a)}.", blocks=False)
    said = f"{say(a)} in the frames, {say(b)} in the master"
    if abs(a - b) <= width:
        return Rule(word, a, b, Result.WITHIN, f"{name.capitalize()} {said}.", blocks=False)
    detail = f"Another {name}: {said}."
    return Rule(word, a, b, Result.DIFFERENT, detail, blocks=True)


def filter_rule(frame: Values, master: Values) -> Rule:
    """Compare filters by their meaning (``H-alpha`` is ``Ha``)."""
    a, b = frame.get("filter"), master.get("filter")
    if not isinstance(a, str) or not isinstance(b, str):
        return _unknown("filter", "filter", a, b)
    same = same_filter(a, b)
    detail = "Same filter." if same else f"Another filter: {a} in the frames, {b} in the master."
    return Rule("filter", a, b, Result.EQUAL if same else Result.DIFFERENT, detail, not same)


def candidate(
    frame: Values, record: MasterRecord, tolerances: Tolerances, *, exposure_too: bool = False
) -> Candidate:
    """Look at a bias, dark or dark flat for frames with these values.

    Parameters
    ----------
    exposure_too
        Also compare exposures (a dark for lights). Flats choose by the dark signal that would be
        left, which is another matter.
    """
    rules = [usable_rule(record), *setting_rules(frame, record.values)]
    if record.kind != "bias":
        rules.append(temperature_rule(frame, record.values, tolerances))
        if exposure_too:
            rules.append(exposure_rule(frame, record.values, tolerances))
    return Candidate(record, tuple(rules))


def ranked(
    candidates: Iterable[Candidate],
    frame: Values,
    *,
    exposure_s: float | None = None,
    at: datetime | None = None,
    first: Sequence[str] = (),
) -> list[Candidate]:
    """Return accepted candidates, the best first: always the same answer (RULES 8).

    By exposure distance, temperature distance, distance in time, quality, number of frames, the
    newest, and at last the hash.

    Parameters
    ----------
    exposure_s
        Of the frames; None: not compared.
    at
        When the frames were taken; None: not compared.
    first
        Hashes of masters that come before others at the same exposure distance (those built in
        this run).
    """

    def order(c: Candidate) -> tuple[object, ...]:
        r = c.record
        middle = r.observed_mid_utc
        return (
            _distance(exposure_s, r.values.get("exposure_s")),
            r.sha256 not in first,
            _distance(_temperature(frame), _temperature(r.values)),
            0.0 if at is None or middle is None else abs((middle - at).total_seconds()) // 43_200,
            r.verdict.severity,
            -r.n_combined,
            -(middle or _LONG_AGO).timestamp(),
            r.sha256,
        )

    return sorted((c for c in candidates if c.accepted), key=order)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _distance(a: HeaderValue | None, b: HeaderValue | None) -> float:
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return 0.0 if a is None else float("inf")
    return round(abs(a - b), 6)


def _temperature(values: Values) -> HeaderValue | None:
    found = values.get("set_temp_c")
    return values.get("sensor_temp_c") if found is None else found


def _say(value: HeaderValue) -> str:
    if isinstance(value, float):
        return quantity(value, "", 0 if value.is_integer() else 2)
    return str(json_value(value))
