"""What a group becomes, and the job that makes it: building masters in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from calibstudio.domain.group_titles import group_title
from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import CALIBRATION_KINDS
from calibstudio.domain.quality import Verdict
from calibstudio.domain.recipe import Normalization, Recipe
from calibstudio.domain.wording import count, number, significant
from calibstudio.gui.context import GuiContext
from calibstudio.gui.frames.state import FramesState
from calibstudio.gui.jobs.runner import Job
from calibstudio.imaging.combine import describe_rule
from calibstudio.imaging.reject import resolve


def group_facts(state: FramesState, group: Group) -> list[tuple[str, str]]:
    """Say what a group becomes with the default recipe, as names and values."""
    used = state.used(group)
    n = len(used)
    facts = [
        ("Master", _what(group)),
        ("Frames", f"{number(n)} of {number(len(group.frames))}"),
    ]
    if n < Recipe().min_frames:
        facts.append(("Stacked", "not: at least 2 frames are needed"))
        return facts
    settings = resolve(Recipe().stack_for(group.kind), n).settings
    facts.append(("Combined by", describe_rule(settings)))
    multiplied = settings.normalize is Normalization.MULTIPLICATIVE
    facts.append(("Normalisation", "each frame by its level" if multiplied else "none"))
    noise = [v for p in used if (a := state.assessment(p)) and (v := a.value("noise")) is not None]
    if noise and group.kind in ("bias", "dark", "dark flat"):
        middle = sorted(noise)[len(noise) // 2]
        facts.append(("Noise of one frame", f"{significant(middle, 3)}\u202fADU"))
    return facts


def _what(group: Group) -> str:
    title = group_title(group)
    if group.kind in ("dark", "dark flat"):
        return f"{title}, bias kept inside"
    return title


class Stacking(QObject):
    """Builds masters of chosen groups, one job at a time for one library.

    Signals
    -------
    built(object)
        The report of the masters service.
    """

    built = Signal(object)

    def __init__(self, context: GuiContext, state: FramesState, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._state = context, state
        self.job: Job | None = None

    def start(self, groups: Sequence[Group]) -> None:
        """Build the masters of these groups, in the order of their dependence."""
        wanted = [g for g in groups if g.kind in CALIBRATION_KINDS or len(groups) == 1]
        grouping = replace(self._state.grouping, groups=tuple(wanted))
        if not wanted:
            self._context.toasts.say(
                "There is no bias, dark or flat group to stack.", "info", hint="Add their folder."
            )
            return
        title = group_title(wanted[0]) if len(wanted) == 1 else count(len(wanted), "group")
        self.job = self._context.background.submit(
            f"Stack {title}", lambda ctx: self._build(ctx, grouping)
        )
        self.job.succeeded.connect(self._on_built)
        self.job.failed.connect(self._context.problems.report)

    def _build(self, ctx: JobContext, grouping: Grouping) -> Any:
        from calibstudio.services.masters import build_masters

        return build_masters(ctx, grouping, self._context.open_library())

    @Slot(object)
    def _on_built(self, report: Any) -> None:
        job = self.sender()
        verdicts = [m.verdict for m in report.masters]
        counted = ", ".join(f"{verdicts.count(v)} {v.value}" for v in Verdict if verdicts.count(v))
        if isinstance(job, Job):
            job.note = counted
        n = count(len(report.masters), "master")
        skipped = [f"{s.title}: {s.reason}" for s in report.skipped]
        if report.masters:
            kind = "good" if not skipped and Verdict.BAD not in verdicts else "warn"
            self._context.toasts.say(
                f"{n} in the library: {counted}.", kind, hint=" ".join(skipped[:3])
            )
        elif skipped:
            self._context.toasts.say("No master was built.", "bad", hint=" ".join(skipped[:3]))
        self.built.emit(report)
