"""The question before the program is closed while something is under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QWidget

from calibstudio.gui.sheet import Sheet
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import ButtonKind
from calibstudio.gui.widgets.text import label

LOOK_EVERY_MS = 500
NOTHING_LEFT = "It is over by now: nothing is lost."


class CloseSheet(Sheet):
    """Says what would be stopped, and keeps saying what is so: work goes on behind it."""

    def __init__(
        self,
        theme: ThemeState,
        parent: QWidget,
        reasons: Callable[[], Sequence[str]],
        close_program: Callable[[], object],
    ) -> None:
        """``reasons`` tells what would be lost now, one sentence each; empty for nothing."""
        super().__init__(theme, "Close CalibStudio?", parent)
        self._reasons, self._close_program = reasons, close_program
        self.said = label("", "secondary", wrap=True)
        self.body.addWidget(self.said)
        self.stay = self.add_button("Go on", self.reject)
        self.leave = self.add_button("Stop and close", self._leave, ButtonKind.DANGER)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY_MS)
        self._timer.timeout.connect(self.renew)
        self.finished.connect(self._timer.stop)
        self.renew()
        self._timer.start()

    @Slot()
    def renew(self) -> None:
        """Look again at what would be lost."""
        reasons = self._reasons()
        self.said.setText("\n".join(reasons) or NOTHING_LEFT)
        self.leave.setText("Stop and close" if reasons else "Close")
        self.leave.set_kind(ButtonKind.DANGER if reasons else ButtonKind.PRIMARY)
        self.stay.setText("Go on" if reasons else "Stay")

    def _leave(self) -> None:
        self.accept()
        self._close_program()
