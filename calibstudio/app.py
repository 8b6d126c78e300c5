"""The composition root: makes and connects every long-lived object of the window, closes them.

`build` starts nothing and shows nothing, so that a test can build the whole program. It is the
only place that knows concrete classes of every layer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from calibstudio import __version__
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.rig import Listed, Role, outcomes_of
from calibstudio.gui.capture.cut_off import CutOffOffer
from calibstudio.gui.context import GuiContext, RigChoice
from calibstudio.gui.equipment_state import EquipmentState
from calibstudio.gui.icons import icon
from calibstudio.gui.interpreter import GuiInterpreter
from calibstudio.gui.jobs.runner import JobRunner
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.problems import ProblemReporter, catch_everything
from calibstudio.gui.rigs.connection import Doors, RigConnection
from calibstudio.gui.settings_state import SettingsState
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.toasts import Toasts
from calibstudio.services.settings import Settings, SettingsStore

if TYPE_CHECKING:
    from calibstudio.domain.run_config import Simulation
    from calibstudio.services.library import Library
    from calibstudio.services.rigs import Rigs

log = logging.getLogger(__name__)

WARM_AFTER_MS = 2_500
"""Kernels are warmed once the first workspace is up: both want the same processors."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about this one start. Empty: as the settings say."""

    rig: str = ""
    library: str = ""
    folder: Path | None = None
    """Frames to look at first."""
    settings_path: Path | None = None
    data_folder: Path | None = None


class App:
    """Everything that lives as long as the program. Made by `build`."""

    def __init__(
        self,
        qt: QApplication,
        context: GuiContext,
        window: MainWindow,
        library: LibraryOpener,
        complaints: tuple[str, ...],
        folder: Path | None,
        later: str = "",
    ) -> None:
        self.qt = qt
        self.context = context
        self.window = window
        self._library = library
        self._complaints = complaints
        self._folder = folder
        self._later = later
        self._undo_hooks: Callable[[], None] | None = None
        self._interpreter = GuiInterpreter()
        self._cut_off = CutOffOffer(context, window)
        self._closed = False
        window.first_painted.connect(self._on_first_painted)
        window.closing.connect(self.qt.quit)

    def show(self) -> None:
        """Show the window; from now on nothing that goes wrong is lost."""
        self._undo_hooks = catch_everything(self.context.problems)
        self._interpreter.start()
        self.window.restore_layout()
        self.window.show()

    def run(self) -> int:
        """Show the window and work until it is closed."""
        self.show()
        return int(self.qt.exec())

    def close(self, timeout_s: float = 3.0) -> bool:
        """Stop work, make devices safe, let go of everything.

        Within about ``timeout_s`` + 1 s. Safe to call twice.

        Returns
        -------
        bool
            False when a thread is left that must not be waited for (expendable work, or a driver
            that hangs): end the process without it.
        """
        if self._closed:
            return True
        self._closed = True
        ends = time.monotonic() + timeout_s
        self.window.hide()
        context = self.context
        context.camera_jobs.cancel_all()
        context.background.cancel_all()
        context.equipment.stop(1.0)
        clean = True
        for runner in (context.camera_jobs, context.background):
            left_ms = max(int((ends - time.monotonic()) * 1000), 50)
            stopped = runner.shutdown(left_ms)
            if not stopped:
                log.warning("a job did not stop in time")
            clean &= stopped and not runner.leaves_threads
        clean &= _within(1.0, context.equipment.observatory.close)
        self._library.close()
        self._interpreter.stop()
        if self._undo_hooks is not None:
            self._undo_hooks()
        self.window.deleteLater()
        return clean

    def _on_first_painted(self) -> None:
        context = self.context
        log.info("window painted")
        context.equipment.start()
        self.window.status_bar.start()
        QTimer.singleShot(WARM_AFTER_MS, self._warm)
        self._cut_off.look()
        for complaint in self._complaints:
            context.toasts.say(complaint, "warn")
        if self._folder is not None:
            self._open_folder(self._folder)
        if self._later:
            context.connection.connect_rig(self._later)

    def _open_folder(self, folder: Path) -> None:
        """Look at the folder that the command line named."""
        from calibstudio.gui.frames.workspace import FramesWorkspace

        self.window.show_workspace("frames")
        workspace = self.window.workspace
        if isinstance(workspace, FramesWorkspace):
            workspace.add_folders([folder])

    def _warm(self) -> None:
        if not self._closed:
            simulated = self.context.equipment.observatory.is_simulated
            self.context.background.submit(
                "Preparing",
                lambda ctx: _warm(ctx, simulated=simulated),
                quiet=True,
                expendable=True,
            )


class LibraryOpener:
    """Opens the library of the settings when somebody first needs it, and keeps it open."""

    def __init__(self, where: Callable[[], str]) -> None:
        self.where = where
        self._lock = threading.Lock()
        self._opened: tuple[str, Library] | None = None

    def __call__(self) -> Library:
        """Return the open library. For jobs: the first time takes a second.

        Raises
        ------
        LibraryError, UsageError
            It cannot be opened.
        """
        from calibstudio.services.library import Library

        where = self.where()
        with self._lock:
            if self._opened is None or self._opened[0] != where:
                former = self._opened
                self._opened = (where, Library.open(where))
                if former is not None:
                    former[1].close()
            return self._opened[1]

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._opened is not None:
                self._opened[1].close()
                self._opened = None


