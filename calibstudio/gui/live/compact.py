"""A part of Live's side panel, which uses less room in a small window."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from calibstudio.gui.widgets.panels import Section


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
