"""Plans as files of `calibstudio run`: saved by a wizard, opened on the home of Capture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QWidget

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import CapturePlan, estimate_plan
from calibstudio.domain.wording import count, duration, file_size, number
from calibstudio.gui.capture.run_state import settings_of_run
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet, file_dialog
from calibstudio.gui.widgets.buttons import ButtonKind
from calibstudio.gui.widgets.text import label
from calibstudio.services.cooling_time import time_needed

if TYPE_CHECKING:
    from calibstudio.domain.run_plan import PlanOfConfig
    from calibstudio.services.run_job import RunJob

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
    rig = context.rig_name

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
    context: GuiContext, parent: QWidget, on_start: Callable[[CapturePlan, RunJob], object]
) -> QFileDialog:
    """Let the operator choose a file, show what it asks for, and start it when that is wanted."""
    dialog = file_dialog(
        context.theme, parent, "Open a capture plan", start=Path.home(), filters=FILTERS
    )
    dialog.fileSelected.connect(lambda text: read_plan(context, parent, Path(text), on_start))
    dialog.open()
    return dialog


def read_plan(
    context: GuiContext,
    parent: QWidget,
    path: Path,
    on_start: Callable[[CapturePlan, RunJob], object],
) -> None:
    """Read a file in the background, then ask whether to start it."""
    observatory, settings = context.equipment.observatory, settings_of_run(context)

    def work(ctx: JobContext) -> tuple[PlanOfConfig, RunJob]:
        from calibstudio.domain.run_plan import plan_of
        from calibstudio.services.run_config import read_run_config
        from calibstudio.services.run_job import RunJob
        from calibstudio.services.sky_order import in_measured_order
        from calibstudio.services.trained import TrainedStore

        config, text = read_run_config(path)
        own = replace(
            settings,
            frames_folder=(config.frames_folder or settings.frames_folder).absolute(),
            library=config.library or settings.library,
            out=config.out,
        )
        made = plan_of(config, observatory)
        trained = TrainedStore.for_rig(context.data_folder, observatory.name)
        made = replace(made, plan=in_measured_order(made.plan, trained))
        made.notes[:0] = config.notes
        wanted, here = config.rig, context.rig_name
        if wanted and wanted != here:
            made.notes.insert(0, f"The file is for the rig {wanted}; another one is connected.")
        return made, RunJob(config, text, own)

    job = context.background.submit("Open plan", work, quiet=True)
    job.succeeded.connect(lambda found: _ask(context, parent, path, found[0], found[1], on_start))
    job.failed.connect(context.problems.report)


def _ask(
    context: GuiContext,
    parent: QWidget,
    path: Path,
    made: PlanOfConfig,
    job: RunJob,
    on_start: Callable[[CapturePlan, RunJob], object],
) -> Sheet:
    """Show what a file asks for; the sequence starts when that is wanted."""
    from calibstudio.services.run_job import cooling_rules

    plan = made.plan
    cost = estimate_plan(plan, context.equipment.observatory.camera.info)
    sheet = Sheet(context.theme, plan.title, parent, width=560)
    lines = [f"{number(step.count)} × {step.title}" for step in plan.steps[:MOST_STEPS]]
    if len(plan.steps) > MOST_STEPS:
        lines.append(f"and {count(len(plan.steps) - MOST_STEPS, 'more step')}")
    sheet.body.addWidget(label("\n".join(lines), "secondary", wrap=True))
    needed = time_needed(
        plan,
        cost,
        context.equipment.observatory.camera.info,
        context.equipment.snapshot.camera,
        cooling_rules(job.config.cooling),
    )
    said = (
        f"{path.name}: {count(cost.frames, 'frame')}, about {duration(needed.seconds)}, "
        f"{file_size(cost.bytes)}."
    )
    if needed.words():
        said += f" {needed.words()}."
    sheet.body.addWidget(label(said, "note", wrap=True))
    sheet.body.addWidget(label(where_it_goes(job), "note", wrap=True))
    for note in made.notes:
        sheet.body.addWidget(label(note, "secondary", tone="warn", wrap=True))

    def start() -> None:
        sheet.accept()
        on_start(plan, job)

    sheet.add_button("Cancel", sheet.reject)
    sheet.add_button("Start", start, ButtonKind.PRIMARY)
    sheet.open()
    return sheet


def where_it_goes(job: RunJob) -> str:
    """Say where frames and masters of a file go, by which recipe, and what it answers."""
    config, settings = job.config, job.settings
    said = [f"Frames go to {settings.frames_folder}."]
    if config.masters:
        recipe = config.recipe or ("the file's own" if config.own_recipe else "default")
        said.append(f"Masters go to the library {settings.library}, by the recipe {recipe}.")
    if config.answers:
        asked = count(len(config.answers), "question is", "questions are")
        said.append(f"{asked} answered by the file.")
    return " ".join(said)
