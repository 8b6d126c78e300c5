"""What lights need to be calibrated, and how much of it the library has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from calibstudio.domain.drafts import BIAS_COUNT, DARK_COUNT, FLAT_COUNT
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.kinds import BPM, FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.matching import Candidate, Result
from calibstudio.domain.matching_flats import nights_apart
from calibstudio.domain.run_config import CameraWish
from calibstudio.domain.wording import count

NEED_KINDS = (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT, FrameKind.DARK_FLAT, BPM)
USUAL_FRAMES: Mapping[str, int] = {
    FrameKind.BIAS: BIAS_COUNT,
    FrameKind.DARK: DARK_COUNT,
    FrameKind.FLAT: FLAT_COUNT,
    FrameKind.DARK_FLAT: FLAT_COUNT,
}
"""Good frames of a set, unless told."""
USUAL_MAX_AGE_DAYS: Mapping[str, int] = {
    FrameKind.BIAS: 180,
    FrameKind.DARK: 180,
    FrameKind.FLAT: 30,
    FrameKind.DARK_FLAT: 180,
    BPM: 180,
}
"""A master that is further from the lights in time is stale, unless told."""


class NeedState(StrEnum):
    """How much of a need is there."""

    EXACT = "exact"
    WITHIN = "within tolerance"
    FRAMES = "frames on disk"
    """Raw frames that fit are among the files; their master is not built yet."""
    STALE = "stale"
    MISSING = "missing"

    @property
    def is_gap(self) -> bool:
        """Whether something is to be done about it."""
        return self in (NeedState.STALE, NeedState.MISSING)


class Choice(StrEnum):
    """What a plan takes."""

    FILL = "fill"
    """What is missing."""
    REFRESH = "refresh"
    """And what is stale."""
    REBUILD = "rebuild"
    """Everything, also what is there."""
    CUSTOM = "custom"
    """What the operator chose."""


@dataclass(frozen=True, slots=True)
class Need:
    """One master that some lights need."""

    id: str
    kind: str
    title: str
    """As groups are called: ``Dark · 300 s · −10 °C``."""
    key: Mapping[str, HeaderValue]
    """What tells it apart, by JSON word."""
    lights: int
    """Lights that need it."""
    state: NeedState
    reason: str
    """In words."""
    frames: int
    """Good frames to take for it; 0 for what is made of others."""
    camera: CameraWish = field(default_factory=CameraWish)
    """How the camera is set for them."""
    master: MasterRecord | None = None
    candidates: tuple[Candidate, ...] = ()
    """The best first, then those that do not fit."""
    exposures_s: tuple[float, ...] = ()
    """Of dark flats: of the set; of flats: what is expected. Empty: not known."""
    follows: tuple[str, ...] = ()
    """Ids of flats that are yet to be taken: without them it is not needed."""

    @property
    def can_be_taken(self) -> bool:
        """Whether frames can be taken for it."""
        return self.frames > 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What the library has for one need."""

    state: NeedState
    reason: str
    master: MasterRecord | None
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """When lights were taken: what a master's age is counted from."""

    at: datetime | None = None
    night: HeaderValue | None = None


def chosen_ids(needs: Iterable[Need], choice: Choice, custom: Collection[str] = ()) -> set[str]:
    """Return the ids of what a plan takes; dark flats go with their flats."""
    wanted = {
        need.id
        for need in needs
        if need.can_be_taken and not need.follows and _is_wanted(need, choice, custom)
    }
    return wanted | {n.id for n in needs if n.follows and wanted & set(n.follows)}


def _is_wanted(need: Need, choice: Choice, custom: Collection[str]) -> bool:
    if choice is Choice.CUSTOM:
        return need.id in custom
    if choice is Choice.REBUILD:
        return True
    return need.state is NeedState.MISSING or (
        choice is Choice.REFRESH and need.state is NeedState.STALE
    )


def judge_need(
    kind: str,
    accepted: Sequence[Candidate],
    others: Sequence[Candidate],
    when: Moment,
    max_age_days: int,
) -> Judged:
    """Say how much of a need the library has, and why.

    Parameters
    ----------
    accepted
        Masters that fit, the best first.
    others
        Masters of the kind that do not.
    """
    looked_at = (*accepted, *nearest_first(others))
    fresh = [c for c in accepted if (age_days(c.record, when) or 0) <= max_age_days]
    if fresh:
        best = fresh[0]
        stretched = stretches(best)
        state = NeedState.WITHIN if stretched else NeedState.EXACT
        reason = f"{best.record.path.name}: {' '.join(stretched) or 'the same in everything.'}"
        return Judged(state, reason + _unsaid(best), best.record, looked_at)
    if accepted:
        best = accepted[0]
        days = count(age_days(best.record, when) or 0, "day")
        reason = f"{best.record.path.name} is {days} away from the lights; the limit is "
        reason += f"{count(max_age_days, 'day')}."
        return Judged(NeedState.STALE, reason, best.record, looked_at)
    if not others:
        name = "bad-pixel map" if kind == BPM else f"master {kind}"
        return Judged(NeedState.MISSING, f"The library has no {name}.", None)
    nearest = nearest_first(others)[0]
    reason = f"The nearest, {nearest.record.path.name}, does not fit. {nearest.why_not}"
    return Judged(NeedState.MISSING, reason, None, looked_at)


def stretches(found: Candidate) -> list[str]:
    """Return what is not the same but allowed, one sentence each."""
    return [
        rule.detail
        for rule in found.rules
        if rule.result is Result.WITHIN
        or (rule.result is Result.UNKNOWN and (rule.frame is None) != (rule.master is None))
    ]


def age_days(record: MasterRecord, when: Moment) -> int | None:
    """Return how many days a master is away from the lights, before or after; flats in nights."""
    if record.kind == FrameKind.FLAT:
        nights = nights_apart(record.values.get("night"), when.night)
        if nights is not None:
            return nights
    middle = record.observed_mid_utc
    if when.at is None or middle is None:
        return None
    return int(abs((middle - when.at).total_seconds()) // 86_400)


def nearest_first(others: Sequence[Candidate]) -> list[Candidate]:
    """Order masters that do not fit: by how much differs, by exposure distance, by hash."""
    return sorted(
        others,
        key=lambda c: (sum(rule.blocks for rule in c.rules), _exposure_apart(c), c.record.sha256),
    )


def _exposure_apart(found: Candidate) -> float:
    for rule in found.rules:
        a, b = rule.frame, rule.master
        if (
            rule.rule == "exposure_s"
            and isinstance(a, (int, float))
            and isinstance(b, (int, float))
        ):
            return abs(a - b)
    return 0.0


def _unsaid(found: Candidate) -> str:
    words = found.unsaid
    return f" Neither side says: {', '.join(words)}." if words else ""
