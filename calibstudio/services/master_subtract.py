"""What is taken out of flats: which dark or bias, scaled or not, and why (RULES 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from calibstudio.domain.dark_flat_sets import HOT_SHARE, bias_is_nearer
from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.matching import Candidate, candidate, exposure_tolerance_s, ranked
from calibstudio.domain.quality import Finding, Verdict
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.wording import count, exposure, significant
from calibstudio.services.master_plan import DARK_KINDS
from calibstudio.services.master_scale import (
    Growth,
    Optimise,
    ScaledChoice,
    choose_scaled,
    is_rate_record,
)

NOTHING = "pedestal still in"
"""Title of the finding that nothing is taken out of flats."""


@dataclass(frozen=True, slots=True)
class FlatFrame:
    """What the choice of a dark needs to know of one flat."""

    path: Path
    exposure_s: float | None
    light_adu: float
    """Its level above the pedestal."""


@dataclass(frozen=True, slots=True)
class DarkRate:
    """What a dark gathers in a second, ADU/s."""

    adu_per_s: float
    """In the brightest part of its glow."""
    hot_adu_per_s: float = 0.0
    """In its hot pixels: one pixel of a thousand gathers more."""


@dataclass(frozen=True, slots=True)
class Known:
    """A dark or bias that might be taken out of flats, with what was measured of it."""

    record: MasterRecord
    rate: DarkRate | None = None
    """What it gathers in a second; None where nothing tells it."""


@dataclass(frozen=True, slots=True)
class ScaledBy:
    """A dark of another exposure, scaled: what is taken out beside the bias."""

    dark: MasterRecord
    factor: float
    """Of its dark signal: exposures of the dark, or seconds where it is a rate."""


@dataclass(frozen=True, slots=True)
class Subtraction:
    """What is taken out of the frames of a group, and why."""

    by_frame: Mapping[Path, MasterRecord] = field(default_factory=dict)
    """The master for each frame; empty: nothing is taken out."""
    scaled: Mapping[Path, ScaledBy] = field(default_factory=dict)
    """The scaled dark signal for each frame, where the master is a bias."""
    bias_out: bool = False
    dark_out: bool = False
    sentences: tuple[str, ...] = ()
    """For HISTORY: what was done. They follow from the frames and from what is taken out of them,
    never from other masters that happen to be around."""
    findings: tuple[Finding, ...] = ()
    reasons: tuple[str, ...] = ()
    """The sentences with why it was chosen, measured on other masters too; empty: the same."""
    cause: str = ""
    """Why nothing could be taken out, where a master stood in the way."""

    @property
    def said(self) -> tuple[str, ...]:
        """For notes: the sentences with their reasons."""
        return self.reasons or self.sentences

    @property
    def pedestal_adu(self) -> float | None:
        """Level of what holds the bias and is taken out, mean of the frames; None: not known."""
        levels = [
            level
            for m in self.by_frame.values()
            if m.unit == "adu" and (level := m.assessment.value("level")) is not None
        ]
        return sum(levels) / len(levels) if levels and len(levels) == len(self.by_frame) else None

    @property
    def masters(self) -> tuple[MasterRecord, ...]:
        """The masters that are used, each once, in the order of the frames."""
        darks = [by.dark for by in self.scaled.values()]
        return tuple({m.sha256: m for m in (*self.by_frame.values(), *darks)}.values())


def choose_subtraction(
    values: Mapping[str, HeaderValue],
    frames: Sequence[FlatFrame],
    known: Sequence[Known],
    recipe: Recipe,
    *,
    at: datetime | None,
    built_now: Sequence[str] = (),
    growth: Growth | None = None,
    optimise: Optimise | None = None,
) -> Subtraction:
    """Choose what is taken out of flats (RULES 5).

    In this order: a dark flat or dark of the same exposure; one of another exposure, while the
    dark signal that is left stays below the recipe's share of the flat's level, that of hot
    pixels below 1 %, and no bias (an exposure of 0 s) is nearer; a bias, with the scaled dark
    signal of another exposure where the recipe allows it and the camera scales; a dark flat or
    dark that stands where a bias stands; else nothing, and it is said.

    Parameters
    ----------
    values
        What the flats share, by JSON word.
    frames
        The flats.
    known
        Every bias, dark and dark flat there is.
    at
        When the flats were taken.
    built_now
        Hashes of masters that were built in this run.
    growth
        What darks of several exposures say about scaling; needed where the recipe scales.
    optimise
        Measures the factor of least noise.
    """
    looked_at = {
        k.record.sha256: (candidate(values, k.record, recipe.tolerances), k)
        for k in known
        if k.record.kind in (*DARK_KINDS, FrameKind.BIAS)
        and (k.record.unit == "adu" or is_rate_record(k.record))
    }
    fitting = [c for c, _ in looked_at.values() if c.accepted]
    darks = [c for c in fitting if c.record.kind in DARK_KINDS and not c.record.bias_subtracted]
    biases = [c for c in fitting if c.record.kind == FrameKind.BIAS]
    rates = {sha: k.rate for sha, (_, k) in looked_at.items()}
    reach = _Reach(rates, recipe, has_bias=bool(biases))
    chosen = _by_dark(values, frames, darks, reach, at, built_now)
    if chosen is None and biases:
        bias = ranked(biases, values, at=at, first=built_now)[0]
        all_darks = [c for c in fitting if c.record.kind in DARK_KINDS]
        in_order = ranked(all_darks, values, at=at, first=built_now)
        times = [(f.path, f.exposure_s) for f in frames]
        scaled = choose_scaled(
            in_order, times, bias.record, recipe.dark, growth or Growth(), optimise
        )
        if isinstance(scaled, ScaledChoice):
            return _by_scaled(scaled, bias)
        nearest = scaled or _nearest_dark(values, frames, darks, reach, at, built_now)
        chosen = _by_bias(frames, bias, nearest)
    if chosen is None and darks:
        chosen = _dark_as_bias(values, frames, darks, at, built_now)
    if chosen is None:
        return _nothing([c for c, _ in looked_at.values()])
    return chosen


def _by_dark(
    values: Mapping[str, HeaderValue],
    frames: Sequence[FlatFrame],
    darks: Sequence[Candidate],
    reach: _Reach,
    at: datetime | None,
    built_now: Sequence[str],
) -> Subtraction | None:
    """Give every flat a dark that serves it, with as few darks as do; None if one has none."""
    serves = {
        d.record.sha256: {f.path for f in frames if not reach.why_not(d.record, f)} for d in darks
    }
    left = {f.path: f for f in frames}
    by_frame: dict[Path, MasterRecord] = {}
    used: list[Candidate] = []
    while left:
        middle = _median([f.exposure_s for f in left.values() if f.exposure_s is not None])
        order = ranked(darks, values, exposure_s=middle, at=at, first=built_now)
        # Exact exposures first: then whatever serves most of the frames that are left.
        best = max(
            order,
            key=lambda c: (
                _n_exact(c.record, left.values(), reach.recipe),
                len(serves[c.record.sha256] & left.keys()),
                -order.index(c),
            ),
            default=None,
        )
        if best is None or not serves[best.record.sha256] & left.keys():
            return None
        for path in serves[best.record.sha256] & left.keys():
            by_frame[path] = best.record
            del left[path]
        used.append(best)
    ordered = {f.path: by_frame[f.path] for f in frames}
    sentences = [_dark_sentence(c, frames, ordered, reach.recipe) for c in used]
    reasons = [_dark_reason(c, frames, ordered, reach) for c in used]
    unsaid = _unsaid(used)
    return Subtraction(
        ordered,
        bias_out=True,
        dark_out=True,
        sentences=(*sentences, *unsaid),
        reasons=(*reasons, *unsaid),
    )


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far from its own exposure a dark serves."""

    rates: Mapping[str, DarkRate | None]
    recipe: Recipe
    has_bias: bool

    def left(self, dark: MasterRecord, flat: FlatFrame) -> tuple[float, float] | None:
        """Return the shares of the level that it would leave, at the middle and in hot pixels."""
        time, rate = dark.values.get("exposure_s"), self.rates.get(dark.sha256)
        if flat.exposure_s is None or not isinstance(time, (int, float)) or rate is None:
            return None
        if not flat.light_adu > 0:
            return None
        apart = abs(time - flat.exposure_s) / flat.light_adu
        return apart * max(rate.adu_per_s, 0.0), apart * max(rate.hot_adu_per_s, 0.0)

    def why_not(self, dark: MasterRecord, flat: FlatFrame) -> str:
        """Say why a dark does not serve a flat; empty when it does (RULES 5)."""
        time = dark.values.get("exposure_s")
        if flat.exposure_s is None:
            return "the flats do not say their exposure"
        if not isinstance(time, (int, float)):
            return "the nearest dark does not say its exposure"
        tolerance = exposure_tolerance_s(flat.exposure_s, self.recipe.tolerances)
        if abs(time - flat.exposure_s) <= tolerance:
            return ""
        shares = self.left(dark, flat)
        if shares is None:
            return "what a dark of another exposure would leave is not known"
        who = f"the nearest dark, {exposure(float(time))},"
        for share, most, where in (
            (shares[0], self.recipe.flat_dark_budget, "their level"),
            (shares[1], HOT_SHARE, "the level of hot pixels"),
        ):
            if share > most:
                return (
                    f"{who} would be wrong by up to {significant(100 * share, 2)} % of {where}, "
                    f"more than {significant(100 * most, 2)} %"
                )
        if self.has_bias and bias_is_nearer(dark.kind, time, flat.exposure_s):
            return f"{who} is further from their exposure than a bias, 0 s"
        return ""


