"""What the pages of the settings have in common."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.text import label


class SettingsPage(QWidget):
    """A column of settings."""

    def __init__(self, context: GuiContext, title: str) -> None:
        super().__init__()
        self.context = context
        self.theme = context.theme
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 4, 0, 0)
        self.column.setSpacing(16)
        self.column.addWidget(label(title, "heading"))
        self.build()
        self.column.addStretch(1)

    def build(self) -> None:
        """Put the settings into ``column``."""
