"""Masters around a group: its bias, and the dark or bias that is taken out of flats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.detectors import extension_name
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.master_query import MasterQuery
from calibstudio.domain.matching import (
    Candidate,
    Values,
    candidate,
    ranked,
    setting_rules,
    temperature_rule,
    usable_rule,
)
from calibstudio.domain.planes import Combination, Pieces
from calibstudio.domain.recipe import DarkScaling, Recipe
from calibstudio.imaging.calibrate import dark_signal
from calibstudio.imaging.dark_scaling import DarkLevel, dark_level, optimal_factor
from calibstudio.imaging.order import percentiles_of
from calibstudio.services.library import Library
from calibstudio.services.master_parts import Chosen
from calibstudio.services.master_plan import DARK_KINDS
from calibstudio.services.master_scale import Growth, is_rate_record
from calibstudio.services.master_subtract import (
    DarkRate,
    FlatFrame,
    Known,
    Subtraction,
    choose_subtraction,
)
from calibstudio.services.master_take import image_rows, open_planes
from calibstudio.services.master_values import common_values
from calibstudio.services.overscan import read_treated
from calibstudio.store.master_read import open_pixels

MOST_MEASURED = 6
"""Darks whose dark signal is measured for one group of flats: the nearest in exposure."""

Rates = dict[tuple[str, str], DarkRate | None]
"""What was measured, by the hashes of dark and reference."""


def bias_for(
    chosen: Chosen, built_now: Sequence[MasterRecord], library: Library, recipe: Recipe
) -> MasterRecord | None:
    """Return the best bias for these frames, or None; a bias has none.

    It gives darks their dark current, so it must be of their temperature.
    """
    if chosen.group.kind == FrameKind.BIAS:
        return None
    return bias_of(_values(chosen), _middle(chosen.headers), built_now, library, recipe)


def bias_of(
    values: Values,
    at: datetime | None,
    built_now: Sequence[MasterRecord],
    library: Library,
    recipe: Recipe,
) -> MasterRecord | None:
    """Return the best bias of these settings and this temperature, or None."""
    records = [
        r
        for r in _all(built_now, library, [FrameKind.BIAS])
        if not temperature_rule(values, r.values, recipe.tolerances).blocks
    ]
    found = _candidates(values, records, recipe)
    now = [r.sha256 for r in built_now]
    best = ranked(found, values, at=at, first=now)
    return best[0].record if best else None


def same_sensor(
    values: Values,
    kinds: Sequence[str],
    built_now: Sequence[MasterRecord],
    library: Library,
) -> list[MasterRecord]:
    """Return the usable masters of these kinds with the same settings of the camera.

    Temperature, exposure and filter do not matter; those of this run come first, then the newest.
    """
    found = [
        Candidate(record, (usable_rule(record), *setting_rules(values, record.values)))
        for record in _all(built_now, library, kinds)
    ]
    now = [r.sha256 for r in built_now]
    return [c.record for c in ranked(found, values, first=now)]


@dataclass(frozen=True, slots=True)
class Darkness:
    """What a covered frame of some settings and a temperature has."""

    rate: DarkRate | None
    """What it gathers in a second; None where the library has no dark with a bias, or another
    dark, to measure it against."""
    pedestal_adu: float
    """Level of a bias, as far as it is known; else 0."""


def measured_darkness(
    values: Values, at: datetime | None, library: Library, recipe: Recipe
) -> Darkness:
    """Measure what darks of these settings and this temperature gather in a second.

    Raises
    ------
    FileProblemError
        A master is damaged.
    """
    records = _all((), library, [FrameKind.BIAS, *DARK_KINDS])
    found = _candidates(values, records, recipe)
    darks = [
        c
        for c in ranked(found, values, at=at)
        if c.record.kind in DARK_KINDS and c.record.unit == "adu" and not c.record.bias_subtracted
    ]
    reference = _reference(values, found, darks, at, ())
    pedestal = _pedestal(values, found, at, ())
    if not darks:
        return Darkness(None, pedestal)
    longest = max(darks, key=lambda c: _time(c.record))
    return Darkness(_rate(longest.record, reference, {}), pedestal)


def subtraction_for(
    ctx: JobContext,
    chosen: Chosen,
    built_now: Sequence[MasterRecord],
    library: Library,
    recipe: Recipe,
    rates: Rates,
) -> Subtraction:
    """Choose what is taken out of flats, measuring dark signals where the choice needs them."""
    values, at = _values(chosen), _middle(chosen.headers)
    scales = recipe.dark.scaling is not DarkScaling.OFF
    records = _all(built_now, library, [FrameKind.BIAS, *DARK_KINDS])
    found = _candidates(values, records, recipe)
    now = [r.sha256 for r in built_now]
    pedestal = _pedestal(values, found, at, now)
    frames = [
        FlatFrame(h.path, h.exposure_s, chosen.level_of(h.path) - pedestal) for h in chosen.headers
    ]
    times = [f.exposure_s for f in frames if f.exposure_s is not None]
    middle = sorted(times)[len(times) // 2] if times else None
    darks = ranked(
        [c for c in found if c.record.kind in DARK_KINDS and (scales or c.record.unit == "adu")],
        values,
        exposure_s=middle,
        at=at,
        first=now,
    )
    reference = _reference(
        values, found, [d for d in darks if not d.record.bias_subtracted], at, now
    )
    measured: dict[str, DarkRate | None] = {}
    with_bias = [d for d in darks if not d.record.bias_subtracted]
    # Longest first: what it gathers in a second holds for the shortest, the reference, too.
    for i, dark in enumerate(sorted(with_bias[:MOST_MEASURED], key=lambda d: -_time(d.record))):
        ctx.progress(i / MOST_MEASURED, f"Measuring the dark signal of {dark.record.path.name}")
        measured[dark.record.sha256] = _rate(dark.record, reference, rates)
    known = [Known(r, measured.get(r.sha256)) for r in records]
    growth = None
    if scales and reference is not None:
        growth = _growth([c.record for c in darks], reference)
    return choose_subtraction(
        values,
        frames,
        known,
        recipe,
        at=at,
        built_now=now,
        growth=growth,
        optimise=_Optimiser(chosen).factor,
    )


def _growth(darks: Sequence[MasterRecord], bias: MasterRecord) -> Growth:
    """Measure darks of several exposures: the best of each, at most six, the longest first."""
    if bias.kind != FrameKind.BIAS:
        return Growth()
    one_each: dict[float, MasterRecord] = {}
    for dark in darks:
        if _time(dark) > 0:
            one_each.setdefault(round(_time(dark), 6), dark)
    below = open_pixels(bias.path)
    levels: dict[str, list[DarkLevel]] = {}
    for time in sorted(one_each, reverse=True)[:MOST_MEASURED]:
        dark = one_each[time]
        pixels = open_pixels(dark.path)
        for name in pixels.detectors:
            signal = None
            if is_rate_record(dark):
                signal = Combination(image_rows(pixels, name), times=time)
            elif name in below.detectors:
                signal = Combination(image_rows(pixels, name), image_rows(below, name))
            if signal is not None:
                levels.setdefault(name, []).append(dark_level(Pieces(signal), time))
    found = [Growth.of(one) for one in levels.values()]
    return next((g for g in found if g.why_not), found[0] if found else Growth())


class _Optimiser:
    """Measures the factor of least noise, keeping the planes of bias and dark between flats."""

    def __init__(self, chosen: Chosen) -> None:
        self._image = chosen.images[0]
        self._detector = extension_name(self._image, alone=len(chosen.images) == 1)
        self._overscan = chosen.overscan
        self._headers = {h.path: h for h in chosen.headers}
        self._planes: dict[str, NDArray[np.float32]] = {}

    def factor(self, path: Path, dark: MasterRecord, bias: MasterRecord) -> float:
        """Return it; NaN where the dark has too little structure."""
        header = self._headers[path]
        below, above = self._plane(bias), self._plane(dark)
        signal = above if dark.bias_subtracted else above - below
        light = read_treated(path, self._image, self._overscan)
        light += np.float32(header.pedestal_adu)
        return optimal_factor(light - below, signal, step=2 if header.bayer else 1)[0]

    def _plane(self, record: MasterRecord) -> NDArray[np.float32]:
        if record.sha256 not in self._planes:
            self._planes[record.sha256] = open_planes(record, self._detector)[0][:]
        return self._planes[record.sha256]


def _values(chosen: Chosen) -> Values:
    return {**common_values(chosen.headers, chosen.key).values, **chosen.key}


def _middle(headers: Sequence[FrameHeader]) -> datetime | None:
    times = sorted(h.observed_utc for h in headers if h.observed_utc is not None)
    return times[len(times) // 2] if times else None


def _all(
    built_now: Sequence[MasterRecord], library: Library, kinds: Iterable[str]
) -> list[MasterRecord]:
    """Return the masters of these kinds: those built in this run, then the library's."""
    wanted = tuple(str(kind) for kind in kinds)
    found = {r.sha256: r for r in built_now if r.kind in wanted}
    for record in library.masters(MasterQuery(kinds=wanted)):
        found.setdefault(record.sha256, record)
    return [r for r in found.values() if r.path.is_file()]


