"""Frames without their overscan: its level taken out, and what is no picture cut away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.overscan import (
    Amplifier,
    OverscanOf,
    OverscanSettings,
    Plan,
    Said,
    Section,
    SectionError,
    make_plan,
)
from calibstudio.domain.pixels import RowSource, Stored
from calibstudio.imaging.overscan import overscan_levels, why_no_bias_level
from calibstudio.store.any_header import find_hdu, read_hdus
from calibstudio.store.pixels import open_rows, read_image

_BAND = 256


class OverscanError(FileProblemError):
    """The sections of a frame are missing or wrong."""


def sections_of(path: Path, image: str = "") -> Said:
    """Return what the header of an image says, by keyword; the primary's where it is the only one.

    Raises
    ------
    FileProblemError
        If the file cannot be read.
    """
    hdus = read_hdus(path)
    found = find_hdu(hdus, image) if image else None
    if found is None:
        found = next((hdu for hdu in hdus if hdu.is_image), hdus[0])
    is_one_of_several = bool(image) and sum(hdu.is_image for hdu in hdus) > 1
    headers = [found] if is_one_of_several else [found, hdus[0]]

    def said(keyword: str) -> object:
        values = (hdu.cards.value(keyword) for hdu in headers)
        return next((v for v in values if v is not None and v != ""), None)

    return said


def plan_for(
    path: Path, image: str, shape: tuple[int, int], settings: OverscanSettings, label: str
) -> Plan:
    """Decide what is done with an image of a file.

    Raises
    ------
    OverscanError
        If its sections are missing or wrong.
    """
    try:
        return make_plan(sections_of(path, image), shape, settings)
    except SectionError as error:
        raise OverscanError(f"{label} {error}.", hint=_HINT) from error


_HINT = (
    "Name the sections yourself (--biassec and --datasec; overscan.bias and overscan.data in a "
    "recipe), or leave it out."
)


def open_treated(path: Path, image: str, settings: OverscanSettings) -> RowSource:
    """Open an image of a frame as `store.pixels.open_rows`, with its overscan treated.

    Raises
    ------
    OverscanError
        If its sections are missing or wrong, or its overscan is no bias level.
    FileProblemError
        If it cannot be read.
    """
    source = open_rows(path, image)
    try:
        return treated(source, path, image, settings)
    except BaseException:
        source.close()
        raise


def treated(source: RowSource, path: Path, image: str, settings: OverscanSettings) -> RowSource:
    """Return an opened image with its overscan treated; itself where nothing is to be done."""
    if not settings.active:
        return source
    plan = plan_for(path, image, source.shape, settings, source.name)
    return TreatedRows(source, plan, _levels(source, plan, settings))


def read_treated(path: Path, image: str, settings: OverscanSettings) -> NDArray[np.float32]:
    """Return an image whole, with its overscan treated (see `open_treated`)."""
    if not settings.active:
        return read_image(path, image).astype(np.float32)
    source = open_treated(path, image, settings)
    try:
        whole = np.empty(source.shape, np.float32)
        # Levels are taken out in float64: band by band, for a large frame.
        for y0 in range(0, len(whole), _BAND):
            y1 = min(y0 + _BAND, len(whole))
            whole[y0:y1] = source.read_rows(y0, y1)
        return whole
    finally:
        source.close()


def data_plan(path: Path, image: str, shape: tuple[int, int], data: str = "") -> Plan | None:
    """Return where the data of a picture lies; None where all of it is, or nothing says it.

    Parameters
    ----------
    data
        Section of the data; empty: what the header says.
    """
    try:
        settings = OverscanSettings(trim=True, data=data)
        plan = make_plan(sections_of(path, image), shape, settings)
    except SectionError:
        return None
    return None if plan.kept == shape else plan


def only_data(pixels: NDArray[Any], path: Path, image: str, data: str = "") -> NDArray[Any]:
    """Return the part of a picture that is data; all of it where that cannot be.

    ``data`` is its section; empty: what the header says.
    """
    plan = data_plan(path, image, (int(pixels.shape[0]), int(pixels.shape[1])), data)
    if plan is None:
        return pixels
    if len(plan.rows) == len(plan.columns) == 1:
        (y0, y1), (x0, x1) = plan.rows[0], plan.columns[0]
        return np.ascontiguousarray(pixels[y0:y1, x0:x1])
    rows = np.concatenate([np.arange(a, b) for a, b in plan.rows])
    columns = np.concatenate([np.arange(a, b) for a, b in plan.columns])
    kept: NDArray[Any] = pixels[np.ix_(rows, columns)]
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """What is taken off the data of an amplifier."""

    amplifier: Amplifier
    of_rows: NDArray[np.float64] | None
    """For every row of the data."""
    of_columns: NDArray[np.float64] | None


def overscan_cards(
    rows: Sequence[RowSource], settings: OverscanSettings
) -> tuple[tuple[str, str | int | float | bool, str], ...]:
    """Return what a stack says of the overscan of its frames; nothing where it was left alone."""
    done = [one for one in rows if isinstance(one, TreatedRows)]
    if not done:
        return ()
    cards: list[tuple[str, str | int | float | bool, str]] = [
        ("OVERSCAN", settings.words, "done to every frame")
    ]
    levels = [level for one in done if (level := one.level_adu) is not None]
    if levels:
        cards.append(("OVSCLEV", float(f"{np.mean(levels):.7g}"), "[adu] mean level taken out"))
    if settings.trim:
        # Not TRIMSEC: another program would trim again.
        cards.append(("TRIMMED", done[0].plan.trim_text, "part of the frames that was kept"))
    return tuple(cards)


def _levels(source: RowSource, plan: Plan, settings: OverscanSettings) -> list[_Level]:
    """Measure the overscans of all amplifiers, reading the picture once in bands."""
    wanted = [a for a in plan.amplifiers if a.bias is not None]
    if not wanted:
        return []
    strips, samples = _strips(source, wanted)
    found = []
    for amplifier, strip, sample in zip(wanted, strips, samples, strict=True):
        bias, data = amplifier.bias, amplifier.data
        assert bias is not None
        lines = strip.T if amplifier.by_column else strip
        why = why_no_bias_level(lines, sample)
        if not why:
            levels = overscan_levels(lines, settings)
            start = data.x0 - bias.x0 if amplifier.by_column else data.y0 - bias.y0
            length = data.shape[1] if amplifier.by_column else data.shape[0]
            if settings.of is OverscanOf.WHOLE:
                levels = np.full(length, levels[0])
            else:
                levels = levels[start : start + length]
            if not np.isfinite(levels).all():
                why = "a part of its overscan holds no numbers"
        if why:
            raise OverscanError(f"{source.name} cannot be treated: {why}.", hint=_HINT)
        by_column = amplifier.by_column
        found.append(
            _Level(amplifier, None if by_column else levels, levels if by_column else None)
        )
    return found


def _strips(
    source: RowSource, amplifiers: Sequence[Amplifier]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return the overscan of each amplifier, and every 16th pixel of its data."""
    strips = [np.empty(a.bias.shape, np.float32) for a in amplifiers if a.bias is not None]
    samples: list[list[NDArray[Any]]] = [[] for _ in amplifiers]
    for y0 in range(0, source.shape[0], _BAND):
        y1 = min(y0 + _BAND, source.shape[0])
        band = source.read_rows(y0, y1)
        for i, amplifier in enumerate(amplifiers):
            assert amplifier.bias is not None
            part, (top, bottom) = _cut(band, y0, y1, amplifier.bias)
            strips[i][top - amplifier.bias.y0 : bottom - amplifier.bias.y0] = part
            data, _ = _cut(band, y0, y1, amplifier.data)
            samples[i].append(data[::4, ::4].ravel())
    return strips, [np.concatenate(s) for s in samples]


