"""Building masters in the background, whoever asks: one job, one report in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.quality import Verdict
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.wording import count
from calibstudio.gui.context import GuiContext
from calibstudio.gui.jobs.runner import Job

if TYPE_CHECKING:
    from calibstudio.services.masters import MastersReport

MOST_REASONS = 3


def build_in_background(
    context: GuiContext,
    title: str,
    find_groups: Callable[[JobContext], Grouping],
    on_built: Callable[[MastersReport], None],
    *,
    recipe: Recipe | None = None,
) -> Job:
    """Build, judge and file the masters of some groups (see `report_in_background`).

    ``find_groups`` runs first, in the job; ``on_built`` is called in the GUI thread with the
    report after its outcome was said. Without a ``recipe`` the default serves.
    """

    def work(ctx: JobContext) -> MastersReport:
        from calibstudio.services.masters import build_masters
        from calibstudio.services.rig_limits import limits_here

        first, second = ctx.split(1, 20)
        grouping = find_groups(first)
        return build_masters(
            second,
            grouping,
            grouping.headers,
            context.open_library(),
            recipe or Recipe(),
            memory_bytes=settings.stack_memory_bytes,
            stop_at_broken=settings.stop_at_broken,
            rigs=limits_here(context.connection.rigs),
        )

    settings = context.settings.current
    return report_in_background(context, title, work, on_built)


def report_in_background(
    context: GuiContext,
    title: str,
    work: Callable[[JobContext], MastersReport],
    on_built: Callable[[MastersReport], None],
) -> Job:
    """Do work that makes masters, and say what came of it."""
    job = context.background.submit(title, work)

    def say(report: MastersReport) -> None:
        job.note = _say(context, report)
        _teach(context, report)
        on_built(report)

    job.succeeded.connect(say)
    job.failed.connect(context.problems.report)
    return job


def _teach(context: GuiContext, report: MastersReport) -> None:
    """Keep with the connected rig what masters of its camera measured."""
    from calibstudio.services.rig_learning import teach

    observatory = context.equipment.observatory
    if observatory.rig is None:
        return
    camera = observatory.camera.info.name
    try:
        records = [built.record for built in report.masters]
        new = teach(context.connection.rigs, observatory.rig.name, camera, records)
    except CalibStudioError as error:
        context.problems.report(error)
        return
    if new:
        words = ", ".join(one.what.words.lower() for one in new)
        context.toasts.say(f"{observatory.rig.name} has learned: {words}.")


def _say(context: GuiContext, report: MastersReport) -> str:
    """Say what came of it; return the verdicts in a few words."""
    verdicts = [built.record.verdict for built in report.masters]
    counted = ", ".join(f"{verdicts.count(v)} {v.value}" for v in Verdict if v in verdicts)
    reasons = [f"{s.name}: {s.reason}" for s in report.skipped[:MOST_REASONS]]
    if report.masters:
        worrying = bool(report.skipped) or any(v is not Verdict.GOOD for v in verdicts)
        made = count(len(report.masters), "master")
        context.toasts.say(
            f"{made} in the library: {counted}.",
            "warn" if worrying else "good",
            hint="\n".join(reasons),
            action="Show",
            on_action=lambda: context.toasts.show_wanted.emit("library"),
        )
    else:
        left = [f"{s.name}: {s.reason}" for s in report.left[:MOST_REASONS]]
        context.toasts.say("No master was built.", "bad", hint="\n".join(reasons or left))
    return counted
