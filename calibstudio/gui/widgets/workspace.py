"""What the five workspaces have in common: a header, a place for a banner, and a body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.panels import ground, hairline
from calibstudio.gui.widgets.text import ElidedLabel, label


@dataclass(frozen=True, slots=True)
class FramesOf:
    """What is to be looked at in Frames."""

    folder: Path
    frames: tuple[Path, ...] = ()
    """The group of the first that is found is chosen."""


class Workspace(QWidget):
    """A page of the main window: ``XWorkspace(context, parent)``.

    Subclasses call ``super().__init__(context, "Live", parent)``, put what they show into
    ``self.body`` and register what keys do with `on`: ``self.on("take-one", self.take_one)``
    (names in `calibstudio.gui.actions`).

    Signals
    -------
    frames_wanted(FramesOf)
        A folder is to be looked at in Frames.
    settings_wanted(str)
        A page of the settings is to be opened.
    workspace_wanted(str)
        Another workspace, by its name.
    plan_wanted(tuple[Path, ...])
        What lights lack is to be planned in Capture; without paths the operator names them there.
    """

    frames_wanted = Signal(object)
    settings_wanted = Signal(str)
    plan_wanted = Signal(object)
    workspace_wanted = Signal(str)

    def __init__(self, context: GuiContext, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.theme = context.theme
        self.title = title
        self.is_compact = False
        self._handlers: dict[str, Callable[[], object]] = {}
        self.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.header = self._make_header()
        column.addWidget(self.header)
        self._banners = QVBoxLayout()
        self._banners.setSpacing(0)
        column.addLayout(self._banners)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(0)
        column.addLayout(self.body, 1)

    def _make_header(self) -> QFrame:
        header = ground("bg", border="bottom")
        header.setFixedHeight(52)
        row = QHBoxLayout(header)
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(12)
        self._heading = label(self.title, "title")
        row.addWidget(self._heading)
        self._separator = hairline(vertical=True)
        self._separator.setFixedHeight(24)
        self._separator.hide()
        row.addWidget(self._separator)
        self._left = QHBoxLayout()
        self._left.setSpacing(8)
        row.addLayout(self._left)
        self._subtitle = ElidedLabel("", "small", tone="text2")
        row.addWidget(self._subtitle, 1)
        self._right = QHBoxLayout()
        self._right.setSpacing(12)
        row.addLayout(self._right)
        return header

    def show_title(self, title: str) -> None:
        """Say another title: the blank page before a workspace is made."""
        self._heading.setText(title)

    def set_subtitle(self, text: str, tip: str = "") -> None:
        """Say what is looked at, beside the title."""
        self._subtitle.setText(text)
        self._separator.setVisible(bool(text))
        self._subtitle.set_tip(tip)

    def add_header_left(self, widget: QWidget) -> None:
        """Put something between the title and the subtitle."""
        self._left.addWidget(widget)

    def add_header_action(self, widget: QWidget) -> None:
        """Put a button or a text at the right of the header."""
        self._right.addWidget(widget)

    def add_banner(self, banner: QWidget) -> None:
        """Put a banner under the header: a state that lasts."""
        self._banners.addWidget(banner)

    def set_compact(self, compact: bool) -> None:
        """Use less room: the window is narrower than 1500 px. Override `on_compact`, not this."""
        self.header.setFixedHeight(44 if compact else 52)
        if compact != self.is_compact:
            self.is_compact = compact
            self.on_compact(compact)

    def on_compact(self, compact: bool) -> None:
        """Override: second panels become tabs, side panels 316 px."""

    def on(self, action: str, handler: Callable[[], object]) -> None:
        """Say what an action of the table in `calibstudio.gui.actions` does here."""
        self._handlers[action] = handler

    def do(self, action: str) -> bool:
        """Do an action; False when it means nothing here."""
        handler = self._handlers.get(action)
        if handler is None:
            return False
        handler()
        return True

    def shown(self) -> None:
        """Override: the operator came to this workspace."""

    def busy_with(self) -> str:
        """Override: what would be lost if the program closed now, as a sentence; else empty."""
        return ""

    def close_down(self) -> None:
        """Override: stop timers and work; the program ends."""
