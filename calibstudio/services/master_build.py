"""One group becomes one master: chosen, scaled, combined, normalised, judged, written, filed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibstudio import __version__
from calibstudio.domain.errors import WriteProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.judged_beside import Beside
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import InputRecord, UsedMaster
from calibstudio.domain.planes import Room, bands, give_back
from calibstudio.domain.recipe import Recipe, Rejection, StackSettings
from calibstudio.domain.wording import count, number, quantity, significant
from calibstudio.imaging.combine import describe_rule
from calibstudio.services.frame_notes import about_frames
from calibstudio.services.master_assess import assess
from calibstudio.services.master_parts import Chosen, Limits, Stacked, Surroundings
from calibstudio.services.master_stack import is_rate, stack_detector
from calibstudio.services.master_subtract import Subtraction
from calibstudio.services.master_values import CommonValues, common_values
from calibstudio.services.provenance import provenance_text
from calibstudio.store.copied_cards import agreeing_cards
from calibstudio.store.master_cards import Card, Combined, MasterContent
from calibstudio.store.master_fits import Written, write_master
from calibstudio.store.master_names import master_name, short_hash
from calibstudio.store.recipes import recipe_document
from calibstudio.store.scratch import Scratch

SOFTWARE = f"CalibStudio {__version__}"


def build_master(
    ctx: JobContext,
    chosen: Chosen,
    around: Surroundings,
    recipe: Recipe,
    folder: Path,
    limits: Limits,
) -> tuple[Written, Beside | None]:
    """Combine the chosen frames and write the master below ``folder``.

    Its planes lie in nameless files in that folder until they are in the master.

    Returns
    -------
    tuple
        The file, and what its library is to know beside it.

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
    with Scratch(folder) as room:
        return _build(ctx, chosen, around, recipe, folder, limits, room)


def _build(
    ctx: JobContext,
    chosen: Chosen,
    around: Surroundings,
    recipe: Recipe,
    folder: Path,
    limits: Limits,
    room: Room,
) -> tuple[Written, Beside | None]:
    settings = recipe.stack_for(chosen.group.kind)
    common = common_values(chosen.headers, chosen.key)
    *parts, judging = ctx.split(*[8.0] * len(chosen.images), 1.0)
    stacked = [
        stack_detector(part, chosen, image, around.subtraction, recipe, limits, room)
        for part, image in zip(parts, chosen.images, strict=True)
    ]
    give_back()
    judging.progress(0.1, f"Judging {chosen.title}")
    content = _content(chosen, around, recipe, settings, common, stacked)
    assessment, beside = assess(chosen, around, recipe, common, stacked)
    content = replace(
        content, assessment=assessment, provenance=provenance_text(chosen, around, recipe)
    )
    digest = short_hash(
        recipe_document(recipe),
        chosen.group.kind,
        {**common.values, **chosen.key},
        content.inputs,
        content.used,
        SOFTWARE,
        history=content.history,
    )
    first = min((r.observed_utc for r in content.frames if r.observed_utc), default=None)
    name = master_name(
        recipe.name_for(chosen.group.kind),
        chosen.group.kind,
        common.values,
        first_utc=first,
        short_hash=digest,
        recipe=recipe.name,
    )
    judging.progress(0.5, f"Writing {name.name}")
    detectors = [s.detector for s in stacked]
    written = free_write(folder / name, lambda path: write_master(path, content, detectors))
    return written, beside


MOST_NAMES = 99


def free_write(path: Path, write: Callable[[Path], Written]) -> Written:
    """Write a master; another with the name of its pattern is never replaced: then ``name-2``.

    Names of other systems do not tell every master apart. A master with the same bytes under one
    of these names is found there.

    Raises
    ------
    WriteProblemError
        It cannot be written.
    """
    for number_ in range(1, MOST_NAMES):
        name = path if number_ == 1 else path.with_name(f"{path.stem}-{number_}{path.suffix}")
        try:
            return write(name)
        except WriteProblemError:
            if not name.is_file() or number_ == MOST_NAMES - 1:
                raise
    raise AssertionError("not reached")


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
        key=chosen.key,
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
        unit=unit_of(chosen.group.kind, recipe),
        bias_subtracted=subtraction.bias_out,
        dark_subtracted=subtraction.dark_out,
        used=tuple(UsedMaster(m.kind, m.path.name, m.sha256) for m in subtraction.masters),
        copied=_copied(chosen),
        infobits=bits,
        bit_meanings=meanings,
        recipe=recipe.name,
        software=SOFTWARE,
        history=_history(chosen, subtraction, common, stacked),
    )


