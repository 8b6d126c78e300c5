"""The five workspaces: where each is made, and what is said where one is not installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.panels import EmptyState, ground
from calibstudio.gui.widgets.workspace import Workspace

Factory = Callable[[GuiContext, QWidget | None], Workspace]


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """One workspace. Adding one is a line of `WORKSPACES`."""

    id: str
    title: str
    module: str
    """Imported when the workspace is first shown, so that the window is up before it."""
    name: str
    """The class in that module: ``XWorkspace(context, parent)``."""
    for_what: str
    """What an operator does there."""

    @property
    def action(self) -> str:
        """Its action in the table of actions."""
        return f"workspace-{self.id}"


WORKSPACES = (
    WorkspaceRow(
        "live",
        "Live",
        "calibstudio.gui.live.workspace",
        "LiveWorkspace",
        "Live takes frames, shows them large and measures them.",
    ),
    WorkspaceRow(
        "capture",
        "Capture",
        "calibstudio.gui.capture.workspace",
        "CaptureWorkspace",
        "Capture takes bias, dark and flat sequences and judges every frame as it arrives.",
    ),
    WorkspaceRow(
        "frames",
        "Frames",
        "calibstudio.gui.frames.workspace",
        "FramesWorkspace",
        "Frames groups what is on disk by its headers and stacks it.",
    ),
    WorkspaceRow(
        "library",
        "Library",
        "calibstudio.gui.library.workspace",
        "LibraryWorkspace",
        "Library keeps every master with its verdict and history, and finds it again.",
    ),
    WorkspaceRow(
        "calibrate",
        "Calibrate",
        "calibstudio.gui.calibrate.workspace",
        "CalibrateWorkspace",
        "Calibrate applies masters to lights and shows why each was chosen.",
    ),
)


def make_workspace(row: WorkspaceRow, context: GuiContext, parent: QWidget | None) -> Workspace:
    """Make a workspace; one that this version does not have is said plainly."""
    if _is_there(row.module):
        made = getattr(importlib.import_module(row.module), row.name)(context, parent)
        assert isinstance(made, Workspace)
        return made
    return MissingWorkspace(row, context, parent)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class MissingWorkspace(Workspace):
    """Says what will be here, and that it is not yet."""

    def __init__(
        self, row: WorkspaceRow, context: GuiContext, parent: QWidget | None = None
    ) -> None:
        super().__init__(context, row.title, parent)
        area = ground("panel")
        from PySide6.QtWidgets import QVBoxLayout

        column = QVBoxLayout(area)
        empty = EmptyState(
            context.theme,
            row.id,
            "This workspace is not part of this version.",
            hint=f"{row.for_what} It comes with the next version.",
        )
        column.addWidget(empty)
        self.body.addWidget(area, 1)