def _candidates(values: Values, records: Iterable[MasterRecord], recipe: Recipe) -> list[Candidate]:
    return [candidate(values, record, recipe.tolerances) for record in records]


def _pedestal(
    values: Values, found: Sequence[Candidate], at: datetime | None, now: Sequence[str]
) -> float:
    """Return the level that a covered frame has, as far as it is known; else 0."""
    for kinds in ([FrameKind.BIAS], DARK_KINDS):
        best = ranked([c for c in found if c.record.kind in kinds], values, at=at, first=now)
        for one in best:
            level = one.record.assessment.value("level")
            if one.record.unit != "adu":
                continue
            if level is not None and isfinite(level):
                return level
    return 0.0


def _reference(
    values: Values,
    found: Sequence[Candidate],
    darks: Sequence[Candidate],
    at: datetime | None,
    now: Sequence[str],
) -> MasterRecord | None:
    """Return what dark signals are measured against: the best bias, else the shortest dark."""
    biases = ranked([c for c in found if c.record.kind == FrameKind.BIAS], values, at=at, first=now)
    if biases:
        return biases[0].record
    timed = [d.record for d in darks if isinstance(d.record.values.get("exposure_s"), (int, float))]
    if len(timed) < 2:
        return None
    return min(timed, key=lambda r: (_time(r), r.sha256))


