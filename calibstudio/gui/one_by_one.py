"""Updates of a window that are not urgent, one at each turn of the event loop.

Qt delivers what was posted until nothing is left, and repaints in between, before it looks at a
timer or at the mouse again: three updates that arrive together stop the window for the sum of
what all of them take. Handed to `OneByOne` they come one by one, and what the operator does gets
its turn in between.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot

PAUSE_MS = 4
"""From one update to the next: its repaint happens, and whatever else is due."""


class OneByOne(QObject):
    """Makes updates one after the other, in the order in which they were first asked for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[str, Callable[[], object]] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._on_turn)

    def later(self, name: str, update: Callable[[], object]) -> None:
        """Make this update soon. One of the same name that still waits is replaced by it."""
        self._waiting[name] = update
        if not self._timer.isActive():
            self._timer.start()

    def forget(self) -> None:
        """Make none of those that wait."""
        self._waiting.clear()
        self._timer.stop()

    @Slot()
    def _on_turn(self) -> None:
        if not self._waiting:
            return
        update = self._waiting.pop(next(iter(self._waiting)))
        if self._waiting:
            self._timer.start()
        update()
