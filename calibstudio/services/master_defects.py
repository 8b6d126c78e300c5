"""Bad-pixel maps: made after darks and flats, from the masters and the frames of a dark set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import Defect, DefectList
from calibstudio.domain.detectors import PRIMARY
from calibstudio.domain.grouping import Group
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.jobs import JobContext, heeding
from calibstudio.domain.kinds import BPM, FrameKind
from calibstudio.domain.master import InputRecord, MasterRecord, UsedMaster
from calibstudio.domain.matching import HARD, usable_rule
from calibstudio.domain.overscan import OverscanSettings
from calibstudio.domain.pixels import PlaneRows
from calibstudio.domain.planes import Combination, Pieces, Room, bands, give_back
from calibstudio.domain.quality import Assessment
from calibstudio.domain.recipe import DefectSettings, Recipe
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS
from calibstudio.domain.verdicts import Judge
from calibstudio.domain.wording import count, exposure, significant
from calibstudio.imaging.defects import (
    DarkSignal,
    Edges,
    Scatter,
    find_defects,
    hot_edges,
    measure_scatter,
)
from calibstudio.imaging.order import median_of
from calibstudio.services.library import Library
from calibstudio.services.map_provenance import map_provenance_text
from calibstudio.services.master_around import bias_of, same_sensor
from calibstudio.services.master_build import SOFTWARE, free_write
from calibstudio.services.master_scale import dark_time, is_rate_record
from calibstudio.services.master_take import image_rows, plane_rows, unchanged
from calibstudio.services.masters import BuiltMaster
from calibstudio.services.overscan import open_treated
from calibstudio.store.defect_fits import Mask, write_defects
from calibstudio.store.master_cards import Combined, MasterContent
from calibstudio.store.master_fits import Written
from calibstudio.store.master_names import master_name, short_hash
from calibstudio.store.master_read import MasterPixels
from calibstudio.store.recipes import recipe_document
from calibstudio.store.scratch import Scratch

KEY = (*HARD, "set_temp_c", "sensor_temp_c")
"""What a map is of. Its temperature is that of the darks: warm sensors have more hot pixels."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What one map is made of."""

    dark: MasterRecord
    bias: MasterRecord | None
    flat: MasterRecord | None
    frames: tuple[FrameHeader, ...] = ()
    """Of the dark, where there are enough to see unstable pixels."""
    overscan: OverscanSettings = field(default_factory=OverscanSettings)
    """What was done to them for the dark."""
    egain_e_per_adu: float | None = None
    """Measured, or else what the header says."""

    @property
    def masters(self) -> tuple[MasterRecord, ...]:
        """All of them."""
        return tuple(m for m in (self.bias, self.dark, self.flat) if m is not None)

    @property
    def title(self) -> str:
        """What a sentence calls the map."""
        values = self.dark.values
        words = [str(values["camera"])] if values.get("camera") else []
        gain = values.get("gain")
        if isinstance(gain, (int, float)):
            words.append(f"gain {gain:g}")
        return " · ".join(["Bad-pixel map", *words])


def sources_of_maps(
    built: Sequence[BuiltMaster],
    headers: Mapping[Path, FrameHeader],
    library: Library,
    recipe: Recipe,
) -> list[Sources]:
    """Return what maps a run allows: one for each setting and temperature of its darks.

    The dark with the longest exposure tells most. Where a run has no flats, the library's newest
    of the same sensor serve. Flats alone make no map: it would stand beside a whole one.
    """
    records = [b.record for b in built]
    darks: dict[object, BuiltMaster] = {}
    for one in built:
        if usable_rule(one.record).blocks:
            continue
        if one.record.kind == FrameKind.DARK and dark_time(one.record) > 0:
            key = (_setting(one.record), one.record.key.get("set_temp_c"))
            if key not in darks or dark_time(darks[key].record) < dark_time(one.record):
                darks[key] = one
    found = []
    for one in darks.values():
        flats = same_sensor(one.record.values, [FrameKind.FLAT], records, library)
        found.append(_sources(one.record, flats, records, library, recipe, _used(one, headers)))
    return found


