#!/usr/bin/env python3
"""Make the pictures of the README and the help from the real window, on the simulated observatory.

    .venv/bin/python packaging/make_pictures.py [FOLDER]

Runs without a screen. The simulated night is seeded and its clock runs fast, so that the same
program makes the same pictures but for the times of day. Takes some five minutes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIZE = (1600, 900)
TONIGHT = datetime(2026, 4, 17, 22, 40, tzinfo=UTC)


def main(arguments: list[str]) -> int:
    """Make every picture; return 0 when all were made."""
    folder = Path(arguments[0]) if arguments else ROOT / "resources" / "help" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        for name in ("HOME", *(f"XDG_{n}_HOME" for n in ("CONFIG", "DATA", "CACHE", "STATE"))):
            os.environ[name] = home
        studio = Studio(folder, Path(home))
        for scene in (live, capture, frames, library):
            scene(studio)
        studio.close()
    return 0


class Studio:
    """The program, a way to wait, and a camera pointed at its window."""

    def __init__(self, folder: Path, home: Path) -> None:
        from calibstudio.app import Options, build
        from calibstudio.devices.simulator.observatory import simulated_observatory

        self.folder, self.home = folder, home
        self.observatory = simulated_observatory(
            "mono24", seed=7, speed=20.0, start=TONIGHT, cover_open=True
        )
        options = Options(
            library=str(home / "library"),
            settings_path=home / "settings.toml",
            data_folder=home / "data",
        )
        self.app = build(options, open_rig=lambda name: self.observatory)
        self.window = self.app.window
        self.context = self.app.context
        self.context.settings.change(
            frames_folder=home / "CalibStudio" / "frames", first_start_seen=True
        )
        self.app.show()
        self.window.resize(*SIZE)
        self.wait(lambda: self.context.equipment.snapshot.camera is not None)

    def wait(self, until: Callable[[], bool] | None = None, at_most_s: float = 400.0) -> None:
        """Let the program run until something is so."""
        from PySide6.QtCore import QEventLoop, QTimer

        ends = time.monotonic() + at_most_s
        loop, timer = QEventLoop(), QTimer()
        timer.setInterval(50)
        timer.timeout.connect(
            lambda: loop.quit() if (until and until()) or time.monotonic() > ends else None
        )
        timer.start()
        loop.exec()
        if until is not None and not until():
            raise SystemExit("A picture could not be made: the program did not get that far.")

    def settle(self, seconds: float = 1.5) -> None:
        """Let everything be painted."""
        self.wait(None, seconds)

    def picture(self, name: str) -> None:
        """Take one picture."""
        self.settle()
        target = self.folder / f"{name}.png"
        if not self.window.grab().save(str(target)):
            raise SystemExit(f"{target} could not be written.")
        print(target.name, flush=True)

    def close(self) -> None:
        """End the program."""
        self.app.close()


def live(studio: Studio) -> None:
    """A frame of the night sky, dark and red."""
    studio.window.show_workspace("live")
    view = studio.window.workspace
    studio.settle()
    camera = studio.observatory.camera
    camera.set_cooler(on=True, target_c=-10.0)
    studio.settle(12)
    view.frame_panel.exposure.setValue(120.0)
    view.frame_panel.exposure.editingFinished.emit()
    for _ in range(3):
        shown = view.session.count
        view.do("take-one")
        studio.wait(lambda shown=shown: view.session.count > shown)
    studio.picture("live-dark")
    studio.window.status_bar.open_faults()
    studio.picture("faults")
    studio.window.status_bar.faults_popover.close_popover()
    studio.context.theme.set_theme("night")
    studio.picture("live-night")
    studio.context.theme.set_theme("dark")


def capture(studio: Studio) -> None:
    """The flat wizard and a running sequence; its masters fill the library."""
    from calibstudio.gui.capture.queue_panel import LOOKING

    studio.window.show_workspace("capture")
    workspace = studio.window.workspace
    studio.wait(lambda: workspace.home.queue.empty.text() != LOOKING)
    studio.picture("capture-home")
    workspace.open_wizard("flat")
    wizard = workspace.wizard
    wizard.flat.filters, wizard.flat.count = ("L", "R"), 10
    wizard._on_edited()
    wizard.show_page(2)
    studio.settle(2)
    studio.picture("flat-wizard-dark")
    built: list[object] = []
    workspace.run.masters_built.connect(built.append)
    workspace.start(wizard.draft.plan(wizard.info))
    studio.wait(lambda: workspace.run.status is not None and workspace.run.status.good >= 7)
    studio.picture("capture-running-dark")
    studio.wait(lambda: bool(built), 900)
    workspace.open_wizard("dark")
    wizard = workspace.wizard
    wizard.dark.exposures_s, wizard.dark.count = (60.0,), 10
    studio.picture("dark-wizard")
    workspace.start(wizard.draft.plan(wizard.info))
    studio.wait(lambda: len(built) == 2, 900)


def frames(studio: Studio) -> None:
    """The frames of the night in groups; one of them left out."""
    studio.window.show_workspace("frames")
    workspace = studio.window.workspace
    workspace.add_folders([studio.context.settings.current.frames_folder])
    studio.wait(lambda: bool(workspace.state.grouping.groups) and not workspace.folders.is_scanning)
    dark = next(g for g in workspace.state.grouping.groups if g.kind == "dark")
    workspace.groups.choose_group(dark.id)
    studio.wait(lambda: not workspace.state.unmeasured(dark))
    workspace.frames.table.selectRow(3)
    workspace.do("leave-out")
    studio.settle(3)
    studio.picture("frames-dark")


def library(studio: Studio) -> None:
    """All masters, one in full, in two themes; two of them compared."""
    from PySide6.QtCore import QItemSelectionModel

    studio.window.show_workspace("library")
    workspace = studio.window.workspace
    studio.wait(lambda: bool(workspace.model.records))
    # A flat shows most: its shape, its dust, and how good it is.
    flat = next(r for r in workspace.model.records if r.kind == "flat")
    workspace.table.select_key(flat.sha256)
    studio.wait(lambda: workspace.detail.record == flat and workspace.detail.picture.is_sharp)
    studio.settle(3)
    studio.picture("library-dark")
    studio.context.theme.set_theme("night")
    studio.picture("library-night")
    studio.context.theme.set_theme("dark")
    # Two flats: what dust and vignetting they share is gone in their ratio.
    workspace.table.clearSelection()
    chosen, flag = workspace.table.selectionModel(), QItemSelectionModel.SelectionFlag
    for row, record in enumerate(workspace.model.records):
        if record.kind == "flat":
            chosen.select(workspace.model.index(row, 0), flag.Select | flag.Rows)
    workspace.compare_chosen()
    studio.wait(lambda: all(view.is_sharp for view in workspace.comparison.views))
    studio.picture("library-compare")
    workspace.leave_comparison()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
