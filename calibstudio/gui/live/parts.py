"""What Live's panels are made of: sections that can be small, and heads of the strip's parts."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.panels import Section

HEAD_PX = 36


class HeadBar(QWidget):
    """The row above a part of the strip: title, note, choices. Higher in touch mode."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(12, 0, 12, 0)
        self.row.setSpacing(8)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    @Slot()
    def _on_theme_changed(self) -> None:
        self.setFixedHeight(max(HEAD_PX, self._theme.sizes.toolbar + 8))


class SidePart(Section):
    """A section with narrower margins in a small window."""

    def __init__(self, title: str, *, line: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(title, line=line, parent=parent)
        self.is_compact = False
        # The note may have all the room that the title leaves.
        self._head.setStretch(1, 0)

    def set_compact(self, compact: bool) -> None:
        """Use less room."""
        self.is_compact = compact
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(*((12, 8, 12, 8) if compact else (16, 12, 16, 12)))
        self.body.setSpacing(6 if compact else 10)
        self.on_compact(compact)

    def on_compact(self, compact: bool) -> None:
        """Override: show less."""
