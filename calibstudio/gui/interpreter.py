"""What Python's interpreter does for the window while it is up.

Cyclic garbage is collected in the GUI thread only: widgets are often in reference cycles, and left
to itself Python collects them in whichever thread allocates next; a widget that is destroyed in a
worker's thread takes the program with it.

And threads hand on the interpreter lock soon: whenever Qt draws, the GUI thread lets go of it, and
a worker that takes it up then keeps it for a whole interval, many times in one repaint.
"""

from __future__ import annotations

import gc
import sys
import time

from PySide6.QtCore import QObject, QTimer, Slot

from calibstudio.imaging.combine_share import PROCESSORS

LOOK_EVERY_MS = 500
SWITCH_S = 0.0005
"""A worker keeps the interpreter lock for so long (Python's own: 5 ms)."""
TOO_LONG_S = 0.02
"""A full collection that takes longer is felt at the mouse."""
MANY = 40_000
"""So many objects take about 20 ms to look at."""


class GuiInterpreter(QObject):
    """Serves the window from `start` on; `stop` puts everything back."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        self._switch_s = sys.getswitchinterval()
        self._modules = len(sys.modules)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY_MS)
        self._timer.timeout.connect(self._on_look)

    def start(self) -> None:
        """Collect from now on here, and nowhere else; hand on the lock soon.

        Stacks and heavy pictures leave a processor to the window from now on.
        """
        gc.disable()
        sys.setswitchinterval(SWITCH_S)
        PROCESSORS.leave(1)
        self._timer.start()

    def stop(self) -> None:
        """Let Python do as it does by itself."""
        self._timer.stop()
        PROCESSORS.leave(0)
        sys.setswitchinterval(self._switch_s)
        gc.unfreeze()
        gc.enable()

    @Slot()
    def _on_look(self) -> None:
        """Collect the oldest generation that is due, as Python's own rule would.

        What modules have left behind since is not looked at, now or ever (numba and pyqtgraph:
        170 000 objects, for which a collection stops the window for 80 ms).
        """
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            gc.freeze()
        counts = gc.get_count()
        for generation in (2, 1, 0):
            if counts[generation] > self._thresholds[generation]:
                self._collect(generation)
                return

    @classmethod
    def _collect(cls, generation: int) -> None:
        """Collect; what makes a collection long is put where none looks.

        Before it is looked at for the first time, where it can be counted: a module that fills
        itself after its import (compiled kernels being loaded) would stop the window once.
        """
        if _to_look_at(generation) > MANY:
            if generation:
                cls._collect(generation - 1)
            gc.freeze()
            return
        began = time.perf_counter()
        gc.collect(generation)
        if generation == 2 and time.perf_counter() - began > TOO_LONG_S:
            gc.freeze()


def _to_look_at(generation: int) -> int:
    """How many objects a collection looks at; the youngest by their count, which costs nothing."""
    older = (len(gc.get_objects(generation=g)) for g in range(1, generation + 1))
    return gc.get_count()[0] + sum(older)