def _sources(
    dark: MasterRecord,
    flats: Sequence[MasterRecord],
    built: Sequence[MasterRecord],
    library: Library,
    recipe: Recipe,
    frames: tuple[FrameHeader, ...],
) -> Sources:
    bias = bias_of(dark.values, dark.observed_mid_utc, built, library, recipe)
    if is_rate_record(dark):
        # The bias that is out of the rate: the frames still hold it.
        taken = {u.sha256 for u in dark.used}
        same = [r for r in (*built, *library.masters()) if r.sha256 in taken]
        bias = same[0] if same else bias
    enough = len(frames) >= recipe.defects.min_frames
    enough = enough and (bias is not None or not is_rate_record(dark))
    return Sources(
        dark,
        bias,
        flats[0] if flats else None,
        frames if enough else (),
        overscan_of(dark, recipe),
        _gain_of(dark, flats[0] if flats else None),
    )


def _gain_of(dark: MasterRecord, flat: MasterRecord | None) -> float | None:
    """Return e-/ADU as the flat of the map measured it (RULES 7), else as the header says.

    Other flats of a library do not change the map; and it says the gain that it was made with.
    """
    own = None if flat is None else flat.assessment.value("egain")
    gain = own or dark.values.get("egain_e_per_adu")
    return float(gain) if isinstance(gain, (int, float)) and gain > 0 else None


def overscan_of(dark: MasterRecord, recipe: Recipe) -> OverscanSettings:
    """Return what was done to the frames of a dark that such a recipe made."""
    is_treated = dark.key.get("overscan") == recipe.overscan.words
    return recipe.overscan if is_treated else OverscanSettings()


def _used(one: BuiltMaster, headers: Mapping[Path, FrameHeader]) -> tuple[FrameHeader, ...]:
    """The frames of a dark that were combined, where they are of one exposure."""
    left = {item.path for item in one.excluded}
    used = tuple(headers[p] for p in one.group.frames if p not in left)
    return used if len({h.exposure_s for h in used}) == 1 else ()


def _setting(record: MasterRecord) -> tuple[str, ...]:
    return tuple(str(record.values.get(word)) for word in HARD)


def build_map(
    ctx: JobContext, sources: Sources, library: Library, recipe: Recipe, folder: Path
) -> BuiltMaster | None:
    """Make one map and file it; None where nothing of the sensor could be looked at.

    Raises
    ------
    CalibrationError
        A master was changed since it was made.
    FileProblemError
        A frame or master cannot be read.
    LibraryError, WriteProblemError
        It cannot be written.
    Cancelled
        If asked to stop.
    """
    inputs = library.inputs(sources.dark.sha256)
    made = make_map(ctx, sources, inputs, recipe, folder)
    if made is None:
        return None
    written, content = made
    with heeding(None):  # A map that has its name is filed.
        record = library.add(written.path, sha256=written.sha256).record
    group = Group(f"bpm-{record.id}", BPM, content.key, tuple(h.path for h in sources.frames))
    return BuiltMaster(
        record, group, sources.title, new=written.new, used=sources.masters, notes=content.history
    )


def make_map(
    ctx: JobContext,
    sources: Sources,
    inputs: Sequence[InputRecord],
    recipe: Recipe,
    folder: Path,
) -> tuple[Written, MasterContent] | None:
    """Make one map as a file, from its sources and the inputs of its dark (see `build_map`)."""
    opened = [(m, unchanged(m.path, m.sha256)) for m in sources.masters]
    pixels = {m.sha256: p for m, p in opened}
    names = _detectors(pixels, sources)
    if not names:
        return None
    parts = ctx.split(*[1.0] * len(names))
    with Scratch(folder) as room:
        searched = [
            _search(part, name, sources, pixels, recipe.defects, room)
            for part, name in zip(parts, names, strict=True)
        ]
        masks = [one.mask for one in searched]
        content = _content(sources, searched, inputs, recipe)
        return _write(folder, content, masks, recipe), content


def _detectors(pixels: Mapping[str, MasterPixels], sources: Sources) -> list[str]:
    """Names of the images that dark and flat both have; ``""`` is the only sensor."""
    lists = [pixels[m.sha256].detectors for m in (sources.dark, sources.flat) if m is not None]
    return [name for name in lists[0] if all(name in one for one in lists)]


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    mask: Mask
    scatter: bool
    """Unstable pixels were looked for."""


