"""Frames on their way from the camera to the screen: one, or one after the other.

The camera's thread keeps a frame first (when it shall be saved), then leaves it in a mailbox with
one place. A timer takes the newest; a worker makes its pyramid, another its numbers. Camera,
picture and numbers each keep their own pace, and whatever is too slow skips frames and says so.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from calibstudio.domain.capture import FrameNotes
from calibstudio.domain.equipment import ExposureRequest, Frame, PanelStatus, Region
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.gui.context import GuiContext
from calibstudio.gui.jobs.runner import Job, JobState
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.imaging.display import Pyramid, build_pyramid, warm_up
from calibstudio.imaging.display_numbers import clip_region
from calibstudio.services.latest import Latest
from calibstudio.services.live import live, take_one
from calibstudio.services.live_measure import (
    BiasMemory,
    LiveNumbers,
    live_kind,
    measure_live,
    measure_region,
    saturation_adu,
    settings_of,
)

log = logging.getLogger(__name__)

REFRESH_MS = 40
"""How often the mailbox is looked at: 25 times a second."""

Command = Callable[[CancelToken], object]
"""Something a device shall do, in the camera's thread."""


class LivePhase(StrEnum):
    """What Live is doing."""

    IDLE = "idle"
    ONE = "one"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class ExposureClock:
    """How far the exposure under way is, in observatory seconds."""

    elapsed_s: float
    exposure_s: float
    readout_s: float
    is_waiting: bool = False
    """The camera is busy with something else; nothing is exposed yet."""

    @property
    def is_reading(self) -> bool:
        """Whether the exposure is over and the frame is on its way."""
        return not self.is_waiting and self.elapsed_s >= self.exposure_s

    @property
    def to_go_s(self) -> float:
        """Seconds until the frame is there."""
        return max(0.0, self.exposure_s + self.readout_s - self.elapsed_s)


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A frame with what was so while it was taken."""

    frame: Frame
    number: int
    at: datetime
    """When it arrived, by the observatory's clock."""
    panel: PanelStatus | None
    path: Path | None
    """Where it is kept; None when it is not."""


@dataclass(frozen=True, slots=True, eq=False)
class LivePicture:
    """A frame ready for the screen."""

    taken: Taken
    pyramid: Pyramid


class _Preview(Latest[Frame]):
    """What the camera's thread puts frames into: keeps them first, then shows them."""

    def __init__(self, keep: Callable[[Frame], Taken]) -> None:
        super().__init__()
        self._keep = keep
        self.shown: Latest[Taken] = Latest()

    def put(self, item: Frame) -> None:
        self.shown.put(self._keep(item))


