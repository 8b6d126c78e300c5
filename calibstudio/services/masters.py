"""Every master that a set of groups allows, built in the order of their dependence (RULES 5).

Frames are judged first and BAD ones left out with the reason; each master is judged, written and
filed, and serves those that are built after it in the same run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstudio.domain.errors import CalibStudioError, FileProblemError
from calibstudio.domain.group_titles import group_titles
from calibstudio.domain.grouping import Group, Grouping, LeftOut
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext, heeding, import_giving_way
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.recipe import Recipe
from calibstudio.services.library import Library
from calibstudio.services.master_plan import BuildPlan, NotBuilt, plan_masters, too_few
from calibstudio.services.master_subtract import DarkRate, bias_out_of

if TYPE_CHECKING:
    from calibstudio.domain.quality import Assessment
    from calibstudio.services.master_parts import Chosen, Limits, Surroundings
    from calibstudio.services.rig_limits import RigLimits

log = logging.getLogger(__name__)

MOST_BIASES = 10
"""Bias frames that are read beside darks and flats to judge them."""


@dataclass(frozen=True, slots=True)
class BuiltMaster:
    """One master of a run."""

    record: MasterRecord
    group: Group
    title: str
    new: bool
    """False when the same master was there already."""
    used: tuple[MasterRecord, ...] = ()
    """Masters that were taken out of its frames."""
    excluded: tuple[LeftOut, ...] = ()
    """Frames that were left out, with the reason."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedGroup:
    """A group that became no master, or a file that is in no group."""

    name: str
    """Title of the group, or path of the file."""
    reason: str
    group: Group | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class MastersReport:
    """What a run built, and what it did not."""

    masters: tuple[BuiltMaster, ...] = ()
    skipped: tuple[SkippedGroup, ...] = ()
    """A problem each."""
    left: tuple[SkippedGroup, ...] = ()
    """Lights, masters and other frames that are not stacked: no problem."""


def build_masters(
    ctx: JobContext,
    grouping: Grouping,
    headers: Mapping[Path, FrameHeader],
    library: Library,
    recipe: Recipe,
    *,
    out: Path | None = None,
    memory_bytes: int | None = None,
    threads: int | None = None,
    stop_at_broken: bool = False,
    on_built: Callable[[BuiltMaster], None] | None = None,
    rigs: RigLimits | None = None,
) -> MastersReport:
    """Build, judge and file every master that the groups allow.

    Parameters
    ----------
    grouping
        Groups with what the operator excluded.
    headers
        Of all frames in the groups, by path.
    library
        Where masters are filed, and where darks and biases are looked for that this run lacks.
    out
        Folder for the master files; the library's own when not given.
    memory_bytes
        Most memory for pixels; groups that need more are skipped, with what they need. None: as
        little as does not slow the work down.
    stop_at_broken
        A frame that breaks while it is read (cut off, gone) stops its group; else the group is
        built from the others, and it is said.
    on_built
        Called with every master as soon as it is filed, in this job's thread.
    rigs
        Rigs whose own limits count for their frames and masters. None: those of nobody.

    Raises
    ------
    LibraryError
        The library cannot be written.
    Cancelled
        If asked to stop: masters that are filed stay, the one at work leaves nothing behind.
    """
    with heeding(ctx.token):
        import_giving_way("astropy.io.fits", "calibstudio.services.master_build")
    from calibstudio.services.master_choice import only_detectors
    from calibstudio.services.master_parts import Limits
    from calibstudio.services.rig_limits import NO_RIGS

    limits = Limits(memory_bytes, threads, stop_at_broken)
    frames = {path: only_detectors(header) for path, header in headers.items()}
    run = _Run(
        grouping, frames, library, recipe, out or library.folder, limits, on_built, rigs or NO_RIGS
    )
    with heeding(ctx.token):
        return run.all(ctx)


def nothing_built(grouping: Grouping, recipe: Recipe) -> MastersReport:
    """Return what a run says of files from which no master can be built."""
    skipped, left = _not_built(grouping, plan_masters(grouping, recipe))
    return MastersReport((), tuple(skipped), tuple(left))


def _not_built(
    grouping: Grouping, plan: BuildPlan
) -> tuple[list[SkippedGroup], list[SkippedGroup]]:
    """Return the groups and files that become no master: problems, and those that need not."""
    titles = group_titles(grouping.groups)

    def entry(one: NotBuilt) -> SkippedGroup:
        return SkippedGroup(titles[one.group.id], one.reason, group=one.group)

    skipped, left = [entry(one) for one in plan.skipped], [entry(one) for one in plan.left]
    for item in grouping.ungrouped:
        is_done = _is_done(grouping.headers.get(item.path))
        said = SkippedGroup(str(item.path), item.reason, path=item.path)
        (left if is_done else skipped).append(said)
    return skipped, left


