"""Carrying out a configuration without a screen: take the frames, build their masters, or go on.

The command line and its tests use it; everything it does goes through `run_sequence` and
`build_masters`, as in the window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.domain.capture import CaptureReport, CaptureStatus, SequenceControl
from calibstudio.domain.equipment import CameraInfo, Frame, Observatory, Site
from calibstudio.domain.errors import CalibStudioError, UsageError
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import grouping_keys
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import CALIBRATION_KINDS
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.run_config import CoolingWish, Part, RunConfig
from calibstudio.services.answers import AnswerStore
from calibstudio.services.capture import run_sequence
from calibstudio.services.capture_journal import Origin, StateLog
from calibstudio.services.capture_state import Resumed, find_sequences, resume_plan
from calibstudio.services.cooling import CoolingRules
from calibstudio.services.latest import Latest
from calibstudio.services.run_config import parse_run_config
from calibstudio.services.trained import TrainedStore
from calibstudio.store.folder_sink import FolderSink

if TYPE_CHECKING:
    from calibstudio.services.masters import MastersReport
    from calibstudio.services.rig_limits import RigLimits


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What the options and the settings of the program say beside the file."""

    rig: str
    frames_folder: Path
    library: str
    out: Path | None = None
    part: Part = Part.ALL
    cool: bool = True
    warm_up: bool = True


@dataclass(frozen=True, slots=True)
class RunJob:
    """One run: what is asked for, and where things go."""

    config: RunConfig
    text: str
    """Of the file; kept with the sequence, so that it can go on without the file."""
    settings: RunSettings
    resumed: Resumed | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def times(self) -> int:
        """How often this sequence was gone on with."""
        return 0 if self.resumed is None else self.resumed.times

    @property
    def builds_masters(self) -> bool:
        """Whether masters are made of what was captured."""
        return self.config.masters and self.settings.part in (Part.ALL, Part.MASTERS)

    def origin(self) -> Origin:
        """What is written down with a new sequence."""
        s = self.settings
        options = {
            "config": self.text,
            "name": self.config.name,
            "library": s.library,
            "out": None if s.out is None else str(s.out),
            "part": str(s.part),
            "cool": s.cool,
            "warm_up": s.warm_up,
        }
        return Origin(rig=s.rig, options=options)


def job_of_sequence(resumed: Resumed, settings: RunSettings) -> RunJob:
    """Return the job that goes on with a sequence; what it was begun with counts.

    Raises
    ------
    FileProblemError
        What was kept of its configuration makes no sense any more.
    """
    options = resumed.origin.options
    text = options.get("config")
    config = RunConfig(name=resumed.path.name)
    if isinstance(text, str) and text:
        name = str(options.get("name", resumed.path.name))
        config = parse_run_config(text, name, resumed.path.parent)
    known = replace(
        settings,
        rig=resumed.origin.rig,
        frames_folder=resumed.root,
        library=str(options.get("library") or settings.library),
        out=_path(options) or settings.out,
        part=_part(options),
        cool=bool(options.get("cool", True)),
        warm_up=bool(options.get("warm_up", True)),
    )
    return RunJob(replace(config, masters=resumed.plan.build_masters), str(text or ""), known,
                  resumed)  # fmt: skip


def sequence_to_resume(folder: Path, wanted: str) -> Resumed:
    """Find the sequence to go on with: a file by name, or the newest in a folder that can.

    Raises
    ------
    UsageError
        There is none, or it is running or has nothing left.
    FileProblemError
        The file is no sequence.
    """
    if wanted:
        path = Path(wanted)
        if not path.is_file():
            path = next(iter(sorted(folder.glob(f"**/{path.name}"))), path)
        if not path.is_file():
            raise UsageError(
                f"There is no sequence {wanted}.",
                hint=f"Sequences are files sequence_*.jsonl below {folder}.",
            )
        return _checked(resume_plan(path.resolve()))
    found = find_sequences(folder)
    for candidate in found:
        if candidate.can_go_on or lacks_masters(candidate):
            return resume_plan(candidate.path)
    running = next((r for r in found if r.running), None)
    if running is not None:
        return _checked(running)
    raise UsageError(
        f"No sequence below {folder} has anything left to take.",
        hint="Name another folder with --frames, or start a new one.",
    )


def _checked(resumed: Resumed) -> Resumed:
    if resumed.running:
        raise UsageError(
            f"The sequence {resumed.path.name} is running in another window or program.",
            hint="Go on with it there, or close that program first.",
        )
    if not resumed.can_go_on and not lacks_masters(resumed):
        raise UsageError(
            f"The sequence {resumed.path.name} has all its frames"
            + (" and its masters." if resumed.has_masters else "."),
            hint="Start a new one.",
        )
    return resumed


def lacks_masters(resumed: Resumed) -> bool:
    """Whether the program ended after the last frame, before the masters were built."""
    wanted = resumed.plan.build_masters and "config" in resumed.origin.options
    part = _part(resumed.origin.options)
    done = resumed.has_masters or resumed.running
    return wanted and part is Part.ALL and resumed.good > 0 and not done


