"""The whole window at a fast simulated observatory, driven as an operator drives Capture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.capture import CaptureStatus
from calibstudio.gui.capture.wizard import Wizard
from calibstudio.gui.capture.workspace import CaptureWorkspace
from calibstudio.gui.context import GuiContext
from calibstudio.gui.equipment_state import EquipmentState
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.widgets.fields import NumberField
from calibstudio.gui.widgets.text import ElidedLabel

START = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
LONG_MS = 40_000


class Desk:
    """A window that shows Capture."""

    def __init__(self, qtbot: QtBot, context: GuiContext, simulated: SimulatedObservatory) -> None:
        self.qtbot, self.context, self.simulated = qtbot, context, simulated
        self.window = MainWindow(context)
        self.window.show_workspace("capture")
        self.window.resize(QSize(1366, 768))
        with qtbot.waitSignal(self.window.first_painted):
            self.window.show()
        qtbot.waitUntil(lambda: isinstance(self.window.workspace, CaptureWorkspace))
        workspace = self.window.workspace
        assert isinstance(workspace, CaptureWorkspace)
        self.capture = workspace
        self.window.activateWindow()

    # What is shown

    @property
    def wizard(self) -> Wizard:
        """The wizard that is open."""
        assert self.capture.wizard is not None
        return self.capture.wizard

    @property
    def status(self) -> CaptureStatus:
        """The newest status of the sequence."""
        assert self.capture.run.status is not None
        return self.capture.run.status

    # What an operator does

    def open(self, tile: str) -> Wizard:
        """Press a tile."""
        self.click(self.capture.home.tiles[tile])
        return self.wizard

    def click(self, button: QAbstractButton) -> None:
        """Press a button."""
        # A layout shows what is added to it when control is back in the event loop.
        self.until(button.isVisible, 3000)
        assert button.isEnabled(), f"{button.text()} cannot be pressed"
        centre = button.rect().center()
        if button.width() > 60:  # a box is ticked at its mark
            centre = QPoint(12, centre.y())
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=centre)

    def type(self, field: NumberField | QLineEdit, text: str) -> None:
        """Type into a field and leave it."""
        field.window().activateWindow()
        field.setFocus()
        self.until(field.hasFocus)
        field.selectAll()
        self.qtbot.keyClick(field, Qt.Key.Key_Delete)
        self.qtbot.keyClicks(field, text)
        self.qtbot.keyClick(field, Qt.Key.Key_Tab)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier):
        """Press a key in the window, outside any text field."""
        self.window.setFocus()
        self.qtbot.keyClick(self.window, key, modifier)

    def until(self, so: Callable[[], bool], timeout_ms: int = LONG_MS) -> None:
        """Wait until something is so."""
        self.qtbot.waitUntil(so, timeout=timeout_ms)

    def no_cooling(self) -> None:
        """Leave the cooler as it is, on the page that is shown."""
        fields = self.wizard.page.fields  # type: ignore[attr-defined]
        if fields.cool.isChecked():
            self.click(fields.cool)
        assert not fields.cool.isChecked()

    def to_last_page(self) -> None:
        """Press Next until the last page is shown, and wait for the pre-flight."""
        while self.wizard.page is not self.wizard.pages[-1]:
            self.click(self.wizard.next)
        self.until(lambda: bool(self.wizard.preflight.checks))

    def start(self) -> None:
        """Press Start, and wait until the sequence is under way."""
        self.to_last_page()
        self.until(self.wizard.next.isEnabled)
        self.click(self.wizard.next)
        run = self.capture.run
        self.until(lambda: run.status is not None)

    def until_over(self) -> None:
        """Wait until the sequence is over."""
        run = self.capture.run
        self.until(lambda: not run.is_running)

    def files(self, kind: str = "*") -> list[Path]:
        """Frames that are kept, of a kind (folder)."""
        folder = self.context.settings.current.frames_folder
        return sorted(p for p in folder.glob(f"*/{kind}/**/*.fits") if "rejected" not in p.parts)


@contextmanager
def desk_at(
    qtbot: QtBot, context: GuiContext, *, has_panel: bool = True, speed: float = math.inf
) -> Iterator[Desk]:
    """Give a desk at a fast observatory, and leave nothing running."""
    simulated = simulated_observatory("tiny", seed=3, speed=speed, start=START)
    observatory = simulated if has_panel else replace(simulated, panel=None)
    equipment = EquipmentState(observatory, interval_s=0.05)
    desk = Desk(qtbot, replace(context, equipment=equipment), simulated)
    yield desk
    # Not left to qtbot, which closes widgets while the sequence still runs.
    context.camera_jobs.cancel_all()
    context.background.cancel_all()
    desk.until(lambda: not context.camera_jobs.active and not context.background.active)
    desk.window.close_at_once()
    desk.window.deleteLater()
    equipment.stop()
    simulated.close()


def cut_or_overlapping(window: QWidget) -> list[str]:
    """Say which texts are cut and which widgets lie on each other, in words."""
    QApplication.sendPostedEvents()
    found: list[str] = []
    for label in window.findChildren(QLabel):
        if not label.isVisible() or not label.text() or isinstance(label, ElidedLabel):
            continue
        if label.wordWrap():
            if label.height() < label.heightForWidth(label.width()) - 1:
                found.append(f"cut below: {label.text()}")
        elif label.width() < label.sizeHint().width() - 1:
            found.append(f"cut: {label.text()}")
    for button in window.findChildren(QAbstractButton):
        narrow = button.width() < button.minimumSizeHint().width() - 1
        if button.isVisible() and button.text() and narrow:
            found.append(f"cut: {button.text()}")
    shown = [
        w
        for w in window.findChildren(QWidget)
        if w.isVisible() and isinstance(w, QLabel | QAbstractButton | NumberField)
    ]
    by_parent: dict[int, list[QWidget]] = {}
    for widget in shown:
        by_parent.setdefault(id(widget.parentWidget()), []).append(widget)
    for siblings in by_parent.values():
        for i, one in enumerate(siblings):
            for other in siblings[i + 1 :]:
                common = QRect(one.geometry()).intersected(other.geometry())
                if common.width() > 1 and common.height() > 1:
                    found.append(f"{_name(one)} lies on {_name(other)}")
    return found


def _name(widget: QWidget) -> str:
    text = getattr(widget, "text", None)
    return f"{type(widget).__name__} {text() if text else ''}".strip()