def build(
    options: Options | None = None,
    *,
    open_rig: Callable[[str], Observatory] | None = None,
) -> App:
    """Make the whole program. ``open_rig`` opens equipment by name; the default simulates it.

    Raises
    ------
    UsageError
        There is no rig of that name.
    """
    from calibstudio.services.settings import data_folder, settings_path

    options = options or Options()
    qt = _application()
    store = SettingsStore(options.settings_path or settings_path())
    found = store.read()
    settings = found.settings
    theme = ThemeState(
        settings.theme, night_brightness=settings.night_brightness, touch=settings.touch
    )
    theme.attach(qt)
    qt.setWindowIcon(icon("calibrate", theme.tokens, "accent"))
    saved = _saved_rigs(options)
    opened = open_rig or _opening(saved)
    observatory, later = _first_rig(opened, options.rig, settings)
    state = SettingsState(settings, store.write)
    library = LibraryOpener(lambda: _library_now(options, settings, state.current))
    equipment, problems, toasts = EquipmentState(observatory), ProblemReporter(), Toasts()
    camera_jobs = JobRunner(max_threads=1)
    background = JobRunner(max_threads=settings.worker_threads)
    context = GuiContext(
        theme=theme,
        settings=state,
        camera_jobs=camera_jobs,
        background=background,
        equipment=equipment,
        problems=problems,
        toasts=toasts,
        open_library=library,
        library_now=library.where,
        data_folder=options.data_folder or data_folder(),
        connection=RigConnection(
            doors_of(saved) if open_rig is None else doors_of(saved, open_rig),
            jobs=camera_jobs,
            background=background,
            equipment=equipment,
            settings=state,
            problems=problems,
            toasts=toasts,
            rigs=saved,
        ),
        rigs=simulated_rigs(),
    )
    window = MainWindow(context)
    complaints = (*found.complaints, *_missing(observatory))
    return App(qt, context, window, library, complaints, options.folder, later)


def _saved_rigs(options: Options) -> Rigs:
    from calibstudio.devices.simulator.observatory import PRESETS
    from calibstudio.services.rigs import rigs_here

    return rigs_here(tuple(PRESETS), options.settings_path, options.data_folder)


def _opening(saved: Rigs) -> Callable[[str], Observatory]:
    from calibstudio.devices.rigs import open_rig

    return lambda name: open_rig(name, known=saved)


def doors_of(saved: Rigs, opened: Callable[[str], Observatory] | None = None) -> Doors:
    """Return the ways to equipment, which load the drivers when they are first used."""

    def open_rig(name: str, token: CancelToken) -> Observatory:
        from calibstudio.devices.rigs import open_rig

        return open_rig(name, known=saved, cancel=token) if opened is None else opened(name)

    def open_again(observatory: Observatory, role: Role, token: CancelToken) -> Observatory:
        from calibstudio.devices.rig_opening import open_again

        return open_again(observatory, role, cancel=token)

    def look(address: str, token: CancelToken) -> tuple[Listed, ...]:
        from calibstudio.devices.discovery import discover

        return discover(address, token).devices

    def open_simulated(name: str, simulation: Simulation, token: CancelToken) -> Observatory:
        from calibstudio.devices.rigs import open_rig

        return open_rig(name, simulation=simulation, cancel=token)

    return Doors(open_rig, open_again, look, open_simulated)


def _library_now(options: Options, at_start: Settings, now: Settings) -> str:
    """The library of the command line, until another is chosen in the settings; it is not kept."""
    chosen = now.library != at_start.library
    return now.library if chosen or not options.library else options.library


def _application() -> QApplication:
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    qt = QApplication(["calibstudio"])
    qt.setApplicationName("calibstudio")
    qt.setApplicationDisplayName("CalibStudio")
    qt.setApplicationVersion(__version__)
    qt.setDesktopFileName("calibstudio")
    qt.setQuitOnLastWindowClosed(False)
    return qt


def _first_rig(
    opened: Callable[[str], Observatory], wanted: str, settings: Settings
) -> tuple[Observatory, str]:
    """Open what was asked for, or the simulated camera of the settings.

    Returns
    -------
    observatory, later
        Equipment that the window begins with, and the name of the rig that is connected once it
        is up: a server that is switched off must not keep it from opening.
    """
    if wanted:
        return opened(wanted), ""
    from calibstudio.devices.simulator.observatory import PRESETS

    if settings.rig in ("", *PRESETS):
        return opened(settings.rig), ""
    return opened(""), settings.rig


def _missing(observatory: Observatory) -> tuple[str, ...]:
    """Return a sentence for each device of a rig that could not be connected."""
    return tuple(str(o.error) for o in outcomes_of(observatory) if o.error is not None)


def simulated_rigs() -> tuple[RigChoice, ...]:
    """Return the simulated observatories on offer."""
    from calibstudio.devices.simulator.observatory import PRESETS

    return tuple(RigChoice(name, preset.title) for name, preset in PRESETS.items())


def _warm(ctx: JobContext, *, simulated: bool) -> None:
    """Compile, or load from their cache, what the first frame or stack would wait for."""
    from calibstudio.imaging.kernels import warm_kernels

    if simulated:
        from calibstudio.devices.simulator.render import warm_up

        warm_up()
    text = "Preparing the stacking engine"
    warm_kernels(lambda share: ctx.progress(0.5 + 0.5 * min(share, 0.999), text))


def _within(seconds: float, work: Callable[[], None]) -> bool:
    """Do something that may hang, but wait no longer than this for it."""

    def guarded() -> None:
        try:
            work()
        except CalibStudioError as error:
            log.warning("while closing: %s", error)

    thread = threading.Thread(target=guarded, daemon=True, name="closing equipment")
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
