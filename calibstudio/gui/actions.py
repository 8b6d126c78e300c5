"""The table of actions: words, keys and icon of everything a key can do.

Shortcuts, tooltips and the page of keys in the help are made from it. Rows with ``everywhere``
are done by the window; the others by the workspace that is shown (`Workspace.on`), and mean
nothing where it has not said what they do. Single letters act only outside text fields: Qt
gives them to a text field first.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QKeySequence


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action."""

    id: str
    text: str
    keys: tuple[str, ...] = ()
    """In Qt's portable words; the first is shown."""
    icon: str = ""
    everywhere: bool = False
    section: str = "Picture"
    """Where the page of keys lists it."""


ACTIONS = (
    ActionRow("workspace-live", "Live", ("1",), "live", True, "Window"),
    ActionRow("workspace-capture", "Capture", ("2",), "capture", True, "Window"),
    ActionRow("workspace-frames", "Frames", ("3",), "frames", True, "Window"),
    ActionRow("workspace-library", "Library", ("4",), "library", True, "Window"),
    ActionRow("workspace-calibrate", "Calibrate", ("5",), "calibrate", True, "Window"),
    ActionRow("jobs", "Background jobs", ("Ctrl+J",), "jobs", True, "Window"),
    ActionRow("night", "Night theme", ("F9",), "night", True, "Window"),
    ActionRow("full-screen", "Full screen", ("F11",), "full-screen", True, "Window"),
    ActionRow("settings", "Settings", ("Ctrl+,",), "settings", True, "Window"),
    ActionRow("help", "Help", ("F1",), "help", True, "Window"),
    ActionRow("quit", "Close CalibStudio", ("Ctrl+Q",), "", True, "Window"),
    ActionRow("primary", "Do what the filled button says", ("Ctrl+Return", "Ctrl+Enter")),
    ActionRow("cancel", "Cancel or close", ("Esc",), "close", False, "Window"),
    ActionRow("find", "Find", ("Ctrl+F",), "search", False, "Window"),
    ActionRow("take-one", "Take one frame", ("Space",), "take-one", False, "Capture"),
    ActionRow("loop", "Take frames in a loop, or stop", ("L",), "loop", False, "Capture"),
    ActionRow("pause", "Pause or resume the sequence", ("P",), "pause", False, "Capture"),
    ActionRow("wizard", "New sequence", ("Ctrl+N",), "plan", False, "Capture"),
    ActionRow("fit", "Fit the picture", ("F",), "fit"),
    ActionRow("one-to-one", "One pixel to one pixel", ("Z",)),
    ActionRow("zoom-in", "Zoom in", ("+", "="), "zoom-in"),
    ActionRow("zoom-out", "Zoom out", ("-",), "zoom-out"),
    ActionRow("crosshair", "Crosshair", ("C",), "crosshair"),
    ActionRow("clipped", "Mark clipped pixels", ("X",), "clipped"),
    ActionRow("leave-out", "Leave the frame out", ("Del",), "leave-out", False, "Frames, masters"),
    ActionRow("approve", "Approve the master", ("A",), "status-good", False, "Frames, masters"),
    ActionRow("reject", "Reject the master", ("R",), "leave-out", False, "Frames, masters"),
    ActionRow("undo", "Undo", ("Ctrl+Z",), "undo", False, "Frames, masters"),
    ActionRow("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", False, "Frames, masters"),
)

BY_ID = {row.id: row for row in ACTIONS}


def key_text(action: str) -> str:
    """Return the first key of an action as a key cap says it: ``Space``, ``Ctrl+Enter``."""
    keys = BY_ID[action].keys
    return keys[0].replace("Return", "Enter") if keys else ""


def sequences(row: ActionRow) -> list[QKeySequence]:
    """Return the keys of an action for Qt; ``Enter`` of the number pad counts as Enter."""
    return [QKeySequence(keys, QKeySequence.SequenceFormat.PortableText) for keys in row.keys]


def with_key(text: str, action: str) -> str:
    """Return a tooltip that names the key: ``Crosshair (C)``."""
    key = key_text(action)
    return f"{text} ({key})" if key else text
