"""Plans as files of `calibstudio run`: saved by a wizard, opened on the home of Capture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QWidget

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import CapturePlan, estimate_plan
from calibstudio.domain.wording import count, duration, file_size, number
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet, file_dialog
from calibstudio.gui.widgets.buttons import ButtonKind
from calibstudio.gui.widgets.text import label

if TYPE_CHECKING:
    from calibstudio.domain.run_plan import PlanOfConfig

FILTERS = "Capture plans (*.yaml *.yml);;All files (*)"
MOST_STEPS = 8


def save_plan_as(context: GuiContext, parent: QWidget, plan: CapturePlan) -> QFileDialog:
    """Let the operator name a file, and write the plan to it; nothing is overwritten."""
    dialog = file_dialog(
        context.theme, parent, "Save the plan as a file", start=Path.home(), save=True,
        filters=FILTERS,
    )  # fmt: skip
    dialog.setDefaultSuffix("yaml")
    dialog.setOption(QFileDialog.Option.DontConfirmOverwrite, True)
    dialog.fileSelected.connect(lambda text: write_plan(context, Path(text), plan))
    dialog.open()
    return dialog


def write_plan(context: GuiContext, path: Path, plan: CapturePlan) -> None:
    """Write a plan in the background, and say where it is."""
    rig = context.settings.current.rig

    def work(ctx: JobContext) -> Path:
        from calibstudio.services.run_config_write import save_plan

        save_plan(path, plan, rig=rig)
        return path

    job = context.background.submit("Save plan", work, quiet=True)
    job.succeeded.connect(
        lambda saved: context.toasts.say(
            f"{saved.name} is saved.", "good", hint=f"calibstudio run {saved} carries it out."
        )
    )
    job.failed.connect(context.problems.report)


def open_plan(
    context: GuiContext, parent: QWidget, on_start: Callable[[CapturePlan], object]
) -> QFileDialog:
    """Let the operator choose a file, show what it asks for, and start it when that is wanted."""
    dialog = file_dialog(
        context.theme, parent, "Open a capture plan", start=Path.home(), filters=FILTERS
    )
    dialog.fileSelected.connect(lambda text: read_plan(context, parent, Path(text), on_start))
    dialog.open()
    return dialog


def read_plan(
    context: GuiContext, parent: QWidget, path: Path, on_start: Callable[[CapturePlan], object]
) -> None:
    """Read a file in the background, then ask whether to start it."""
    observatory = context.equipment.observatory

    def work(ctx: JobContext) -> PlanOfConfig:
        from calibstudio.domain.run_plan import plan_of
        from calibstudio.services.run_config import read_run_config

        config, _ = read_run_config(path)
        made = plan_of(config, observatory)
        made.notes[:0] = config.notes
        wanted, here = config.rig, context.settings.current.rig
        if wanted and wanted != here:
            made.notes.insert(0, f"The file is for the rig {wanted}; another one is connected.")
        return made

    job = context.background.submit("Open plan", work, quiet=True)
    job.succeeded.connect(lambda made: _ask(context, parent, path, made, on_start))
    job.failed.connect(context.problems.report)


def _ask(
    context: GuiContext,
    parent: QWidget,
    path: Path,
    made: PlanOfConfig,
    on_start: Callable[[CapturePlan], object],
) -> Sheet:
    """Show what a file asks for; the sequence starts when that is wanted."""
    plan = made.plan
    cost = estimate_plan(plan, context.equipment.observatory.camera.info)
    sheet = Sheet(context.theme, plan.title, parent, width=560)
    lines = [f"{number(step.count)} × {step.title}" for step in plan.steps[:MOST_STEPS]]
    if len(plan.steps) > MOST_STEPS:
        lines.append(f"and {count(len(plan.steps) - MOST_STEPS, 'more step')}")
    sheet.body.addWidget(label("\n".join(lines), "secondary", wrap=True))
    said = (
        f"{path.name}: {count(cost.frames, 'frame')}, about {duration(cost.seconds)} without "
        f"cooling, {file_size(cost.bytes)}."
    )
    sheet.body.addWidget(label(said, "note", wrap=True))
    for note in made.notes:
        sheet.body.addWidget(label(note, "secondary", tone="warn", wrap=True))

    def start() -> None:
        sheet.accept()
        on_start(plan)

    sheet.add_button("Cancel", sheet.reject)
    sheet.add_button("Start", start, ButtonKind.PRIMARY)
    sheet.open()
    return sheet