def _n_exact(dark: MasterRecord, flats: Iterable[FlatFrame], recipe: Recipe) -> int:
    time = dark.values.get("exposure_s")
    if not isinstance(time, (int, float)):
        return 0
    return sum(
        f.exposure_s is not None
        and abs(time - f.exposure_s) <= exposure_tolerance_s(f.exposure_s, recipe.tolerances)
        for f in flats
    )


def _dark_sentence(
    chosen: Candidate,
    frames: Sequence[FlatFrame],
    by_frame: Mapping[Path, MasterRecord],
    recipe: Recipe,
) -> str:
    """Say of which flats a dark is taken out."""
    what, others = _served(chosen.record, frames, by_frame, recipe)
    if not others:
        return f"{what}: the same exposure."
    most = significant(100 * recipe.flat_dark_budget, 2)
    return f"{what} of {_span(others)}: the difference leaves less than {most} % of their level."


def _dark_reason(
    chosen: Candidate,
    frames: Sequence[FlatFrame],
    by_frame: Mapping[Path, MasterRecord],
    reach: _Reach,
) -> str:
    """Say it with what the dark gathers, which a bias or another dark told."""
    record, recipe = chosen.record, reach.recipe
    what, others = _served(record, frames, by_frame, recipe)
    if not others:
        return f"{what}: the same exposure."
    rate = reach.rates[record.sha256] or DarkRate(0.0)
    share = max((shares[0] for f in others if (shares := reach.left(record, f))), default=0.0)
    return (
        f"{what} of {_span(others)}: at {significant(max(rate.adu_per_s, 0.0), 2)} ADU/s with "
        f"glow the difference leaves at most {significant(100 * share, 2)} % of their level, "
        f"below {significant(100 * recipe.flat_dark_budget, 2)} %."
    )


