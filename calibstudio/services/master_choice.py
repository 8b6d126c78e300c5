"""Which frames of a group go into its master, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from calibstudio.domain import detectors
from calibstudio.domain.grouping import Group, LeftOut
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.row_order import turned_over
from calibstudio.domain.wording import quantity
from calibstudio.services.library import Library
from calibstudio.services.master_images import Makes
from calibstudio.services.master_parts import Chosen
from calibstudio.services.master_select import not_selected
from calibstudio.store.pixels import read_image

COVERED = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)
FOREIGN_SIGMAS = 5.0
"""In noises of a pixel: so far from the others a level is that of another kind of frame."""


def choose_frames(
    ctx: JobContext,
    group: Group,
    excluded: Mapping[Path, str],
    headers: Mapping[Path, FrameHeader],
    judged: Mapping[Path, Assessment],
    library: Library,
    recipe: Recipe,
) -> Chosen:
    """Sort the frames of a group into those that are used and those that are left out.

    Left out are frames that a person excluded, that the recipe does not take, that cannot be
    read, that are BAD (where the recipe says so), covered frames with a level far from the
    others', copies of another, those whose rows are stored the other way round, and those with
    other detectors or another size.
    """
    hashes = library.sha256s(ctx, group.frames)
    reasons: dict[Path, str] = {}
    first_with: dict[str, Path] = {}
    by_numbers: dict[tuple[float | None, ...], list[Path]] = {}
    images: tuple[str, ...] = ()
    used: list[FrameHeader] = []
    readable = (p for p in group.frames if p in hashes and p not in excluded)
    makes = Makes.of(readable, recipe.overscan)
    taken = {p: v.overscan_adu for p, v in makes.looks.items() if v.overscan_adu is not None}
    unselected = not_selected(group, headers, recipe.select.get(group.kind))
    foreign = (
        _foreign_by_exposure(group, headers, judged, recipe, taken) if recipe.leave_out_bad else {}
    )
    turned = turned_over({p: headers[p].row_order for p in group.frames if p not in excluded})
    for path in group.frames:
        reason = _why_not(path, excluded, hashes, first_with, judged.get(path), recipe)
        reason = reason or unselected.get(path, "") or makes.why_not(path)
        reason = reason or foreign.get(path, "") or turned.get(path, "")
        names = makes.names(path)
        if not reason:
            reason = _same_pixels(path, judged.get(path), names, by_numbers)
        if reason:
            reasons[path] = reason
            continue
        images = images or names
        first_with[hashes[path]] = path
        used.append(makes.treated(headers[path]))
    levels = {
        path: level
        for path in group.frames
        if path in judged and (level := judged[path].value("level")) is not None
    }
    return Chosen(
        group,
        tuple(used),
        {path: headers[path] for path in group.frames},
        images or ("",),
        hashes,
        levels,
        tuple(LeftOut(path, reason) for path, reason in reasons.items()),
        notes=(
            *_left_in(used, makes),
            *(note for note in group.notes if note.startswith("By hand: ")),
            *makes.notes,
        ),
        overscan=makes.overscan,
        overscan_adu=taken,
        kept=makes.kept,
        words=makes.words(images or ("",)),
    )


def _left_in(used: Sequence[FrameHeader], makes: Makes) -> tuple[str, ...]:
    """Say that an overscan stays in the master, where frames have one and nothing is done."""
    said = {h.sections for h in used if "BIASSEC" in h.sections or "BSEC" in h.sections}
    if not said or makes.overscan.active or makes.notes:
        return ()
    which = said.pop() if len(said) == 1 else "their sections differ"
    return (
        f"The overscan of the frames stays in ({which}); [overscan] in a recipe takes it out and "
        "trims.",
    )


def only_detectors(header: FrameHeader) -> FrameHeader:
    """Return a header whose images are its detectors alone."""
    kept = detectors.only_detectors(header.images)
    return header if kept == header.images else replace(header, images=kept)


def _foreign_by_exposure(
    group: Group,
    headers: Mapping[Path, FrameHeader],
    judged: Mapping[Path, Assessment],
    recipe: Recipe,
    taken: Mapping[Path, float],
) -> dict[Path, str]:
    """Look for foreign levels among frames of one exposure: longer darks are brighter."""
    if not recipe.dark.together or group.kind != FrameKind.DARK:
        return _foreign(group, judged, taken)
    by_time: dict[float | None, list[Path]] = {}
    for path in group.frames:
        by_time.setdefault(headers[path].exposure_s, []).append(path)
    found: dict[Path, str] = {}
    for frames in by_time.values():
        found |= _foreign(replace(group, frames=tuple(frames)), judged, taken)
    return found


def _foreign(
    group: Group, judged: Mapping[Path, Assessment], taken: Mapping[Path, float]
) -> dict[Path, str]:
    """Return the covered frames whose level says that they are something else, with the reason.

    A level may drift by a part of the noise of a pixel; one that is `FOREIGN_SIGMAS` of it away
    from the median of at least three frames is no frame of this kind.
    """
    if group.kind not in COVERED:
        return {}
    levels = {
        p: v - taken.get(p, 0.0)
        for p in group.frames
        if (p in taken or not taken) and (v := _value(judged, p, "level")) is not None
    }
    noises = [v for p in levels if (v := _value(judged, p, "noise")) is not None]
    if len(levels) < 3 or not noises:
        return {}
    middle, limit = median(levels.values()), FOREIGN_SIGMAS * max(median(noises), 1.0)
    others = quantity(middle, "ADU")
    return {
        path: f"Level {quantity(level, 'ADU')}, the others {others}: it does not belong to them."
        for path, level in levels.items()
        if abs(level - middle) > limit
    }


def _value(judged: Mapping[Path, Assessment], path: Path, metric: str) -> float | None:
    return judged[path].value(metric) if path in judged else None


def _why_not(
    path: Path,
    excluded: Mapping[Path, str],
    hashes: Mapping[Path, str],
    first_with: Mapping[str, Path],
    assessment: Assessment | None,
    recipe: Recipe,
) -> str:
    if path in excluded:
        return f"Excluded by hand: {excluded[path]}".rstrip(": ")
    if path not in hashes:
        return "It is not there any more, or cannot be read."
    if hashes[path] in first_with:
        return f"It is a copy of {first_with[hashes[path]].name}: the same bytes."
    if assessment is None or not recipe.leave_out_bad or assessment.verdict is not Verdict.BAD:
        return ""
    finding = assessment.worst_finding
    return f"It is BAD: {finding.what}" if finding is not None else "It is BAD."


_NUMBERS = ("mean", "minimum", "maximum", "noise", "level")


def _same_pixels(
    path: Path,
    assessment: Assessment | None,
    names: tuple[str, ...],
    by_numbers: dict[tuple[float | None, ...], list[Path]],
) -> str:
    """Say of which frame this one is a copy under another header (or unpacked).

    Two exposures never share all their statistics to the last digit; where they do, the pixels
    themselves are compared.
    """
    if assessment is None:
        return ""
    alike = by_numbers.setdefault(tuple(assessment.value(n) for n in _NUMBERS), [])
    for other in alike:
        if all(np.array_equal(read_image(path, n), read_image(other, n)) for n in names):
            return f"It is a copy of {other.name}: the same pixels."
    alike.append(path)
    return ""


def without_broken(chosen: Chosen) -> Chosen:
    """Leave out the frames that cannot be read any more, each with the reason."""
    from calibstudio.services.stack_inputs import broken_files

    lost = {one.path: one for one in broken_files([h.path for h in chosen.headers])}
    left = [LeftOut(path, f"{one.message} {one.hint}".strip()) for path, one in lost.items()]
    headers = tuple(h for h in chosen.headers if h.path not in lost)
    return replace(chosen, headers=headers, left_out=(*chosen.left_out, *left))
