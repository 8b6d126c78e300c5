"""From lights to what they need: scanned, grouped by each kind's own rules, held to the library.

Lights are grouped once as the darks they need, once as the flats, once as the biases: so every
tolerance and every key is that of grouping (RULES 3), and what fits is said by the rules of
matching (RULES 8).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import UsageError
from calibstudio.domain.group_notes import WORDS
from calibstudio.domain.group_titles import group_titles
from calibstudio.domain.grouping import Group, Grouping, LeftOut
from calibstudio.domain.grouping_rules import (
    COMMON_KEY,
    TRAIN,
    group_frames,
    grouping_keys,
    why_not_grouped,
)
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import BPM, FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.master_query import MasterQuery
from calibstudio.domain.matching import (
    Candidate,
    Values,
    candidate,
    ranked,
    setting_rules,
    usable_rule,
)
from calibstudio.domain.matching_flats import flat_candidate, ranked_flats
from calibstudio.domain.needs import (
    USUAL_FRAMES,
    USUAL_MAX_AGE_DAYS,
    Judged,
    Moment,
    Need,
    NeedState,
    age_days,
    judge_need,
)
from calibstudio.domain.needs_plan import camera_wish
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.wording import count
from calibstudio.services.import_frames import scan_and_group
from calibstudio.services.library import Library
from calibstudio.services.master_values import common_values

log = logging.getLogger(__name__)

FLATS_FOR_LIGHTS = (*(w for w in COMMON_KEY if w != "set_temp_c"), *TRAIN, "night")
"""What tells the flats of lights apart: a flat does not depend on the temperature of the lights."""


@dataclass(frozen=True, slots=True)
class NeedSettings:
    """How needs are found and judged."""

    recipe: Recipe
    frames: Mapping[str, int] = field(default_factory=dict)
    """Good frames by kind where they are not the usual ones."""
    max_age_days: Mapping[str, int] = field(default_factory=dict)
    """By kind, where not the usual."""
    camera: str = ""
    """Only lights of this camera; empty: of the one with the most lights."""
    site: Site | None = None

    def frames_of(self, kind: str) -> int:
        """Return the good frames of a set."""
        return self.frames.get(kind, USUAL_FRAMES.get(kind, 0))

    def max_age_of(self, kind: str) -> int:
        """Return the days after which a master is stale."""
        return self.max_age_days.get(kind, USUAL_MAX_AGE_DAYS.get(kind, 180))


@dataclass(frozen=True, slots=True)
class LightGroup:
    """Lights that need the same master."""

    group: Group
    title: str
    headers: tuple[FrameHeader, ...]
    values: Values
    when: Moment


@dataclass(frozen=True, slots=True)
class Lights:
    """The lights of one camera, as they need each kind, and the calibration frames beside them."""

    camera: str
    cameras: Mapping[str, int]
    """Lights by camera."""
    headers: tuple[FrameHeader, ...]
    grouping: Grouping
    left_out: tuple[LeftOut, ...]
    """Files that could not be read, and lights that are no raw frames."""
    raw: tuple[tuple[Group, MasterRecord], ...]
    """Groups of raw calibration frames among the files, each as the master it would become."""


def read_lights(
    ctx: JobContext, paths: Sequence[Path], library: Library, settings: NeedSettings
) -> Lights:
    """Scan folders and files for lights.

    Raises
    ------
    UsageError
        There is no light, or none of the camera that was asked for.
    Cancelled
    """
    recipe = settings.recipe
    grouping, unreadable = scan_and_group(
        ctx,
        paths,
        site=settings.site,
        library=library,
        tolerances=recipe.tolerances,
        keys=grouping_keys(recipe),
    )
    lights, left_out = [], list(unreadable)
    for header in grouping.headers.values():
        if header.kind != FrameKind.LIGHT or header.path in grouping.excluded:
            continue
        reason = why_not_grouped(header)
        if not reason:
            lights.append(header)
        elif not header.damage:
            left_out.append(LeftOut(header.path, reason))
    if not lights:
        hint = "Name files or folders of raw lights; calibstudio groups says what files are."
        raise UsageError("There are no raw lights among these files.", hint=hint)
    counted = Counter(h.camera or "unknown camera" for h in lights)
    camera = _camera(counted, settings.camera)
    mine = tuple(h for h in lights if (h.camera or "unknown camera") == camera)
    raw = tuple(
        (group, _future_master(group, [grouping.headers[p] for p in grouping.stacked(group)]))
        for group in grouping.groups
        if group.kind in USUAL_FRAMES and len(grouping.stacked(group)) >= recipe.min_frames
    )
    return Lights(
        camera,
        dict(counted.most_common()),
        mine,
        grouping,
        tuple(sorted(left_out, key=lambda item: item.path)),
        raw,
    )


def _camera(counted: Counter[str], wanted: str) -> str:
    if not wanted:
        return counted.most_common(1)[0][0]
    for name in counted:
        if name.casefold() == wanted.casefold():
            return name
    raise UsageError(
        f"There are no lights of the camera {wanted}.", hint=f"There are: {', '.join(counted)}."
    )


def _future_master(group: Group, headers: Sequence[FrameHeader]) -> MasterRecord:
    """Describe the master that raw frames would become, so that it is matched like any other."""
    times = sorted(h.observed_utc for h in headers if h.observed_utc is not None)
    return MasterRecord(
        sha256="",
        path=group.frames[0].parent,
        kind=group.kind,
        key=group.key,
        n_frames=len(headers),
        n_combined=len(headers),
        unit="adu",
        bias_subtracted=False,
        observed_first_utc=times[0] if times else None,
        observed_last_utc=times[-1] if times else None,
        values={**common_values(headers, group.key).values, **group.key},
    )


def lights_as(
    kind: FrameKind, lights: Lights, recipe: Recipe, words: tuple[str, ...] | None = None
) -> list[LightGroup]:
    """Group lights as if they were frames of a kind: those together that need the same of it."""
    grouped = group_frames(
        [replace(h, kind=kind) for h in lights.headers],
        recipe.tolerances,
        keys=None if words is None else {kind: words},
    )
    titles = group_titles(grouped.groups)
    found = []
    for group in grouped.groups:
        headers = tuple(grouped.headers[p] for p in group.frames)
        values = {**common_values(headers, group.key).values, **group.key}
        times = [h.observed_utc for h in headers if h.observed_utc is not None]
        nights = [h.night for h in headers if h.night is not None]
        when = Moment(max(times, default=None), max(nights, default=None))
        found.append(LightGroup(group, titles[group.id], headers, values, when))
    return found


def library_needs(lights: Lights, library: Library, settings: NeedSettings) -> list[Need]:
    """Return bias, dark, flat and bad-pixel map that lights need, each held to the library."""
    records = present(library, (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT, BPM))
    raw = [record for _, record in lights.raw]
    recipe = settings.recipe
    needs: list[Need] = []
    as_bias = lights_as(FrameKind.BIAS, lights, recipe)
    for kind, groups in (
        (FrameKind.BIAS, as_bias),
        (FrameKind.DARK, lights_as(FrameKind.DARK, lights, recipe)),
        (FrameKind.FLAT, lights_as(FrameKind.FLAT, lights, recipe, FLATS_FOR_LIGHTS)),
    ):
        for one in groups:
            mine = [r for r in records if r.kind == kind]
            judged = _judged(kind, one, mine, settings)
            if judged.state.is_gap:
                judged = _on_disk(kind, one, raw, settings) or judged
            needs.append(_need(kind, one, judged, settings))
    if recipe.defects.build:
        maps = [r for r in records if r.kind == BPM]
        needs += [_map_need(one, maps, settings) for one in as_bias]
    return needs


def present(library: Library, kinds: Iterable[str]) -> list[MasterRecord]:
    """Return the masters of these kinds whose files are there."""
    wanted = tuple(str(kind) for kind in kinds)
    return [r for r in library.masters(MasterQuery(kinds=wanted)) if r.path.is_file()]


def look_at(
    kind: str, one: LightGroup, records: Iterable[MasterRecord], recipe: Recipe
) -> tuple[list[Candidate], list[Candidate]]:
    """Return the masters that fit, the best first, and those that do not."""
    tolerances = recipe.tolerances
    if kind == FrameKind.FLAT:
        found = [flat_candidate(one.values, r, tolerances) for r in records]
        accepted = ranked_flats(found, one.values, one.when.at)
    elif kind == BPM:
        found = [
            Candidate(r, (usable_rule(r), *setting_rules(one.values, r.values))) for r in records
        ]
        accepted = ranked(found, one.values, at=one.when.at)
    else:
        is_dark = kind == FrameKind.DARK
        found = [candidate(one.values, r, tolerances, exposure_too=is_dark) for r in records]
        exposure_s = one.values.get("exposure_s") if is_dark else None
        accepted = ranked(
            found,
            one.values,
            exposure_s=float(exposure_s) if isinstance(exposure_s, (int, float)) else None,
            at=one.when.at,
        )
    return accepted, [c for c in found if not c.accepted]


def _judged(
    kind: str, one: LightGroup, records: Iterable[MasterRecord], settings: NeedSettings
) -> Judged:
    accepted, others = look_at(kind, one, records, settings.recipe)
    return judge_need(kind, accepted, others, one.when, settings.max_age_of(kind))


def _on_disk(
    kind: str, one: LightGroup, raw: Iterable[MasterRecord], settings: NeedSettings
) -> Judged | None:
    """Return raw frames among the files that would become what is needed; None without."""
    accepted, _ = look_at(kind, one, [r for r in raw if r.kind == kind], settings.recipe)
    limit = settings.max_age_of(kind)
    fresh = [c.record for c in accepted if (age_days(c.record, one.when) or 0) <= limit]
    if not fresh:
        return None
    best = fresh[0]
    frames = count(best.n_frames, f"{kind} frame" if kind == FrameKind.BIAS else kind)
    reason = f"{frames} in {best.path} fit; their master is not built yet."
    return Judged(NeedState.FRAMES, reason, None)


def _need(kind: FrameKind, one: LightGroup, judged: Judged, settings: NeedSettings) -> Need:
    reason = judged.reason
    unknown = [WORDS.get(w, w) for w in one.group.unknown if w not in TRAIN[1:]]
    if unknown and judged.state.is_gap:
        reason += f" The lights do not say: {', '.join(unknown)}."
    return Need(
        id=one.group.id,
        kind=kind,
        title=one.title,
        key=one.group.key,
        lights=len(one.headers),
        state=judged.state,
        reason=reason,
        frames=settings.frames_of(kind),
        master=judged.master,
        camera=camera_wish(one.headers),
        candidates=judged.candidates,
    )


def _map_need(one: LightGroup, maps: Sequence[MasterRecord], settings: NeedSettings) -> Need:
    """Return the need of a bad-pixel map: it is made of masters, never taken."""
    judged = _judged(BPM, one, maps, settings)
    reason = judged.reason
    if judged.state.is_gap:
        reason += " It is made with the next dark and flat."
    key: dict[str, HeaderValue] = {w: v for w, v in one.group.key.items() if w != "set_temp_c"}
    return Need(
        id=one.group.id.replace(FrameKind.BIAS, BPM, 1),
        kind=BPM,
        title=one.title.replace("Bias", "Bad-pixel map", 1),
        key=key,
        lights=len(one.headers),
        state=judged.state,
        reason=reason,
        frames=0,
        master=judged.master,
        candidates=judged.candidates,
    )