def _is_done(header: FrameHeader | None) -> bool:
    """Whether a file that is in no group needs no stacking: a master, or calibrated."""
    if header is None or header.kind is None or header.damage or not header.images:
        return False
    return (
        bool(header.is_master or header.calibrated or header.unit) or header.kind == FrameKind.LIGHT
    )


@dataclass(slots=True)
class _Run:
    """One run over many groups."""

    grouping: Grouping
    headers: Mapping[Path, FrameHeader]
    library: Library
    recipe: Recipe
    folder: Path
    limits: Limits
    on_built: Callable[[BuiltMaster], None] | None
    rigs: RigLimits
    built: list[BuiltMaster] = field(default_factory=list)
    skipped: list[SkippedGroup] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    judged: dict[Path, Assessment] = field(default_factory=dict)
    rates: dict[tuple[str, str], DarkRate | None] = field(default_factory=dict)

    def all(self, ctx: JobContext) -> MastersReport:
        """Build everything."""
        self.titles = group_titles(self.grouping.groups)
        plan = plan_masters(self.grouping, self.recipe)
        self.skipped, left = _not_built(self.grouping, plan)
        plan = replace(plan, groups=self._within_memory(plan.groups))
        weights = [self._weight(group) for group in plan.groups]
        total = sum(weights) or 1.0
        judging, *parts, mapping = ctx.split(0.5 * total, *weights, 0.3 * total)
        if self.recipe.flat.mask:
            # So that it is found again by its bytes, wherever the recipe lies.
            self.library.sha256s(JobContext(), [Path(self.recipe.flat.mask)])
        self._judge(judging, plan.groups)
        for group, part in zip(plan.groups, parts, strict=True):
            self._one(part, group)
        if self.recipe.defects.build and self.built:
            self._map_defects(mapping)
        self._read_again()
        ctx.progress(1.0, f"{len(self.built)} masters")
        return MastersReport(tuple(self.built), tuple(self.skipped), tuple(left))

    def _within_memory(self, groups: Sequence[Group]) -> tuple[Group, ...]:
        """Return the groups that fit into the memory; others are skipped, with what they need."""
        from calibstudio.services.master_memory import why_not

        fitting = []
        for group in groups:
            header = self.headers[group.frames[0]]
            reason = why_not(header, group.kind, self.recipe, self.limits.memory_bytes)
            if reason:
                self.skipped.append(SkippedGroup(self.titles[group.id], reason, group=group))
            else:
                fitting.append(group)
        return tuple(fitting)

    def _read_again(self) -> None:
        """Renew the records: flats that were built later measured the gain of biases and darks."""
        if any(b.record.kind == FrameKind.FLAT for b in self.built):
            self.built = [replace(b, record=self.library.get(b.record.sha256)) for b in self.built]

    def _weight(self, group: Group) -> float:
        """Work of a group: its pixels."""
        shape = self.headers[group.frames[0]].shape or (1, 1)
        return float(len(group.frames) * max(1, shape[0] * shape[1]))

    def _judge(self, ctx: JobContext, groups: Sequence[Group]) -> None:
        """Judge all frames once, biases first, as capture does."""
        from calibstudio.imaging.combine_share import FRAMES, Space
        from calibstudio.services.judge import held_temperatures, judge_files

        memory = self.limits.memory_bytes
        space = FRAMES if memory is None else Space(memory)
        frames = [self.headers[path] for g in groups for path in self.grouping.stacked(g)]
        held = held_temperatures(groups, self.headers)
        self.judged = (
            judge_files(ctx, frames, held=held, space=space, rigs=self.rigs) if frames else {}
        )

    def _one(self, ctx: JobContext, group: Group) -> None:
        """Build one group; a foreseen failure is its own and the rest goes on."""
        from calibstudio.domain.planes import give_back

        title = self.titles[group.id]
        give_back()
        ctx.progress(0.0, title)
        try:
            built = self._build(ctx, group, title)
        except CalibStudioError as error:
            log.warning("%s: %s", title, error)
            reason = f"{error} {error.hint}".strip()
            self.skipped.append(SkippedGroup(title, reason, group=group))
            return
        if built is not None:
            self.built.append(built)
            if self.on_built is not None:
                self.on_built(built)

    def _build(self, ctx: JobContext, group: Group, title: str) -> BuiltMaster | None:
        from calibstudio.services.master_build import build_master
        from calibstudio.services.master_choice import without_broken

        choosing, together, building = ctx.split(1, 1, 6)
        recipe = self._recipe_for(group)
        chosen = self._choose(choosing, group, recipe)
        while True:
            if len(chosen.headers) < self.recipe.min_frames:
                reason = too_few(len(chosen.headers), self.recipe)
                if chosen.left_out:
                    first = chosen.left_out[0]
                    reason += f" {first.path.name} was left out: {first.reason}"
                self.skipped.append(SkippedGroup(title, reason, group=group))
                return None
            try:
                around = self._look_around(together, chosen)
                written, beside = build_master(
                    building, chosen, around, recipe, self.folder, self.limits
                )
                break
            except FileProblemError:
                rest = without_broken(chosen)
                if self.limits.stop_at_broken or len(rest.headers) == len(chosen.headers):
                    raise
                chosen = rest
        with heeding(None):  # A master that has its name is filed.
            added = self.library.add(written.path, sha256=written.sha256, beside=beside)
        return BuiltMaster(
            added.record,
            group,
            title,
            new=written.new,
            used=around.subtraction.masters,
            excluded=chosen.left_out,
            notes=tuple(dict.fromkeys((*chosen.notes, *around.subtraction.said, *group.notes))),
        )

    def _map_defects(self, ctx: JobContext) -> None:
        """Make bad-pixel maps of the darks and flats of this run; what fails is said."""
        from calibstudio.services.master_defects import build_map, overscan_of, sources_of_maps

        wanted = sources_of_maps(self.built, self.headers, self.library, self.recipe)
        groups = {b.record.sha256: b.group for b in self.built}
        for plain, part in zip(wanted, ctx.split(*[1.0] * len(wanted)), strict=True):
            recipe, sources = self.recipe, plain
            if plain.dark.sha256 in groups:
                recipe = self._recipe_for(groups[plain.dark.sha256])
                sources = replace(plain, overscan=overscan_of(plain.dark, recipe))
            part.progress(0.0, sources.title)
            try:
                built = build_map(part, sources, self.library, recipe, self.folder)
            except CalibStudioError as error:
                log.warning("%s: %s", sources.title, error)
                self.skipped.append(SkippedGroup(sources.title, f"{error} {error.hint}".strip()))
                continue
            if built is not None:
                self.built.append(built)
                if self.on_built is not None:
                    self.on_built(built)

    def _recipe_for(self, group: Group) -> Recipe:
        """Return the recipe with the sections that the rig of a group states, where it does."""
        from calibstudio.services.rig_overscan import with_stated_sections

        headers = [self.headers[path] for path in group.frames]
        overscan, _ = with_stated_sections(self.recipe.overscan, headers, self.rigs)
        return replace(self.recipe, overscan=overscan)

    def _choose(self, ctx: JobContext, group: Group, recipe: Recipe) -> Chosen:
        """Sort the frames of a group into those that are used and those that are not."""
        from calibstudio.services.master_choice import choose_frames
        from calibstudio.services.rig_overscan import with_stated_sections

        chosen = choose_frames(
            ctx, group, self.grouping.excluded, self.headers, self.judged, self.library, recipe
        )
        headers = [self.headers[path] for path in group.frames]
        _, notes = with_stated_sections(self.recipe.overscan, headers, self.rigs)
        return replace(chosen, notes=(*chosen.notes, *notes)) if notes else chosen

    def _look_around(self, ctx: JobContext, chosen: Chosen) -> Surroundings:
        """Find what is taken out of a group, its bias, and what its frames say together."""
        from calibstudio.services.judge_sets import judge_set_alone_and_beside
        from calibstudio.services.master_around import bias_for, subtraction_for
        from calibstudio.services.master_parts import Surroundings
        from calibstudio.services.master_stack import is_rate
        from calibstudio.services.master_subtract import Subtraction

        taking, setting = ctx.split(1, 2)
        frames = tuple(h.path for h in chosen.headers)
        now = tuple(b.record for b in self.built)
        bias = bias_for(chosen, now, self.library, self.recipe)
        subtraction = Subtraction()
        if chosen.group.kind == FrameKind.FLAT:
            subtraction = subtraction_for(
                taking, chosen, now, self.library, self.recipe, self.rates
            )
        elif is_rate(chosen.group.kind, self.recipe):
            subtraction = bias_out_of(frames, bias, chosen.title)
        taking.progress(1.0)
        thresholds, _ = self.rigs.of(chosen.headers[0])
        alone, beside = judge_set_alone_and_beside(
            setting,
            replace(chosen.group, frames=frames),
            {h.path: h for h in chosen.headers},
            biases=[] if chosen.group.kind == FrameKind.BIAS else self._bias_frames(chosen),
            bias_level_adu=subtraction.pedestal_adu,
            overscan=chosen.overscan,
            thresholds=thresholds,
        )
        return Surroundings(subtraction, alone, bias, beside, thresholds)

    def _bias_frames(self, chosen: Chosen) -> list[FrameHeader]:
        """Return bias frames of this run with the same settings."""
        from calibstudio.services.judge import same_settings

        built = {p for b in self.built if b.record.kind == FrameKind.BIAS for p in b.group.frames}
        left = {item.path for b in self.built for item in b.excluded}
        first = chosen.headers[0]
        fitting = [
            self.headers[p] for p in sorted(built - left) if same_settings(self.headers[p], first)
        ]
        return fitting[:MOST_BIASES]
