"""Events worth a sentence: anybody says them, the window shows them for a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal


@dataclass(frozen=True, slots=True)
class ToastText:
    """One event. ``kind`` is ``good``, ``warn``, ``bad`` or ``info``; ``bad`` stays until read."""

    text: str
    kind: str = "info"
    hint: str = ""
    action: str = ""
    """Word on its one button; empty for none."""
    on_action: Callable[[], None] | None = None

    @property
    def stays(self) -> bool:
        """Whether it waits to be closed."""
        return self.kind == "bad"


class Toasts(QObject):
    """Where events are said.

    Signals
    -------
    said(ToastText)
        To be shown now.
    show_wanted(str)
        A toast led to a workspace, by its name.
    """

    said = Signal(object)
    show_wanted = Signal(str)

    def say(
        self,
        text: str,
        kind: str = "info",
        *,
        hint: str = "",
        action: str = "",
        on_action: Callable[[], None] | None = None,
    ) -> None:
        """Show a sentence at the lower right for six seconds; never takes the focus."""
        self.said.emit(ToastText(text, kind, hint, action, on_action))
