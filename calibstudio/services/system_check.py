"""What this system lacks for the window: shared libraries and a screen, in words with the cure.

Standard library only, and imported before PySide6: without these libraries Qt aborts the
process instead of raising. `dev.py` uses the same table.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Mapping

OFFSCREEN_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Shared library -> Debian package, needed by Qt even without a screen."""

WINDOW_LIBRARIES = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
"""Needed in addition by a window on X11."""


def missing_libraries(*, window: bool) -> dict[str, str]:
    """Return the shared libraries that do not load, with their Debian package. Linux only."""
    if not sys.platform.startswith("linux"):
        return {}
    wanted = OFFSCREEN_LIBRARIES | (WINDOW_LIBRARIES if window else {})
    return {name: package for name, package in wanted.items() if not _loads(name)}


def install_command(missing: Mapping[str, str]) -> str:
    """Return the one line that installs these libraries."""
    packages = " ".join(sorted(set(missing.values())))
    if shutil.which("apt-get"):
        sudo = "" if os.geteuid() == 0 else "sudo "
        return f"{sudo}apt-get install -y --no-install-recommends {packages}"
    return f"install the packages that hold {', '.join(sorted(missing))}"


def is_offscreen(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether Qt was told to draw without a screen."""
    return environment.get("QT_QPA_PLATFORM", "") in ("offscreen", "minimal", "vnc")


def has_screen(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a screen for Qt to draw on, or none is needed."""
    if not sys.platform.startswith("linux") or is_offscreen(environment):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def missing_for_window(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return a sentence with its cure for each thing the window lacks; empty when all is there."""
    sentences = []
    missing = missing_libraries(window=not is_offscreen(environment))
    if missing:
        sentences.append(
            f"Qt needs system libraries that are missing here: {', '.join(sorted(missing))}. "
            f"Run: {install_command(missing)}"
        )
    if not has_screen(environment):
        sentences.append(
            "There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set). "
            "Every command but gui works without one: calibstudio --help. "
            "With xvfb-run -a calibstudio the window is on a virtual screen."
        )
    return sentences


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
