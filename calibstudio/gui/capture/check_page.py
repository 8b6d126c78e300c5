"""The last page of every wizard: what happens in which order, then Start."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox

from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import CapturePlan
from calibstudio.gui.capture.page import Page
from calibstudio.gui.capture.plan_table import PlanTable
from calibstudio.gui.theme import ThemeState

COVERED = (
    "The sensor must be dark. A motor cover closes by itself; without cover and shutter you are "
    "asked. Every frame is judged as it arrives, and bad ones are taken again."
)


class BuildsMasters(Protocol):
    """A draft that asks whether masters are built."""

    build_masters: bool


class CheckPage(Page):
    """Everything once more."""

    def __init__(self, theme: ThemeState, draft: BuildsMasters, hint: str = COVERED) -> None:
        super().__init__("Check and start", "Ready?", hint)
        self._draft = draft
        self.table = PlanTable(theme)
        self.build = QCheckBox("Build, judge and file the masters when the frames are taken")
        self.build.setChecked(draft.build_masters)
        self.build.clicked.connect(self._on_build)
        self.table.hide()
        self.body.addWidget(self.table)
        self.body.addWidget(self.build)

    def show_plan(
        self, plan: CapturePlan, info: CameraInfo, exposures_s: dict[str, float] | None = None
    ) -> None:
        """Show what will happen."""
        self.table.show_plan(plan, info, exposures_s)
        self.table.show()

    def show_no_plan(self) -> None:
        self.table.hide()

    @Slot()
    def _on_build(self) -> None:
        self._draft.build_masters = self.build.isChecked()
        self.edited.emit()

    def answer(self) -> str:
        return "masters are built" if self._draft.build_masters else "frames only"

    def set_compact(self, compact: bool) -> None:
        super().set_compact(compact)
        self.table.set_compact(compact)
