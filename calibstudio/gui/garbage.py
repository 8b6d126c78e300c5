"""Python's cyclic garbage is collected in the GUI thread only.

Widgets are often in reference cycles. Left to itself, Python collects them in whichever thread
allocates next; a widget that is destroyed in a worker's thread takes the program with it.
"""

from __future__ import annotations

import gc
import time

from PySide6.QtCore import QObject, QTimer, Slot

LOOK_EVERY_MS = 500
TOO_LONG_S = 0.02
"""A full collection that takes longer is felt at the mouse."""


class GuiGarbage(QObject):
    """Takes over from automatic collection while it lives; `stop` gives it back."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY_MS)
        self._timer.timeout.connect(self._on_look)

    def start(self) -> None:
        """Collect from now on here, and nowhere else."""
        gc.disable()
        self._timer.start()

    def stop(self) -> None:
        """Let Python collect by itself again."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    @Slot()
    def _on_look(self) -> None:
        """Collect the oldest generation that is due, as Python's own rule would."""
        counts = gc.get_count()
        for generation in (2, 1, 0):
            if counts[generation] > self._thresholds[generation]:
                self._collect(generation)
                return

    @staticmethod
    def _collect(generation: int) -> None:
        """Collect; what makes a full collection long is put where later ones do not look.

        That is what imports left behind (numba and pyqtgraph: 170 000 objects, 80 ms each time).
        """
        began = time.perf_counter()
        gc.collect(generation)
        if generation == 2 and time.perf_counter() - began > TOO_LONG_S:
            gc.freeze()