def capture(
    ctx: JobContext,
    job: RunJob,
    observatory: Observatory,
    plan: CapturePlan,
    control: SequenceControl,
    on_status: Callable[[CaptureStatus], None],
    trained_folder: Path,
    preview: Latest[Frame] | None = None,
) -> CaptureReport:
    """Take the frames of a job, or what is left of them; see `run_sequence`."""
    AnswerStore.for_rig(trained_folder, observatory.name).keep_used(plan)
    sink = FolderSink(job.settings.frames_folder, patterns=job.config.frame_names)
    return run_sequence(
        ctx,
        observatory,
        plan,
        sink,
        control,
        on_status,
        trained=TrainedStore.for_rig(trained_folder, observatory.name),
        preview=preview,
        cooling=cooling_rules(job.config.cooling),
        resumed=job.resumed,
        origin=job.origin(),
    )


def cooling_rules(wish: CoolingWish) -> CoolingRules:
    """Return the rules of cooling that a file asks for."""
    usual = CoolingRules()
    return replace(
        usual,
        tolerance_c=usual.tolerance_c if wish.tolerance_c is None else wish.tolerance_c,
        ramp_c_per_min=(
            usual.ramp_c_per_min if wish.ramp_c_per_min is None else wish.ramp_c_per_min
        ),
        timeout_s=usual.timeout_s if wish.timeout_s is None else wish.timeout_s,
        wait=wish.wait,
        warm_ramp_c_per_min=wish.warm_up_c_per_min,
        warm_to_c=usual.warm_to_c if wish.warm_up_to_c is None else wish.warm_up_to_c,
    )


def with_known_flats(ctx: JobContext, job: RunJob, info: CameraInfo) -> RunConfig:
    """Return the configuration with the exposures of flats on disk in its list of darks.

    Only where darks are taken alone and their list wants the flats' exposure without naming it:
    a whole run takes dark flats after its own flats instead.
    """
    from calibstudio.services.flats_taken import flats_taken

    config = job.config
    lists = [d.science for d in config.darks if d.science is not None and d.science.flat_s is None]
    folder = job.settings.frames_folder / "flats"
    if job.settings.part is not Part.DARKS or not lists or not config.frame_names:
        return config
    exposures = flats_taken(ctx, folder, info).exposures_s if folder.is_dir() else ()
    if not exposures:
        job.notes.append("No flats were found, so no dark of their exposure is taken.")
        return config
    darks = tuple(
        replace(d, exposures_s=tuple(sorted({*d.exposures_s, *exposures})))
        if d.science in lists
        else d
        for d in config.darks
    )
    return replace(config, darks=darks)


def build(
    ctx: JobContext,
    job: RunJob,
    files: tuple[Path, ...] | None,
    *,
    site: Site | None = None,
    memory_bytes: int | None = None,
    stop_at_broken: bool = False,
    rigs: RigLimits | None = None,
) -> tuple[MastersReport, Recipe]:
    """Build the masters of these frames; of all frames of the folder where there are none given.

    Raises
    ------
    UsageError, FileProblemError, LibraryError
        Recipe or library cannot be used.
    Cancelled
    """
    from calibstudio.services.import_frames import scan_and_group
    from calibstudio.services.library import Library
    from calibstudio.services.masters import build_masters

    recipe = recipe_of(job.config)
    scanning, building = ctx.split(1, 20)
    where = [job.settings.frames_folder] if files is None else list(files)
    with Library.open(job.settings.library, job.settings.out) as library:
        grouping, _ = scan_and_group(
            scanning,
            where,
            site=site,
            library=library,
            tolerances=recipe.tolerances,
            keys=grouping_keys(recipe),
        )
        grouping = _of_kinds(grouping, job.config.master_kinds)
        report = build_masters(
            building,
            grouping,
            grouping.headers,
            library,
            recipe,
            out=job.settings.out,
            memory_bytes=memory_bytes,
            stop_at_broken=stop_at_broken,
            rigs=rigs,
        )
    return report, recipe


def note_masters(journal: Path, root: Path, at: Any) -> None:
    """Write down that the masters of a sequence were built; a disk that refuses costs nothing."""
    try:
        log = StateLog.again(journal, root, "")
        try:
            log.masters_built(at)
        finally:
            log.close()
    except CalibStudioError:
        return  # it will be offered once more, and find its masters there already


def recipe_of(config: RunConfig) -> Recipe:
    """Return the recipe that a configuration names, or is."""
    from calibstudio.store.recipes import load_recipe

    if config.recipe:
        return load_recipe(config.recipe)
    return config.own_recipe or load_recipe("default")


def _of_kinds(grouping: Grouping, kinds: tuple[str, ...]) -> Grouping:
    """Leave out groups of kinds that no master is wanted of."""
    unwanted = set(map(str, CALIBRATION_KINDS)) - set(kinds)
    if not unwanted:
        return grouping
    return replace(grouping, groups=tuple(g for g in grouping.groups if g.kind not in unwanted))


def _path(options: Mapping[str, Any]) -> Path | None:
    out = options.get("out")
    return Path(out) if isinstance(out, str) and out else None


def _part(options: Mapping[str, Any]) -> Part:
    word = options.get("part")
    return Part(word) if word in set(Part) else Part.ALL
