"""What the camera says an ADU is worth, asked in its own thread and kept for a wizard."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from calibstudio.domain.equipment import Conversion
from calibstudio.domain.plan import CameraSettings
from calibstudio.gui.context import GuiContext

Key = tuple[int | None, str | None]


class CameraFacts(QObject):
    """Conversions by gain and read-out mode.

    Signals
    -------
    changed()
        An answer came.
    """

    changed = Signal()

    def __init__(self, context: GuiContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._known: dict[Key, Conversion | None] = {}
        self._asked: set[Key] = set()

    def is_known(self, settings: CameraSettings) -> bool:
        """Whether the camera was heard; what it says may still be nothing."""
        return (settings.gain, settings.readout_mode) in self._known

    def conversion(self, settings: CameraSettings) -> Conversion | None:
        """Return what is known; asks the camera the first time, and `changed` follows."""
        key = (settings.gain, settings.readout_mode)
        if key not in self._known and key not in self._asked:
            self._ask(key)
        return self._known.get(key)

    def _ask(self, key: Key) -> None:
        self._asked.add(key)
        camera = self._context.equipment.observatory.camera
        job = self._context.camera_jobs.submit(
            "Conversion", lambda ctx: (key, camera.conversion(*key)), quiet=True
        )
        job.succeeded.connect(self._on_answer)
        # A camera that does not answer is said by the pre-flight; here it is not known.
        job.failed.connect(lambda _error: self._on_answer((key, None)))

    def _on_answer(self, answer: tuple[Key, Conversion | None]) -> None:
        key, conversion = answer
        self._known[key] = conversion
        self.changed.emit()