def _search(
    ctx: JobContext,
    name: str,
    sources: Sources,
    pixels: Mapping[str, MasterPixels],
    settings: DefectSettings,
    room: Room,
) -> _Searched:
    """Find the bad pixels of one detector."""
    found = sources.dark.values.get("bayer")
    bayer = found if isinstance(found, str) else None
    give_back()
    dark = _dark(sources, pixels, name, room)
    edges = hot_edges(dark, bayer, settings)
    scatter: Scatter | None = None
    if sources.frames:
        scatter = _scatter(ctx, sources, name, dark, edges, room)
        give_back()
        dark = replace(dark, noise_adu=max(_median(scatter.sigma), 1e-3))
        edges = hot_edges(dark, bayer, settings)
    flat = bpm = None
    noise_of_flat = 0.0
    if sources.flat is not None:
        master = pixels[sources.flat.sha256]
        flat, bpm = image_rows(master, name), plane_rows(master, "BPM", name)
        noise = _median_of_rows(plane_rows(master, "UNC", name))
        noise_of_flat = noise if isfinite(noise) else 0.0
    result = find_defects(
        dark,
        edges,
        scatter,
        flat,
        bpm,
        settings,
        flat_noise=noise_of_flat,
        bayer=bayer,
        detector=name,
        room=room,
    )
    ctx.progress(1.0)
    mask = Mask(name, result.flags, result.pixels)
    return _Searched(mask, scatter is not None)


def _dark(
    sources: Sources, pixels: Mapping[str, MasterPixels], name: str, room: Room
) -> DarkSignal:
    """Read the dark signal of one exposure in ADU, and the noise of one frame from its UNC."""
    record = sources.dark
    master, time = pixels[record.sha256], dark_time(record)
    scale = time if is_rate_record(record) else 1.0
    bias = None
    if sources.bias is not None and name in pixels[sources.bias.sha256].detectors:
        bias = image_rows(pixels[sources.bias.sha256], name)
    image = image_rows(master, name)
    if is_rate_record(record):
        rows = Pieces(Combination(image, times=scale))
    else:
        rows = Pieces(Combination(image, bias))
    signal = room.plane(rows.shape, np.float32)
    for band in rows.bands():
        signal.write(band.start, rows[band, slice(None)])
    noise = _median_of_rows(plane_rows(master, "UNC", name))
    of_frame = noise * scale * max(1, record.n_combined) ** 0.5 if isfinite(noise) else None
    return DarkSignal(signal.array, time, bias, sources.egain_e_per_adu, of_frame)


def _median(plane: NDArray[np.float32]) -> float:
    return median_of(lambda: (plane[rows] for rows in bands(plane)))


def _median_of_rows(plane: PlaneRows | None) -> float:
    """Return the median of a plane in a file; NaN where there is none."""
    if plane is None:
        return float("nan")
    pieces = Pieces(plane)
    return median_of(lambda: (plane[rows] for rows in pieces.bands()))


def _scatter(
    ctx: JobContext, sources: Sources, name: str, dark: DarkSignal, edges: Edges, room: Room
) -> Scatter:
    rows = [
        open_treated(h.path, h.images[0] if name in ("", PRIMARY) else name, sources.overscan)
        for h in sources.frames
    ]
    try:
        return measure_scatter(ctx, rows, dark, edges, room)
    finally:
        for source in rows:
            source.close()


def _content(
    sources: Sources,
    searched: Sequence[_Searched],
    inputs: Sequence[InputRecord],
    recipe: Recipe,
) -> MasterContent:
    dark = sources.dark
    values = {
        word: value
        for word, value in dark.values.items()
        if word in (*KEY, "night", "egain_e_per_adu", "pixel_size_um", "telescope")
    }
    lists = [one.mask.pixels for one in searched]
    # What was rejected of them is the dark's to say.
    rows = tuple(
        replace(
            row,
            scale=None,
            rejected_fraction=None,
            rejected_low=None,
            rejected_high=None,
            weight=None,
        )
        for row in inputs
    )
    return MasterContent(
        kind=BPM,
        key={word: value for word, value in values.items() if word in KEY},
        values=values,
        inputs=rows,
        combined=Combined("mask", "none"),
        unit="",
        bias_subtracted=False,
        used=tuple(UsedMaster(m.kind, m.path.name, m.sha256) for m in sources.masters),
        assessment=_assessed(sources, searched),
        recipe=recipe.name,
        software=SOFTWARE,
        history=_history(sources, searched, lists, recipe.defects),
        provenance=map_provenance_text(
            recipe,
            dark.sha256,
            None if sources.bias is None else sources.bias.sha256,
            None if sources.flat is None else sources.flat.sha256,
            with_frames=bool(sources.frames),
            egain_e_per_adu=sources.egain_e_per_adu,
        ),
    )


