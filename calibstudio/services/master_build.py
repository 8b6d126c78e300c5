"""One group becomes one master: chosen, scaled, combined, normalised, judged, written, filed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio import __version__
from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import InputRecord, UsedMaster
from calibstudio.domain.recipe import Normalization, Recipe, Rejection, StackSettings
from calibstudio.domain.wording import count, number, quantity, significant
from calibstudio.imaging.calibrate import (
    Levels,
    levels_of,
    normalise,
    reference_levels,
    scales_to,
    with_subtrahend,
)
from calibstudio.imaging.combine import ArraySink, CombineReport, Scale, combine, describe_rule
from calibstudio.services.master_assess import assess
from calibstudio.services.master_floor import rejection_floor
from calibstudio.services.master_parts import Chosen, Stacked, Surroundings
from calibstudio.services.master_plan import Subtraction
from calibstudio.services.master_values import CommonValues, common_values
from calibstudio.store.copied_cards import agreeing_cards
from calibstudio.store.master_cards import Combined, MasterContent
from calibstudio.store.master_fits import Detector, Written, open_pixels, write_master
from calibstudio.store.master_names import master_name, short_hash
from calibstudio.store.pixels import open_rows, read_image
from calibstudio.store.publish import sha256_of
from calibstudio.store.recipes import recipe_document

SOFTWARE = f"CalibStudio {__version__}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the machine a build may use."""

    memory_bytes: int | None = None
    threads: int | None = None


def build_master(
    ctx: JobContext,
    chosen: Chosen,
    around: Surroundings,
    recipe: Recipe,
    folder: Path,
    limits: Limits,
) -> Written:
    """Combine the chosen frames and write the master below ``folder``.

    Raises
    ------
    CalibrationError
        The frames do not allow it (no light in a flat, shapes that differ).
    FileProblemError
        A frame cannot be read any more.
    WriteProblemError
        The master cannot be written.
    Cancelled
        If asked to stop; then nothing is left behind.
    """
    settings = recipe.stack_for(chosen.group.kind)
    common = common_values(chosen.headers, chosen.group.key)
    *parts, judging = ctx.split(*[8.0] * len(chosen.images), 1.0)
    stacked = [
        _stack(part, chosen, image, around.subtraction, settings, recipe, limits)
        for part, image in zip(parts, chosen.images, strict=True)
    ]
    judging.progress(0.1, f"Judging {chosen.title}")
    content = _content(chosen, around, recipe, settings, common, stacked)
    assessment = assess(chosen, around, recipe, common, stacked)
    content = replace(content, assessment=assessment)
    digest = short_hash(
        recipe_document(recipe),
        chosen.group.kind,
        {**common.values, **chosen.group.key},
        content.inputs,
        content.used,
        SOFTWARE,
        judged_with=around.judged_with,
        history=content.history,
    )
    first = min((r.observed_utc for r in content.frames if r.observed_utc), default=None)
    name = master_name(
        recipe.master_name, chosen.group.kind, common.values, first_utc=first, short_hash=digest
    )
    judging.progress(0.5, f"Writing {name.name}")
    return write_master(folder / name, content, [s.detector for s in stacked])


def _stack(
    ctx: JobContext,
    chosen: Chosen,
    image: str,
    subtraction: Subtraction,
    settings: StackSettings,
    recipe: Recipe,
    limits: Limits,
) -> Stacked:
    """Combine one detector of all frames."""
    measuring, combining = ctx.split(1, 3)
    name = _detector_name(chosen, image)
    planes = _subtrahends(subtraction, name)
    taken = [planes.get(_sha(subtraction, h.path)) for h in chosen.headers]
    pedestals = [-h.pedestal_adu for h in chosen.headers]
    scales: tuple[Scale, ...] | None = None
    offsets = pedestals
    reference: Levels = ()
    if settings.normalize is not Normalization.NONE:
        levels = _frame_levels(measuring, chosen, image, taken, recipe)
        reference = reference_levels(levels)
        if settings.normalize is Normalization.MULTIPLICATIVE:
            scales = tuple(_scale(scales_to(one, reference)) for one in levels)
        else:
            offsets = [p + one[0] - reference[0] for p, one in zip(pedestals, levels, strict=True)]
    floor = rejection_floor(chosen.group.kind, chosen.headers, image, settings)
    sources = [open_rows(h.path, image) for h in chosen.headers]
    try:
        sink = ArraySink(sources[0].shape)
        report = combine(
            combining,
            sources,
            settings,
            sink,
            scales=scales,
            offsets=offsets,
            subtract=[None if t is None else t[0] for t in taken],
            read_noise_adu=floor,
            memory_bytes=limits.memory_bytes,
            threads=limits.threads,
        )
    finally:
        for source in sources:
            source.close()
    unc = with_subtrahend(sink.unc, _common_unc(taken), _mean_scale(scales))
    if chosen.group.kind == FrameKind.FLAT:
        return _as_flat(chosen, name, sink, unc, report, scales, reference, recipe)
    cards = agreeing_cards([h.path for h in chosen.headers], image) if name else ()
    detector = Detector(name, sink.image, unc, sink.cnt, cards=cards)
    return Stacked(detector, report, scales, reference, floor_adu=floor)


