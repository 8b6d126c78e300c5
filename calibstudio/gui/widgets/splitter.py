"""A splitter that remembers its sizes for each workspace and screen size."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSettings, Qt, QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QSplitter, QWidget


class Splitter(QSplitter):
    """Keeps its sizes in the window's layout settings under ``name`` and the screen's size."""

    def __init__(
        self,
        name: str,
        orientation: Qt.Orientation = Qt.Orientation.Horizontal,
        *,
        sizes: Sequence[int] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(orientation, parent)
        self._name = name
        self._first = list(sizes)
        self._restored = False
        self.setChildrenCollapsible(False)
        self.setHandleWidth(1)
        self._save = QTimer(self)
        self._save.setSingleShot(True)
        self._save.setInterval(400)
        self._save.timeout.connect(self._on_save)
        self.splitterMoved.connect(self._on_moved)

    def suggest(self, sizes: Sequence[int]) -> None:
        """Use these sizes where none are remembered: the window became compact, or large."""
        self._first = list(sizes)
        if self._restored and layout_settings().value(self._key()) is None:
            self.setSizes(self._first)

    def _key(self) -> str:
        screen = self.screen()
        size = screen.size() if screen is not None else None
        where = f"{size.width()}x{size.height()}" if size is not None else "any"
        return f"splitters/{self._name}/{where}"

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._restored:
            self._restored = True
            state = layout_settings().value(self._key())
            if (state is None or not self.restoreState(state)) and self._first:
                self.setSizes(self._first)

    @Slot()
    def _on_moved(self) -> None:
        self._save.start()

    @Slot()
    def _on_save(self) -> None:
        layout_settings().setValue(self._key(), self.saveState())


def layout_settings() -> QSettings:
    """Where the layout of windows is kept; may be thrown away, unlike settings."""
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "calibstudio", "layout")