def _assessed(sources: Sources, searched: Sequence[_Searched]) -> Assessment:
    judge, limits = Judge(BPM), DEFAULT_THRESHOLDS
    total = float(sum(one.mask.flags.size for one in searched))
    lists = [one.mask.pixels for one in searched]

    def number(bit: Defect) -> int:
        return sum(one.count(bit) for one in lists)

    judge.add("hot_pixels", 100.0 * number(Defect.HOT) / total, limits.hot_pixels)
    judge.add("hot_pixel_count", number(Defect.HOT))
    if not any(one.scatter for one in searched):
        judge.missing("unstable_pixels", "needs the frames of a dark set, 16 or more")
    else:
        share = 100.0 * number(Defect.UNSTABLE) / total
        judge.add("unstable_pixels", share, limits.unstable_pixels)
    if sources.flat is None:
        judge.missing("cold_pixels", "needs a flat")
    else:
        judge.add("cold_pixels", 100.0 * number(Defect.COLD) / total, limits.cold_pixels)
        judge.add("dead_pixels", number(Defect.DEAD))
    return judge.result()


def _history(
    sources: Sources,
    searched: Sequence[_Searched],
    lists: Sequence[DefectList],
    settings: DefectSettings,
) -> tuple[str, ...]:
    limit = f"{settings.sigmas:g} noises of one frame"
    rate = f"{settings.hot_times_median:g} times the median dark signal"
    if lists[0].unit == "e-/s":
        rate = f"{settings.hot_e_per_s:g} e-/s"
    out = [
        f"Hot pixels from the dark of {exposure(dark_time(sources.dark))} "
        f"({sources.dark.path.name}): above their surroundings by {limit} and by {rate}"
        + ("." if sources.bias else "; no bias was taken out.")
    ]
    if sources.frames:
        out.append(
            f"Unstable pixels from {count(len(sources.frames), 'frame')} of that dark: scatter "
            f"above {settings.unstable_sigmas:g} times the usual, or two levels. Hot ones are so "
            f"in more than {100 * settings.persistence:g} % of the frames."
        )
    else:
        out.append(
            f"Unstable pixels were not looked for: that needs {settings.min_frames} frames of one "
            "dark in the same run."
        )
    if sources.flat is not None:
        out.append(
            f"Cold and dead pixels from the flat {sources.flat.path.name}: below "
            f"{settings.cold_below:g} and {settings.dead_below:g} of their surroundings."
        )
    else:
        out.append("Cold and dead pixels were not looked for: that needs a flat.")
    for one, pixels in zip(searched, lists, strict=True):
        where = f" of {one.mask.name}" if one.mask.name else ""
        parts = [
            f"{pixels.count(bit)} {word}"
            for bit, word in (
                (Defect.HOT, "hot"),
                (Defect.COLD, "cold"),
                (Defect.DEAD, "of them dead"),
                (Defect.UNSTABLE, "unstable"),
            )
        ]
        share = significant(100.0 * len(pixels) / one.mask.flags.size, 2)
        out.append(f"{count(len(pixels), 'bad pixel')}{where} ({share} %): {', '.join(parts)}.")
    return tuple(out)


def _write(folder: Path, content: MasterContent, masks: Sequence[Mask], recipe: Recipe) -> Written:
    values: dict[str, HeaderValue] = {**content.values, **content.key}
    digest = short_hash(
        recipe_document(recipe),
        BPM,
        values,
        content.inputs,
        content.used,
        SOFTWARE,
        history=content.history,
    )
    frames: Sequence[InputRecord] = content.frames
    name = master_name(
        recipe.name_for(BPM),
        BPM,
        values,
        first_utc=min((r.observed_utc for r in frames if r.observed_utc), default=None),
        short_hash=digest,
        recipe=recipe.name,
    )
    return free_write(folder / name, lambda path: write_defects(path, content, masks))