def _as_flat(
    chosen: Chosen,
    name: str,
    sink: ArraySink,
    unc: NDArray[np.float32],
    report: CombineReport,
    scales: tuple[Scale, ...] | None,
    reference: Levels,
    recipe: Recipe,
) -> Stacked:
    """Divide a flat by its own level."""
    levels = levels_of(sink.image, recipe.flat, chosen.headers[0].bayer)
    _check_light(chosen.title, [levels])
    flat = normalise(sink.image, unc, sink.cnt, levels, unity_below=recipe.flat.unity_below)
    cards = agreeing_cards([h.path for h in chosen.headers], name) if name else ()
    detector = Detector(name, flat.image, flat.unc, flat.cnt, flat.bpm, levels, cards)
    return Stacked(detector, report, scales, reference, flat.n_unity)


def _detector_name(chosen: Chosen, image: str) -> str:
    return "" if len(chosen.images) == 1 else image


def _sha(subtraction: Subtraction, path: Path) -> str:
    master = subtraction.by_frame.get(path)
    return "" if master is None else master.sha256


Planes = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Image and UNC of a master."""


def _subtrahends(subtraction: Subtraction, detector: str) -> dict[str, Planes]:
    """Read the masters that are taken out, by their hashes."""
    planes: dict[str, Planes] = {}
    for record in subtraction.masters:
        if sha256_of(record.path) != record.sha256:
            raise CalibrationError(
                f"{record.path.name} was changed since it was made, so it is not used.",
                hint="Run calibstudio library verify, and build it again.",
            )
        master = open_pixels(record.path)
        if detector and detector not in master.detectors:
            raise CalibrationError(
                f"{record.path.name} has no detector {detector}.",
                hint="Build it again from frames with all detectors.",
            )
        name = detector or None
        planes[record.sha256] = (master.image(name), master.plane("UNC", name))
    return planes


def _frame_levels(
    ctx: JobContext,
    chosen: Chosen,
    image: str,
    taken: Sequence[Planes | None],
    recipe: Recipe,
) -> list[Levels]:
    """Measure each frame's level after what is taken out of it."""
    levels = []
    for i, (header, planes) in enumerate(zip(chosen.headers, taken, strict=True)):
        ctx.progress(i / len(taken), f"Measuring {header.path.name}")
        pixels = read_image(header.path, image).astype(np.float32)
        pixels += np.float32(header.pedestal_adu)
        if planes is not None:
            pixels -= planes[0]
        levels.append(levels_of(pixels, recipe.flat, header.bayer))
    _check_light(chosen.title, levels)
    return levels


def _check_light(title: str, levels: Sequence[Levels]) -> None:
    if any(not level > 0 for one in levels for level in one):
        raise CalibrationError(
            f"{title}: a frame has no light above its dark level, so it cannot be scaled.",
            hint="Leave that frame out, or take the flats again with more light.",
        )


def _scale(levels: Levels) -> Scale:
    if len(levels) == 1:
        return levels[0]
    return (levels[0], levels[1], levels[2], levels[3])


def _mean_scale(scales: tuple[Scale, ...] | None) -> float:
    if scales is None:
        return 1.0
    return float(np.mean([np.mean(s) for s in scales]))


def _common_unc(taken: Sequence[Planes | None]) -> NDArray[np.float32] | None:
    """Return the UNC of what was taken out of every frame, root mean square where it was not
    the same for all."""
    found = {id(planes): planes[1] for planes in taken if planes is not None}
    known = [unc for unc in found.values() if unc is not None]
    if not known:
        return None
    if len(known) == 1:
        return known[0]
    total = np.sqrt(np.mean([unc.astype(np.float64) ** 2 for unc in known], axis=0))
    return np.asarray(total, dtype=np.float32)