class LiveSession(QObject):
    """Takes frames and hands them on.

    Signals
    -------
    changed()
        It began or ended to take frames.
    picture_ready(LivePicture)
        A frame can be shown.
    numbers_ready(LiveNumbers)
        The newest frame was measured.
    region_ready(RegionNumbers)
        Another region of the newest frame was measured.
    failed(Exception)
        Frames stopped coming; None takes it back (a frame came).
    """

    changed = Signal()
    picture_ready = Signal(object)
    numbers_ready = Signal(object)
    region_ready = Signal(object)
    failed = Signal(object)

    def __init__(self, context: GuiContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._request: ExposureRequest | None = None
        self._save = False
        self._region: Region | None = None
        self._job: Job | None = None
        self._phase = LivePhase.IDLE
        self._last_phase = LivePhase.ONE
        self._exposing: tuple[float, ExposureRequest] | None = None
        self._commands: deque[tuple[str, Command]] = deque()
        self._number = 0
        self._biases = BiasMemory()
        self._preview = _Preview(self._keep)
        self._newest: Taken | None = None
        self._pictures = NewestWorker("live picture", self, heavy=True)
        self._numbers = NewestWorker("live numbers", self, heavy=True)
        self._regions = NewestWorker("live region", self, heavy=True)
        self._pictures.done.connect(self._on_picture)
        self._numbers.done.connect(self._on_numbers)
        self._regions.done.connect(self.region_ready)
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self._on_tick)

    # What is going on

    @property
    def phase(self) -> LivePhase:
        """Idle, taking one frame, or looping."""
        return self._phase

    @property
    def count(self) -> int:
        """Frames taken since the program began."""
        return self._number

    @property
    def skipped(self) -> int:
        """Frames that came too fast to be shown."""
        return self._preview.shown.replaced

    @property
    def newest(self) -> Taken | None:
        """The last frame that was taken for the screen."""
        return self._newest

    def exposure_clock(self) -> ExposureClock | None:
        """How far the exposure is; None when nothing is exposed."""
        request = self._request
        if self._phase is LivePhase.IDLE or request is None:
            return None
        readout = self._context.equipment.observatory.camera.info.readout_s or 0.0
        if self._job is not None and self._job.state is JobState.WAITING:
            return ExposureClock(0.0, request.exposure_s, readout, is_waiting=True)
        began = self._exposing
        if began is None:
            return None
        speed = self._context.equipment.observatory.clock.speed
        elapsed = (time.monotonic() - began[0]) * speed if speed < 1e6 else began[1].exposure_s
        return ExposureClock(elapsed, began[1].exposure_s, readout)

    # What is asked for

    def prepare(self) -> None:
        """Compile what is fast, in the background."""
        self._context.background.submit(
            "Prepare pictures", lambda ctx: warm_up(), quiet=True, expendable=True
        )

    def set_request(self, request: ExposureRequest) -> None:
        """Take the next frames like this; a loop follows with its next frame."""
        self._request = request

    def set_saving(self, on: bool) -> None:
        """Keep the frames in the night's folder, or only look at them."""
        self._save = on

    def set_region(self, region: Region | None) -> None:
        """Measure this part from now on, in the newest frame at once."""
        if region == self._region:
            return
        self._region = region
        self._measure_region()

    def _measure_region(self) -> None:
        taken, region = self._newest, self._region
        if taken is None:
            return
        info = self._context.equipment.observatory.camera.info
        frame = taken.frame
        bias = self._biases.level_adu(settings_of(frame, info))
        limit = saturation_adu(frame, info, bias)
        self._regions.ask(lambda: measure_region(frame, info, region, saturation=limit))

    def take_one(self) -> None:
        """Take one frame; nothing while frames are being taken."""
        if self._phase is LivePhase.IDLE and self._request is not None:
            self._begin(LivePhase.ONE, "Take one frame", self._one)

    def start_loop(self) -> None:
        """Take one frame after the other."""
        if self._phase is LivePhase.IDLE and self._request is not None:
            self._begin(LivePhase.LOOP, "Loop", self._loop)

    def stop(self) -> None:
        """Stop at once; a frame under way is lost."""
        if self._job is not None:
            self._job.cancel()

    def try_again(self) -> None:
        """Do again what failed."""
        if self._last_phase is LivePhase.LOOP:
            self.start_loop()
        else:
            self.take_one()

    def command(self, title: str, work: Command) -> None:
        """Let a device do something; during a loop between two frames."""
        if self._phase is LivePhase.LOOP:
            self._commands.append((title, work))
            return
        job = self._context.camera_jobs.submit(title, lambda ctx: work(ctx.token), quiet=True)
        job.failed.connect(self._context.problems.report)

    def close_down(self) -> None:
        """Stop everything; nothing is shown any more."""
        self._timer.stop()
        self.stop()
        for worker in (self._pictures, self._numbers, self._regions):
            worker.close()

    def _begin(self, phase: LivePhase, title: str, work: Callable[[JobContext], object]) -> None:
        self._phase = self._last_phase = phase
        self._exposing = None
        self._job = self._context.camera_jobs.submit(title, work, quiet=True)
        self._job.failed.connect(self._on_failed)
        self._job.finished.connect(self._on_finished)
        self._timer.start()
        self.changed.emit()

    # In the camera's thread

    def _one(self, ctx: JobContext) -> None:
        camera = self._context.equipment.observatory.camera
        frame = take_one(ctx, camera, self._next_request(ctx))
        self._preview.put(frame)

    def _loop(self, ctx: JobContext) -> None:
        camera = self._context.equipment.observatory.camera
        live(ctx, camera, lambda: self._next_request(ctx), self._preview)

    def _next_request(self, ctx: JobContext) -> ExposureRequest:
        """Do what waits, then say what is exposed next, and note when that begins."""
        while self._commands:
            title, work = self._commands.popleft()
            try:
                work(ctx.token)
            except CalibStudioError as error:
                log.warning("%s: %s", title, error)
                self._context.problems.report_from_thread(error)
        request = self._request
        assert request is not None  # nothing begins without one
        observatory = self._context.equipment.observatory
        panel = observatory.panel.status() if observatory.panel is not None else None
        kind = live_kind(panel, request.exposure_s, observatory.camera.info)
        request = replace(request, kind=kind)
        self._exposing = (time.monotonic(), request)
        return request

    def _keep(self, frame: Frame) -> Taken:
        """Write the frame when it shall be kept, and say where it is."""
        self._exposing = None
        self._number += 1
        observatory = self._context.equipment.observatory
        snapshot = self._context.equipment.snapshot
        path: Path | None = None
        if self._save:
            from calibstudio.services.frames_disk import refuse_when_full
            from calibstudio.store.folder_sink import FolderSink

            folder = self._context.settings.current.frames_folder
            refuse_when_full(observatory, folder)
            notes = FrameNotes(
                observatory=observatory,
                kind=frame.request.kind,
                filter=snapshot.filter_name,
                panel_brightness=snapshot.lamp_brightness,
                cover=snapshot.cover,
                number=self._number,
                sequence="Live",
            )
            path = FolderSink(folder).write(frame, notes)
        panel = observatory.panel.status() if observatory.panel is not None else None
        return Taken(frame, self._number, observatory.clock.now(), panel, path)

    # In the GUI thread

    @Slot()
    def _on_tick(self) -> None:
        """Take the newest frame, when the former one is on its way to the screen."""
        if not self._pictures.is_busy and (taken := self._preview.shown.take()) is not None:
            self._newest = taken
            info = self._context.equipment.observatory.camera.info
            bias = self._biases.level_adu(settings_of(taken.frame, info))
            limit = saturation_adu(taken.frame, info, bias)
            self._pictures.ask(
                lambda: LivePicture(taken, build_pyramid(taken.frame.data, saturation=limit))
            )
        elif self._phase is LivePhase.IDLE and not self._pictures.is_busy:
            self._timer.stop()

    @Slot(object)
    def _on_picture(self, picture: LivePicture) -> None:
        self.failed.emit(None)
        self.picture_ready.emit(picture)
        taken, region = picture.taken, self._region
        info, biases = self._context.equipment.observatory.camera.info, self._biases
        self._numbers.ask(
            lambda: measure_live(
                taken.frame, taken.number, info, region=region, panel=taken.panel, biases=biases
            )
        )

    @Slot(object)
    def _on_numbers(self, numbers: LiveNumbers) -> None:
        self.numbers_ready.emit(numbers)
        now = self._region
        if now is not None:
            now = clip_region(now, numbers.frame.data.shape)
        if now != numbers.part.region:
            # The region was dragged while its frame was being measured.
            self._measure_region()

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(error)
        if not isinstance(error, CalibStudioError):
            self._context.problems.report(error)

    @Slot()
    def _on_finished(self) -> None:
        self._job = None
        self._exposing = None
        self._phase = LivePhase.IDLE
        self._run_commands_left()
        self.changed.emit()

    def _run_commands_left(self) -> None:
        while self._commands:
            title, work = self._commands.popleft()
            self.command(title, work)