def _time(record: MasterRecord) -> float:
    value = record.values.get("exposure_s")
    return float(value) if isinstance(value, (int, float)) else 0.0


def _rate(dark: MasterRecord, reference: MasterRecord | None, rates: Rates) -> DarkRate | None:
    """Measure what a dark gathers in a second; None where it cannot be told."""
    if reference is None:
        return None
    start = 0.0 if reference.kind == FrameKind.BIAS else _time(reference)
    apart = _time(dark) - start
    if apart <= 0:
        # The shortest dark itself: what the next longer one says holds for it too.
        return max(
            (r for (_, ref), r in rates.items() if ref == reference.sha256 and r),
            key=lambda r: (r.adu_per_s, r.hot_adu_per_s),
            default=None,
        )
    key = (dark.sha256, reference.sha256)
    if key not in rates:
        one = open_pixels(dark.path)
        other = open_pixels(reference.path)
        found = [
            _measured(Combination(image_rows(one, name), image_rows(other, name)), apart)
            for name in one.detectors
            if name in other.detectors
        ]
        known = [rate for rate in found if isfinite(rate.adu_per_s)]
        rates[key] = (
            DarkRate(max(r.adu_per_s for r in known), max(r.hot_adu_per_s for r in known))
            if known
            else None
        )
    return rates[key]


def _measured(signal: Combination, apart_s: float) -> DarkRate:
    """Measure the middle with its glow, and the 99.9th percentile of the pixels.

    The noise of both, which the 0.1th percentile shows, is taken out of the latter in quadrature:
    else short darks would look hot.
    """
    pieces = Pieces(signal)
    glow = dark_signal(pieces, apart_s).glow_adu_per_s
    every = lambda: (signal[rows] for rows in pieces.bands())  # noqa: E731
    low, middle, high = percentiles_of(every, [0.1, 50.0, 99.9])
    above = float(np.sqrt(max(0.0, (high - middle) ** 2 - (middle - low) ** 2)))
    return DarkRate(glow, max(glow, (float(middle) + above) / apart_s))