def _content(
    chosen: Chosen,
    around: Surroundings,
    recipe: Recipe,
    settings: StackSettings,
    common: CommonValues,
    stacked: Sequence[Stacked],
) -> MasterContent:
    """Everything that the file will say, but for the measurements of the master."""
    applied = stacked[0].report.settings
    rejects = applied.reject is not Rejection.NONE
    bits, meanings = _info_bits(stacked, recipe)
    subtraction = around.subtraction
    return MasterContent(
        kind=chosen.group.kind,
        key=dict(chosen.group.key),
        values=common.values,
        ranges=common.ranges,
        inputs=_inputs(chosen, stacked),
        combined=Combined(
            applied.combine.value,
            applied.reject.value,
            applied.low if rejects else None,
            applied.high if rejects else None,
            settings.normalize.value,
            stacked[0].floor_adu if len(stacked) == 1 else None,
        ),
        unit="" if chosen.group.kind == FrameKind.FLAT else "adu",
        bias_subtracted=subtraction.bias_out,
        dark_subtracted=subtraction.dark_out,
        used=tuple(UsedMaster(m.kind, m.path.name, m.sha256) for m in subtraction.masters),
        copied=agreeing_cards([h.path for h in chosen.headers]),
        infobits=bits,
        bit_meanings=meanings,
        recipe=recipe.name,
        software=SOFTWARE,
        history=_history(chosen, subtraction, common, stacked),
    )


def _info_bits(stacked: Sequence[Stacked], recipe: Recipe) -> tuple[int, tuple[str, ...]]:
    """Return KPF's bits: set where too many pixels of a detector kept too few values."""
    bits, meanings = 0, []
    least, share = recipe.coverage.min_kept, recipe.coverage.share
    for i, one in enumerate(stacked):
        name = one.detector.name or "the sensor"
        few = np.count_nonzero(one.detector.cnt < least) / one.detector.cnt.size
        bits |= int(few > share) << i
        meanings.append(
            f"Set when more than {100 * share:g} % of the pixels of {name} kept fewer than "
            f"{least} values."
        )
    return bits, tuple(meanings)


def _inputs(chosen: Chosen, stacked: Sequence[Stacked]) -> tuple[InputRecord, ...]:
    """One row for every frame offered, in the order of the group."""
    used = {h.path: i for i, h in enumerate(chosen.headers)}
    reasons = {left.path: left.reason for left in chosen.left_out}
    rows = []
    for path in chosen.group.frames:
        header, i = chosen.offered[path], used.get(path)
        row = InputRecord(
            path.name,
            chosen.sha256.get(path, ""),
            header.observed_utc,
            header.exposure_s,
            header.sensor_temp_c,
            chosen.levels_adu.get(path),
            used=i is not None,
            reason=reasons.get(path, ""),
        )
        if i is not None:
            share = float(np.mean([s.report.frames[i].fraction for s in stacked]))
            marked = any(s.report.frames[i].excessive for s in stacked)
            row = replace(
                row,
                scale=_applied_scale(stacked, i),
                rejected_fraction=share,
                reason=f"{100 * share:.1f} % rejected, more than noise gives." if marked else "",
            )
        rows.append(row)
    return tuple(rows)


def _applied_scale(stacked: Sequence[Stacked], i: int) -> float:
    return float(np.mean([1.0 if s.scales is None else np.mean(s.scales[i]) for s in stacked]))


def _history(
    chosen: Chosen,
    subtraction: Subtraction,
    common: CommonValues,
    stacked: Sequence[Stacked],
) -> tuple[str, ...]:
    n, offered = len(chosen.headers), len(chosen.group.frames)
    first = stacked[0]
    out = [
        f"{count(n, 'frame')} of {number(offered)} combined: "
        f"{describe_rule(first.report.settings)}."
    ]
    out += [f"{left.path.name} was left out: {left.reason}" for left in chosen.left_out]
    out += subtraction.sentences
    if subtraction.masters:
        out.append("UNC includes the uncertainty of what was taken out.")
    for one in stacked:
        where = f" of {one.detector.name}" if one.detector.name else ""
        if one.reference:
            levels = ", ".join(significant(level, 6) for level in one.reference)
            out.append(f"Frames{where} were brought to {levels} ADU before rejection.")
        if one.floor_adu is not None:
            out.append(
                f"The sigma of the rule{where} is at least {significant(one.floor_adu, 6)} ADU: "
                "the noise of one frame, from pairs of these frames."
            )
        if one.detector.normval:
            levels = ", ".join(significant(level, 6) for level in one.detector.normval)
            out.append(f"The image{where} was divided by its level, {levels} ADU.")
        if one.n_unity:
            out.append(
                f"{count(one.n_unity, 'pixel')}{where} without light: 1 in the image, 0 in CNT, "
                "1 in BPM."
            )
        if one.report.n_held:
            out.append(
                f"At {count(one.report.n_held, 'pixel')}{where} fewer values would have been "
                "left: the nearest were kept."
            )
    out += [f"PEDESTAL of {quantity(p, 'ADU')} was undone." for p in _pedestals(chosen)]
    return (*out, *common.sentences, *chosen.notes)


def _pedestals(chosen: Chosen) -> list[float]:
    return sorted({h.pedestal_adu for h in chosen.headers if h.pedestal_adu})