def _copied(chosen: Chosen) -> tuple[Card, ...]:
    """Return the cards that the frames agree on, and what was done with their overscan."""
    cards = agreeing_cards([h.path for h in chosen.headers])
    if not chosen.overscan.active:
        return cards
    pattern = chosen.headers[0].bayer
    if pattern is not None and chosen.overscan.trim:
        own: dict[str, str | int] = {
            "BAYERPAT": pattern,
            "XBAYROFF": 0,
            "YBAYROFF": 0,
            "ROWORDER": "TOP-DOWN",
        }
        cards = tuple(one for one in cards if one[0] not in own)
        cards += tuple((k, v, "of the kept part, first row first") for k, v in own.items())
    cards += (("OVERSCAN", chosen.overscan.words, "done to every frame"),)
    levels = [chosen.overscan_adu[h.path] for h in chosen.headers if h.path in chosen.overscan_adu]
    if levels:
        mean = float(f"{np.mean(levels):.7g}")
        cards += (("OVSCLEV", mean, "[adu] mean level of the overscan"),)
    if chosen.kept:
        cards += (("TRIMMED", chosen.kept, "part of the frames that was kept"),)
    return cards


def unit_of(kind: str, recipe: Recipe) -> str:
    """BUNIT of a master of this kind."""
    if kind == FrameKind.FLAT:
        return ""
    return "adu/s" if is_rate(kind, recipe) else "adu"


def _info_bits(stacked: Sequence[Stacked], recipe: Recipe) -> tuple[int, tuple[str, ...]]:
    """Return KPF's bits: set where too many pixels of a detector kept too few values."""
    bits, meanings = 0, []
    least, share = recipe.coverage.min_kept, recipe.coverage.share
    for i, one in enumerate(stacked):
        name = one.detector.name or "the sensor"
        cnt = one.detector.cnt
        few = sum(np.count_nonzero(cnt[rows] < least) for rows in bands(cnt)) / cnt.size
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
                rejected_low=sum(s.report.frames[i].rejected_low for s in stacked),
                rejected_high=sum(s.report.frames[i].rejected_high for s in stacked),
                weight=float(np.mean([s.report.frames[i].weight for s in stacked])),
            )
        rows.append(row)
    return tuple(rows)


def _applied_scale(stacked: Sequence[Stacked], i: int) -> float:
    return float(np.mean([1.0 if s.scales is None else np.mean(s.scales[i]) for s in stacked]))


def _about_overscan(chosen: Chosen) -> list[str]:
    if not chosen.overscan.active:
        return []
    levels = [chosen.overscan_adu[h.path] for h in chosen.headers if h.path in chosen.overscan_adu]
    said = f"Overscan of every frame: {chosen.overscan.words}."
    if levels:
        span = " to ".join(dict.fromkeys(significant(v, 6) for v in (min(levels), max(levels))))
        said += f" Its mean level was {span} ADU."
    return [said, f"Kept of every frame: {chosen.kept}."] if chosen.kept else [said]


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
    out += _about_overscan(chosen)
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
        out += about_frames(one.report, where)
        out += one.sentences
        if one.report.n_held:
            out.append(
                f"At {count(one.report.n_held, 'pixel')}{where} fewer values would have been "
                "left: the nearest were kept."
            )
    out += [f"PEDESTAL of {quantity(p, 'ADU')} was undone." for p in _pedestals(chosen)]
    return (*out, *common.sentences, *chosen.notes)


def _pedestals(chosen: Chosen) -> list[float]:
    return sorted({h.pedestal_adu for h in chosen.headers if h.pedestal_adu})
