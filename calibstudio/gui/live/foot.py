"""The foot of Live's side panel: save, take one, loop, and when the picture will be there."""

from __future__ import annotations

from datetime import timedelta

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from calibstudio.domain.equipment import ExposureRequest
from calibstudio.domain.wording import NARROW, count, exposure, number, utc_clock
from calibstudio.gui.equipment_state import EquipmentSnapshot
from calibstudio.gui.live.session import ExposureClock, LivePhase
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.text import label


class LiveFoot(QWidget):
    """What starts and stops frames.

    Signals
    -------
    take_asked(), loop_asked()
        The buttons were pressed; loop also stands for stop.
    saving_chosen(bool)
        Frames shall be kept, or not.
    """

    take_asked = Signal()
    loop_asked = Signal()
    saving_chosen = Signal(bool)

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._compact = False
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        area = ground("card", border="top")
        outer.addWidget(area)
        self._column = QVBoxLayout(area)
        self.save = QCheckBox("Save frames to the night's folder")
        self.take = Button(
            theme, "Take one frame", ButtonKind.PRIMARY, icon="take-one", key="Space",
            size=ButtonSize.LARGE, tip="Take one frame (Space)",
        )  # fmt: skip
        self.take.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.loop = Button(
            theme, "Loop", icon="loop", size=ButtonSize.LARGE, tip="Take frames in a loop (L)"
        )
        self._note = label("", "caption", wrap=True)
        self._note.setMinimumHeight(32)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.take, 1)
        row.addWidget(self.loop)
        self._column.addWidget(self.save)
        self._column.addLayout(row)
        self._column.addWidget(self._note)
        self.save.toggled.connect(self.saving_chosen)
        self.take.clicked.connect(self._on_take)
        self.loop.clicked.connect(self._on_loop)
        self.set_compact(False)

    def set_compact(self, compact: bool) -> None:
        """Use less room."""
        self._compact = compact
        side = 10 if compact else 16
        self._column.setContentsMargins(side, side, side, side)
        self._column.setSpacing(8 if compact else 10)
        self._note.setVisible(not compact)
        self.take.set_key("" if compact else "Space")

    def show_phase(self, phase: LivePhase) -> None:
        """Say what the buttons do now."""
        self.take.setEnabled(phase is LivePhase.IDLE)
        looping = phase is LivePhase.LOOP
        self.take.set_key("" if looping or self._compact else "Space")
        self.take.set_icon("" if looping and self._compact else "take-one")
        self.loop.setEnabled(phase is not LivePhase.ONE)
        self.loop.set_icon("stop" if looping else "loop")
        self.loop.set_kind(ButtonKind.DANGER if looping else ButtonKind.NORMAL)
        if not looping:
            self.loop.setMinimumWidth(0)
            self.loop.setText("Loop")

    def show_to_go(self, clock: ExposureClock | None) -> None:
        """Say on the button how long the frame still takes."""
        text = "Stop"
        if clock is not None and clock.exposure_s >= 2.0:
            to_go = clock.to_go_s
            seconds = to_go < 999.5
            left = f"{to_go:.0f}{NARROW}s" if seconds else f"{to_go / 60:.0f}{NARROW}min"
            text = f"Stop {left}" if self._compact else f"Stop · {left}"
        self.loop.setText(text)
        # Grows where it must and does not shrink again: nothing jumps.
        wide = self.loop.sizeHint().width()
        if wide > self.loop.minimumWidth():
            self.loop.setMinimumWidth(wide)

    def say(self, text: str) -> None:
        """Say something under the buttons."""
        if text != self._note.text():
            self._note.setText(text)

    @property
    def note(self) -> str:
        """What is said under the buttons."""
        return self._note.text()

    @Slot()
    def _on_take(self) -> None:
        self.take_asked.emit()

    @Slot()
    def _on_loop(self) -> None:
        self.loop_asked.emit()


def expectation(
    request: ExposureRequest, readout_s: float | None, snapshot: EquipmentSnapshot
) -> str:
    """Say when a frame begun now would be on the screen."""
    head = exposure(request.exposure_s)
    total = request.exposure_s + (readout_s or 0.0)
    if readout_s:
        head = f"{head} + {exposure(round(readout_s, 1))} read-out"
    if total < 10.0:
        return f"{head}."
    at = snapshot.utc + timedelta(seconds=total)
    return f"{head}. The first image is on screen at about {utc_clock(at)}."


def loop_text(taken: int, skipped: int) -> str:
    """Say how a loop goes."""
    text = f"Loop, {count(taken, 'frame')}"
    return f"{text}, {number(skipped)} not shown: they came too fast." if skipped else f"{text}."