def _cut(
    band: NDArray[np.float32], y0: int, y1: int, section: Section
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Return the part of a band that lies in a section, and its rows in the picture."""
    top = min(max(y0, section.y0), section.y1)
    bottom = max(min(y1, section.y1), top)
    inside = band[max(0, top - y0) : max(0, bottom - y0), section.x0 : section.x1]
    return inside, (top, top + len(inside))


class TreatedRows:
    """A picture without its overscan, as a `RowSource`. Safe to read from several threads."""

    def __init__(self, source: RowSource, plan: Plan, levels: Sequence[_Level]) -> None:
        self._source = source
        self._plan = plan
        self._levels = levels
        rows = [np.arange(a, b) for a, b in plan.rows]
        columns = [np.arange(a, b) for a, b in plan.columns]
        self._rows = np.concatenate(rows)
        self._columns = np.concatenate(columns)
        self._all_columns = len(plan.columns) == 1

    @property
    def plan(self) -> Plan:
        """What was done."""
        return self._plan

    @property
    def level_adu(self) -> float | None:
        """Mean of what was taken out; None when nothing was."""
        parts = [x for one in self._levels for x in (one.of_rows, one.of_columns) if x is not None]
        return float(np.mean([np.mean(p) for p in parts])) if parts else None

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return self._source.name

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of what is left."""
        return self._plan.kept

    @property
    def stored(self) -> Stored:
        """Other than in the file."""
        return Stored.OTHER

    @property
    def step_adu(self) -> float:
        """Of the codes in the file."""
        return self._source.step_adu

    def read_rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return rows y0 to y1 (exclusive) of what is left, in ADU above the overscan."""
        rows = self._rows[y0:y1]
        out = np.empty((len(rows), len(self._columns)), np.float32)
        if not len(rows):
            return out
        # Rows of a run follow one another in the file: read them at once.
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for part in np.split(np.arange(len(rows)), breaks):
            first, last = int(rows[part[0]]), int(rows[part[-1]]) + 1
            out[part] = self._treated(first, last)
        return out

    def _treated(self, first: int, last: int) -> NDArray[np.float32]:
        band = self._source.read_rows(first, last)
        if self._levels:
            whole = band.astype(np.float64)
            for level in self._levels:
                self._take_out(whole, first, last, level)
            with np.errstate(over="ignore"):
                band = whole.astype(np.float32)
        if self._all_columns:
            start, end = self._plan.columns[0]
            return band[:, start:end]
        return band[:, self._columns]

    def _take_out(self, band: NDArray[np.float64], first: int, last: int, level: _Level) -> None:
        data = level.amplifier.data
        top, bottom = max(first, data.y0), min(last, data.y1)
        if top >= bottom:
            return
        inside = band[top - first : bottom - first, data.x0 : data.x1]
        if level.of_rows is not None:
            inside -= level.of_rows[top - data.y0 : bottom - data.y0, None]
        if level.of_columns is not None:
            inside -= level.of_columns

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        """There is no raw form."""
        raise ValueError(f"{self.name} has no raw form")

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