def _served(
    record: MasterRecord,
    frames: Sequence[FlatFrame],
    by_frame: Mapping[Path, MasterRecord],
    recipe: Recipe,
) -> tuple[str, list[FlatFrame]]:
    """Return how a sentence about a dark begins, and its flats of another exposure."""
    mine = [f for f in frames if by_frame[f.path].sha256 == record.sha256]
    time = record.values["exposure_s"]
    assert isinstance(time, (int, float))
    whom = "the flats" if len(mine) == len(frames) else count(len(mine), "flat")
    what = f"The {record.kind} of {exposure(time)} ({record.path.name}) is taken out of {whom}"
    others = [
        f
        for f in mine
        if f.exposure_s is not None
        and abs(time - f.exposure_s) > exposure_tolerance_s(f.exposure_s, recipe.tolerances)
    ]
    return what, others


def _span(flats: Sequence[FlatFrame]) -> str:
    times = [f.exposure_s for f in flats if f.exposure_s is not None]
    if len(set(times)) == 1:
        return exposure(times[0])
    return f"{exposure(min(times))} to {exposure(max(times))}"


def _by_bias(frames: Sequence[FlatFrame], bias: Candidate, why: str) -> Subtraction:
    what = f"The bias ({bias.record.path.name}) is taken out of the flats"
    rest = ("The dark signal of the flats stays in.", *_unsaid([bias]))
    return Subtraction(
        {f.path: bias.record for f in frames},
        bias_out=True,
        sentences=(f"{what}.", *rest),
        reasons=(f"{what}: {why.rstrip('.')}.", *rest),
    )


