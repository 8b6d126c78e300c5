"""Dark flats for flats that were taken before: their exposures typed, or read from a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from calibstudio.domain.dark_flat_draft import DarkFlatDraft
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.outlook import cost_matrix
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.wording import count, exposure
from calibstudio.gui.capture.bias_wizard import SettingsPage
from calibstudio.gui.capture.check_page import CheckPage
from calibstudio.gui.capture.dark_wizard import MatrixTable
from calibstudio.gui.capture.page import Page
from calibstudio.gui.capture.wizard import Wizard
from calibstudio.gui.capture.words import list_text, numbers_in, put_into, settings_words
from calibstudio.gui.context import GuiContext
from calibstudio.gui.forms.ui_dark_flat_page import Ui_DarkFlatPage
from calibstudio.gui.jobs.runner import Job
from calibstudio.gui.sheet import choose_folder
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.fields import NumberField, TextField
from calibstudio.services.answers import AnswerStore

if TYPE_CHECKING:
    from calibstudio.services.flats_taken import FlatsTaken

EXAMPLE = "those of the flats, for example 0.73 2.28"


class DarkFlatPage(Page):
    """Which exposures, and how many of each."""

    def __init__(self, context: GuiContext, draft: DarkFlatDraft, info: CameraInfo) -> None:
        super().__init__(
            "Exposures and number",
            "For which flats?",
            "A dark flat has the exposure of its flats, with the sensor covered. Type the "
            "exposures, or let them be read from the folder of the flats.",
        )
        self._context, self._draft, self._info = context, draft, info
        self._job: Job | None = None
        theme = context.theme
        self.exposures = TextField(theme, name="Exposures in seconds")
        self.exposures.setText(list_text(draft.exposures_s))
        self.number = NumberField(
            theme, name="Good frames of each", minimum=1, maximum=500, value=draft.count, large=True
        )
        self.read = Button(theme, "Read from a folder…", icon="folder", size=ButtonSize.SMALL)
        place = QWidget()
        self.form = form = Ui_DarkFlatPage()
        form.setupUi(place)
        put_into(form.exposures, self.exposures)
        put_into(form.frame_count, self.number)
        put_into(form.read_folder, self.read)
        form.exposures_label.setBuddy(self.exposures)
        form.frame_count_label.setBuddy(self.number)
        form.found.hide()
        self.body.addWidget(place)
        self.say_below()
        self.matrix = MatrixTable(theme)
        self.body.addWidget(self.matrix)
        self.exposures.textEdited.connect(self._on_edited)
        self.number.edited.connect(self._on_edited)
        self.read.clicked.connect(self._on_read)
        self._say()

    @Slot()
    def _on_edited(self) -> None:
        self._draft.exposures_s = numbers_in(self.exposures.text())
        self._draft.count = round(self.number.value())
        self._say()
        self.edited.emit()

    def _say(self) -> None:
        said = ", ".join(exposure(s) for s in self._draft.exposures_s)
        self.form.exposures_note.setText(said or EXAMPLE)

    @Slot()
    def _on_read(self) -> None:
        if self._job is not None:
            self._job.cancel()
            return
        choose_folder(
            self._context.theme,
            self.window(),
            "Folder of the flats",
            self.read_folder,
            start=self._context.settings.current.frames_folder,
        )

    def read_folder(self, folder: Path) -> None:
        """Read the exposures and settings of the flats in a folder, in the background."""
        if self._job is not None:
            return
        info, site = self._info, self._context.settings.current.site

        def work(ctx: JobContext) -> FlatsTaken:
            from calibstudio.services.flats_taken import flats_taken

            return flats_taken(ctx, folder, info, site=site)

        self._show_found(f"Reading {folder}…")
        self.read.setText("Stop reading")
        self._job = self._context.background.submit(f"Flats in {folder.name}", work)
        self._job.succeeded.connect(self._on_taken)
        self._job.failed.connect(self._on_failed)
        self._job.cancelled.connect(self._on_cancelled)
        self._job.finished.connect(self._on_finished)

    @Slot(object)
    def _on_taken(self, taken: FlatsTaken) -> None:
        draft = self._draft
        draft.notes = taken.notes
        if taken.exposures_s:
            draft.exposures_s = taken.exposures_s
            self.exposures.setText(list_text(taken.exposures_s))
        if taken.frames:
            found = {
                name: value
                for name in ("gain", "offset", "readout_mode", "set_temp_c")
                if (value := getattr(taken.settings, name)) is not None
            }
            draft.settings = replace(draft.settings, binning=taken.settings.binning, **found)
            exposures = count(len(taken.exposures_s), "exposure")
            said = settings_words(draft.settings)
            self._show_found(f"{count(taken.frames, 'flat')}, {exposures}. Settings: {said}.")
        else:
            self._show_found("")
        self._say()
        self.edited.emit()

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self._show_found("")
        self._context.problems.report(error)

    @Slot()
    def _on_cancelled(self) -> None:
        self._show_found("Stopped; the exposures are as before.")

    @Slot()
    def _on_finished(self) -> None:
        self._job = None
        self.read.setText("Read from a folder…")

    def _show_found(self, text: str) -> None:
        self.form.found.setText(text)
        self.form.found.setVisible(bool(text))

    def answer(self) -> str:
        draft = self._draft
        if not self.is_answered():
            return "no exposure yet"
        exposures = count(len(draft.exposures_s), "exposure")
        return f"{exposures}, {count(draft.count, 'frame')} each"

    def is_answered(self) -> bool:
        return bool(self._draft.exposures_s)

    def stop(self) -> None:
        """Read no more: the wizard closes."""
        if self._job is not None:
            self._job.cancel()


class DarkFlatWizard(Wizard):
    """Dark flats alone."""

    name = "dark-flat"

    def __init__(
        self, context: GuiContext, answers: AnswerStore, parent: QWidget | None = None
    ) -> None:
        info = context.equipment.observatory.camera.info
        draft = DarkFlatDraft.for_camera(info)
        # Exposures are those of other flats the next time.
        draft = answers.recall(self.name, draft, lambda d: d.problems(info))
        draft.exposures_s = ()
        super().__init__(context, "New dark flats", draft, parent)
        self.dark_flat = draft
        self.what = DarkFlatPage(context, draft, info)
        self.check = CheckPage(context.theme, draft)
        self.set_pages([self.what, SettingsPage(context, draft, info, like="flats"), self.check])

    def renew(self) -> None:
        possible = not self.problems()
        plan = self.dark_flat.plan(self.info) if possible else None
        self.what.matrix.show_matrix(None if plan is None else cost_matrix(plan, self.info))

    def show_costs(self, plan: CapturePlan) -> None:
        self.check.show_plan(plan, self.info)

    def close_down(self) -> None:
        self.what.stop()
        super().close_down()

    def facts(self) -> list[tuple[str, str]]:
        draft = self.dark_flat
        n = len(draft.exposures_s)
        exposures = ", ".join(exposure(s) for s in draft.exposures_s)
        return [
            ("Dark flats", f"{count(n, 'exposure')} × {count(draft.count, 'good frame')}"),
            ("Exposures", exposures or "none yet"),
            ("Settings", settings_words(draft.settings)),
        ]

    def _start_words(self) -> str:
        draft = self.dark_flat
        frames = len(draft.exposures_s) * draft.count
        return f"Start {count(frames, 'dark flat')}" if frames else "Start"
