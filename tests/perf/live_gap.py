"""How long the window does not answer while frames stream in: ``python tests/perf/live_gap.py``.

The real window, offscreen, loops frames of 24 and 61 megapixels. A timer of 10 ms notes how late
it comes (the gap in which nothing on the screen could react), how much of that neither this thread
nor another of the program spent in the queue for a processor that other programs use, and how
much of the processor it used itself. Prints Markdown. Limit: no gap of 50 ms or more.

``--stack 40`` stacks so many 61 megapixel frames in the background meanwhile, again and again, as
the program does; frames are made in ``--data`` (5 GB for 40), or in a folder that is removed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from calibstudio.app import doors_of
from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.equipment import (
    Camera,
    CameraInfo,
    CameraStatus,
    Conversion,
    ExposureRequest,
    Frame,
    Observatory,
)
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.recipe import Rejection, StackSettings
from calibstudio.gui.context import GuiContext
from calibstudio.gui.equipment_state import EquipmentState
from calibstudio.gui.interpreter import GuiInterpreter
from calibstudio.gui.jobs.runner import Job, JobRunner
from calibstudio.gui.live.workspace import LiveWorkspace
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.problems import ProblemReporter
from calibstudio.gui.rigs.connection import RigConnection
from calibstudio.gui.settings_state import SettingsState
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.toasts import Toasts
from calibstudio.imaging.kernels import warm_kernels
from calibstudio.services.rigs import Rigs
from calibstudio.services.settings import Settings
from calibstudio.services.stack import stack_files

sys.path.insert(0, str(Path(__file__).resolve().parent))

import engine_frames

TICK_MS = 10
LIMIT_MS = 50.0
_HOME = tempfile.mkdtemp()
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HOME"] = os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_CACHE_HOME"] = _HOME


class FastCamera:
    """Gives frames that were made before, at a rate: the camera costs the machine nothing."""

    def __init__(self, inner: Camera, shape: tuple[int, int], rate_hz: float) -> None:
        self._inner = inner
        self._period_s = 1.0 / rate_hz
        self._info = replace(inner.info, shape=shape, exposure_min_s=0.0, readout_s=None)
        rng = np.random.default_rng(1)
        base = rng.normal(1100, 50, shape).astype(np.float32)
        base.ravel()[::10_007] = 65535
        self._frames = []
        for k in range(3):
            data = np.roll(base, 997 * k, axis=1).astype(np.uint16)
            data.flags.writeable = False
            self._frames.append(data)
        self.given = 0

    @property
    def info(self) -> CameraInfo:
        return self._info

    def status(self) -> CameraStatus:
        return self._inner.status()

    def conversion(self, gain: int | None, readout_mode: str | None) -> Conversion | None:
        return self._inner.conversion(gain, readout_mode)

    def set_cooler(self, *, on: bool, target_c: float | None = None) -> None:
        self._inner.set_cooler(on=on, target_c=target_c)

    def expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        cancel.wait(self._period_s)
        self.given += 1
        return Frame(
            data=self._frames[self.given % len(self._frames)],
            request=request,
            started_at=datetime.now(UTC),
            exposure_s=request.exposure_s,
            gain=request.gain,
            offset=request.offset,
            conversion=self.conversion(request.gain, None),
            sensor_c=-10.0,
            set_c=-10.0,
        )

    def close(self) -> None:
        self._inner.close()


def build(
    app: QApplication, observatory: Observatory, theme_name: str
) -> tuple[MainWindow, GuiContext]:
    """The window as the program makes it."""
    theme = ThemeState(theme_name)
    theme.attach(app)
    settings = SettingsState(Settings(first_start_seen=True), lambda settings: None)
    camera_jobs, background = JobRunner(1), JobRunner(2)
    equipment, problems, toasts = EquipmentState(observatory), ProblemReporter(), Toasts()
    rigs = Rigs(Path(_HOME) / "rigs")
    context = GuiContext(
        theme=theme,
        settings=settings,
        camera_jobs=camera_jobs,
        background=background,
        equipment=equipment,
        problems=problems,
        toasts=toasts,
        open_library=lambda: None,
        data_folder=Path(_HOME),
        connection=RigConnection(
            doors_of(rigs),
            jobs=camera_jobs,
            background=background,
            equipment=equipment,
            settings=settings,
            problems=problems,
            toasts=toasts,
            rigs=rigs,
        ),
    )
    window = MainWindow(context)
    window.resize(1920, 1080)
    window.show_workspace("live")
    window.show()
    context.equipment.start()
    GuiInterpreter(window).start()
    return window, context


def queued_ms() -> dict[str, float]:
    """How long each thread of this program has waited for a processor in all (Linux; else {})."""
    found: dict[str, float] = {}
    for task in Path("/proc/self/task").glob("*"):
        try:
            found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e6
        except (OSError, IndexError, ValueError):
            continue  # it ended, or the kernel does not say
    return found


class Meter:
    """Notes how late a timer comes, and what the GUI thread did meanwhile."""

    def __init__(self) -> None:
        self.gaps_ms: list[float] = []
        self.cpu_ms: list[float] = []
        self.own_ms: list[float] = []
        self._wall = self._cpu = 0.0
        self._queued: dict[str, float] = {}
        self._me = str(threading.get_native_id())
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(TICK_MS)
        self.timer.timeout.connect(self._tick)

    def start(self) -> None:
        self._wall, self._cpu, self._queued = time.perf_counter(), time.thread_time(), queued_ms()
        self.timer.start()

    def _tick(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        gap = (wall - self._wall) * 1e3
        self.gaps_ms.append(gap)
        self.cpu_ms.append((cpu - self._cpu) * 1e3)
        if gap > 2 * TICK_MS:
            queued = queued_ms()
            waited = {k: v - self._queued.get(k, 0.0) for k, v in queued.items()}
            # This thread in the queue, or waiting for one that is (with the interpreter lock).
            own = waited.pop(self._me, 0.0)
            others = max(waited.values(), default=0.0)
            self.own_ms.append(max(gap - own - min(others, gap - own), self.cpu_ms[-1]))
        else:
            self.own_ms.append(gap)
        self._queued = queued_ms()
        self._wall, self._cpu = time.perf_counter(), time.thread_time()


def wheel(live: LiveWorkspace, steps: int) -> None:
    """Turn the wheel over the picture."""
    view = live.picture.view
    at = QPointF(view.width() * 0.4, view.height() * 0.6)
    event = QWheelEvent(
        at, view.mapToGlobal(at), QPointF(0, 0).toPoint(), QPointF(0, 120 * steps).toPoint(),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def stack_on(ctx: JobContext, paths: list[Path], out: Path, done: list[float]) -> None:
    """Stack the same frames again and again until it is cancelled."""
    while True:
        out.unlink(missing_ok=True)
        settings = StackSettings(reject=Rejection.SIGMA, low=3, high=3)
        done.append(stack_files(ctx, paths, out, settings).seconds)


def run(
    preset: str,
    seconds: float,
    rate_hz: float,
    *,
    simulated: bool,
    theme: str,
    stacking: list[Path],
) -> dict[str, float]:
    """Loop for so long, zooming and panning now and then, and return what was noted."""
    app = QApplication.instance() or QApplication(sys.argv)
    assert isinstance(app, QApplication)
    observatory: Observatory = simulated_observatory(preset, cover_open=True, speed=30.0)
    if not simulated:
        camera = FastCamera(observatory.camera, observatory.camera.info.shape, rate_hz)
        observatory = replace(observatory, camera=camera)
    window, context = build(app, observatory, theme)
    meter = Meter()
    shown = [0, 0]
    stacked: list[float] = []
    jobs: list[Job] = []

    def begin() -> None:
        live = window.workspace
        assert isinstance(live, LiveWorkspace)
        live.picture.view.picture_shown.connect(lambda _p: shown.__setitem__(0, shown[0] + 1))
        live.session.numbers_ready.connect(lambda _n: shown.__setitem__(1, shown[1] + 1))
        live.toggle_loop()
        if stacking:
            out = stacking[0].with_name("stacked.fits")
            jobs.append(
                context.background.submit(
                    "Stacking", lambda ctx: stack_on(ctx, stacking, out, stacked)
                )
            )
        QTimer.singleShot(3000, meter.start)

    def stir() -> None:
        live = window.workspace
        assert isinstance(live, LiveWorkspace)
        step = len(meter.gaps_ms)
        wheel(live, 1 if step % 2 else -1)
        view = live.picture.view
        QTest.mouseMove(view, (QPointF(300 + step % 500, 300)).toPoint())

    def end() -> None:
        meter.timer.stop()
        for job in jobs:
            job.cancel()
        window.close_at_once()
        app.quit()

    stirring = QTimer()
    stirring.timeout.connect(stir)
    QTimer.singleShot(4000, begin)
    QTimer.singleShot(7500, lambda: stirring.start(300))
    QTimer.singleShot(int((7.0 + seconds) * 1000), end)
    app.exec()
    stirring.stop()
    context.equipment.stop()
    context.camera_jobs.shutdown()
    context.background.shutdown()
    observatory.close()
    gaps, cpu, own = (np.array(v) for v in (meter.gaps_ms, meter.cpu_ms, meter.own_ms))
    return {
        "longest": float(gaps.max()),
        "p99": float(np.percentile(gaps, 99)),
        "own_longest": float(own.max()),
        "own_p99": float(np.percentile(own, 99)),
        "cpu_longest": float(cpu.max()),
        "cpu_p99": float(np.percentile(cpu, 99)),
        "fps": shown[0] / (seconds + 3.0),
        "measured": shown[1] / (seconds + 3.0),
        "stacks": float(len(stacked)),
    }


def _table(options: argparse.Namespace, stacking: list[Path]) -> float:
    """Print the table and return the longest gap, ms."""
    print(
        "| frames | longest gap | 99 % | less others' load | 99 % | GUI thread's work | 99 % "
        "| shown | measured | stacks done |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    worst = 0.0
    for preset in options.preset or ["mono24", "mono61"]:
        found = run(
            preset,
            options.seconds,
            options.rate,
            simulated=options.simulated,
            theme=options.theme,
            stacking=stacking,
        )
        worst = max(worst, found["longest"])
        print(
            f"| {preset} | {found['longest']:.1f} ms | {found['p99']:.1f} ms "
            f"| {found['own_longest']:.1f} ms | {found['own_p99']:.1f} ms "
            f"| {found['cpu_longest']:.1f} ms | {found['cpu_p99']:.1f} ms "
            f"| {found['fps']:.1f} / s | {found['measured']:.1f} / s | {found['stacks']:.0f} |"
        )
    return worst


def main() -> int:
    """Run all cases; exit code 1 when a gap is too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--rate", type=float, default=10.0, help="frames a second that are offered")
    parser.add_argument("--preset", action="append", choices=("mono24", "mono61"))
    parser.add_argument("--simulated", action="store_true", help="let the simulator make them")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--stack", type=int, default=0, metavar="N", help="frames of 61 MP")
    parser.add_argument("--data", type=Path, help="folder for the frames that are stacked")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.data or Path(temporary)) / f"dark_{options.stack}_9576x6388"
        paths = engine_frames.darks(folder, options.stack, (6388, 9576)) if options.stack else []
        warm_kernels()
        worst = _table(options, paths)
    return 0 if worst < LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