def _by_scaled(scaled: ScaledChoice, bias: Candidate) -> Subtraction:
    unsaid = _unsaid([bias, scaled.dark])
    return Subtraction(
        dict.fromkeys(scaled.factors, bias.record),
        {path: ScaledBy(scaled.dark.record, k) for path, k in scaled.factors.items()},
        bias_out=True,
        dark_out=True,
        sentences=(scaled.sentence, *unsaid),
        reasons=(scaled.sentence, scaled.growth, *unsaid),
    )


def bias_out_of(paths: Sequence[Path], bias: MasterRecord | None, title: str) -> Subtraction:
    """Take a bias out of darks that become a rate.

    Raises
    ------
    CalibrationError
        There is none: a rate with the bias inside would be wrong at every other exposure.
    """
    if bias is None:
        raise CalibrationError(
            f"{title}: a rate needs the bias taken out first, and no bias fits these darks.",
            hint="Take biases of the same settings, or set dark.form = with-bias in the recipe.",
        )
    return Subtraction(
        dict.fromkeys(paths, bias),
        bias_out=True,
        sentences=(f"The bias ({bias.path.name}) is taken out of the darks.",),
    )


def _nearest_dark(
    values: Mapping[str, HeaderValue],
    frames: Sequence[FlatFrame],
    darks: Sequence[Candidate],
    reach: _Reach,
    at: datetime | None,
    built_now: Sequence[str],
) -> str:
    """Say why no dark serves these flats."""
    times = [f.exposure_s for f in frames if f.exposure_s is not None]
    if not darks:
        return "there is no dark flat or dark of their settings"
    if not times:
        return "the flats do not say their exposure"
    nearest = ranked(darks, values, exposure_s=_median(times), at=at, first=built_now)[0].record
    # The flat that would suffer most says it.
    worst = max(frames, key=lambda f: reach.left(nearest, f) or (float("inf"), 0.0))
    reasons = [reach.why_not(nearest, f) for f in (worst, *frames)]
    return next((r for r in reasons if r), "no one dark serves all of them")


def _dark_as_bias(
    values: Mapping[str, HeaderValue],
    frames: Sequence[FlatFrame],
    darks: Sequence[Candidate],
    at: datetime | None,
    built_now: Sequence[str],
) -> Subtraction:
    """Let a dark flat or dark stand where a bias stands, recorded as what it is."""
    longest = max((f.exposure_s or 0.0 for f in frames), default=0.0)
    best = ranked(darks, values, exposure_s=longest, at=at, first=built_now)[0]
    time = best.record.values.get("exposure_s")
    said = exposure(time) if isinstance(time, (int, float)) else "unknown exposure"
    what = (
        f"The {best.record.kind} of {said} ({best.record.path.name}) stands where a bias stands: "
        "its dark signal is not known well enough for another exposure."
    )
    finding = Finding(
        Verdict.WARN,
        "no matching dark",
        what,
        cause="there is neither a bias nor a dark flat of the flats' exposure.",
        cure=f"Take dark flats of {exposure(longest)}, or biases.",
    )
    return Subtraction(
        {f.path: best.record for f in frames},
        bias_out=True,
        sentences=(what, *_unsaid([best])),
        findings=(finding,),
    )


def _nothing(looked_at: Sequence[Candidate]) -> Subtraction:
    """Say plainly that the pedestal is still in, and what stood in the way."""
    reasons = tuple(
        f"{c.record.path.name} ({c.record.kind}) does not fit: {c.why_not}"
        for c in looked_at
        if not c.accepted
    )[:5]
    what = "The pedestal is still in these flats: no bias, dark or dark flat fits them."
    finding = Finding(
        Verdict.WARN,
        NOTHING,
        what,
        cause="none that fits was found in this run or in the library.",
        cure="Take dark flats of their exposure, or biases, and build the masters again.",
    )
    return Subtraction(
        sentences=(what,),
        findings=(finding,),
        reasons=(what, *reasons),
        cause=reasons[0] if reasons else "",
    )


def _unsaid(chosen: Sequence[Candidate]) -> tuple[str, ...]:
    """Say what neither the flats nor the masters taken out of them say."""
    words = dict.fromkeys(word for c in chosen for word in c.unsaid)
    if not words:
        return ()
    return (f"Neither the flats nor these masters say: {', '.join(words)}. Taken as the same.",)


def _median(values: Sequence[float]) -> float | None:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else None
