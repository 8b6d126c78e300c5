"""The Calibrate workspace, laid out; matching and applying come with a later version."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import EmptyState, ground
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.workspace import Workspace

LATER = "Comes with a later version."


class CalibrateWorkspace(Workspace):
    """Light sets, the trial on one light, and why these masters: where each will be."""

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(context, "Calibrate", parent)
        self.add_lights = Button(self.theme, "Add lights…", icon="folder", tip=LATER)
        self.add_lights.setEnabled(False)
        self.add_header_action(self.add_lights)
        splitter = Splitter("calibrate", sizes=(372, 924, 548))
        splitter.addWidget(
            self._panel("Lights", "light", "Lights grouped by target and filter.", "")
        )
        splitter.addWidget(
            self._panel(
                "Trial on one light",
                "calibrate",
                "This version does not apply masters to lights yet.",
                "It takes, judges, stacks and files them: the masters are in Library, and any "
                "program that reads FITS can use them.",
            )
        )
        why = self._panel(
            "Why these masters",
            "library",
            "Which masters fit, and why the others do not.",
            "",
            foot=self._make_foot(),
        )
        splitter.addWidget(why)
        self.body.addWidget(splitter, 1)

    def _make_foot(self) -> QWidget:
        foot = ground("panel", border="top")
        row = QHBoxLayout(foot)
        row.setContentsMargins(16, 12, 16, 14)
        self.calibrate = Button(
            self.theme,
            "Calibrate lights",
            ButtonKind.PRIMARY,
            icon="calibrate",
            size=ButtonSize.LARGE,
            tip=LATER,
        )
        self.calibrate.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.calibrate.setEnabled(False)
        row.addWidget(self.calibrate)
        return foot

    def _panel(
        self, title: str, icon: str, sentence: str, hint: str, foot: QWidget | None = None
    ) -> QWidget:
        panel = QWidget()
        head = ground("panel", border="bottom")
        head.setFixedHeight(44)
        row = QVBoxLayout(head)
        row.setContentsMargins(16, 0, 16, 0)
        row.addWidget(label(title, "heading"))
        body = ground("panel", border="right")
        inner = QVBoxLayout(body)
        inner.addWidget(EmptyState(self.theme, icon, sentence, hint=hint or LATER))
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(body, 1)
        if foot is not None:
            column.addWidget(foot)
        panel.setMinimumWidth(240)
        return panel
