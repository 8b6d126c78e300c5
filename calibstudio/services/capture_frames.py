"""One frame of a sequence: expose it (again, if the camera fails), judge it, keep it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.capture import ActivityKind, FrameNotes, FrameResult
from calibstudio.domain.equipment import Camera, ExposureRequest, Frame
from calibstudio.domain.errors import (
    CalibStudioError,
    DeviceBusyError,
    DeviceUnreachableError,
    ExposureFailedError,
    UnsupportedRequestError,
    WriteProblemError,
)
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CaptureStep, readout_s
from calibstudio.domain.quality import Assessment, Finding, Verdict
from calibstudio.domain.wording import duration, exposure
from calibstudio.services.capture_patience import Patience
from calibstudio.services.capture_room import Room, is_full
from calibstudio.services.capture_run import SequenceRun, StepEnded
from calibstudio.services.capture_scene import Scene
from calibstudio.services.frames_disk import refuse_when_full
from calibstudio.store.raw_fits import stored_bayer

RETRIES = 3
RETRY_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Level:
    """How bright a frame is: raw robust level and 99.9th percentile, ADU."""

    value_adu: float
    p999_adu: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What a frame is judged against beside its own pixels."""

    bias_adu: float | None = None
    target_adu: float | None = None
    tolerance: float = 0.10
    set_temp_c: float | None = None
    held_temp_c: float | None = None
    """Where the set point was not waited for: what the sensor had at the first frame."""


class FrameTaker:
    """Takes the frames of a sequence, one at a time."""

    def __init__(self, run: SequenceRun, scene: Scene) -> None:
        self._run, self._scene = run, scene
        self._patience = Patience(run)
        self._room = Room(run)
        self._newest: NDArray[np.uint16] | None = None
        self._previous: NDArray[np.uint16] | None = None

    def remember_pixels(self, pixels: NDArray[np.uint16]) -> None:
        """Tell the pixels of the last frame of before: a camera may deliver them once more."""
        self._newest = pixels

    # Exposing ---------------------------------------------------------------------------------

    def expose(self, step: CaptureStep, exposure_s: float, text: str, number_: int) -> Frame:
        """Expose one frame, with patience for a camera that fails.

        A failed exposure or a busy camera is tried again; a camera that stops answering is given
        time to come back, everything is set as before, and the frame is begun anew. Then the
        operator is asked.

        Raises
        ------
        StepEnded
            The camera cannot do this, or the operator skips the step.
        SequenceStopped, Cancelled, DeviceError
        """
        around = self._run.around
        request = step.settings.request(step.kind, exposure_s)
        failures = 0
        while True:
            self._room.for_a_frame(step)
            seconds = exposure_s + readout_s(around.info, step.settings)
            self._run.activity(ActivityKind.EXPOSING, text, seconds)
            began = around.now()
            try:
                frame = around.observatory.camera.expose(request, around.ctx.token)
                self._previous, self._newest = self._newest, frame.data
                return frame
            except UnsupportedRequestError as error:
                raise StepEnded(str(error), hint=error.hint) from error
            except DeviceUnreachableError as error:
                elapsed = (around.now() - began) / timedelta(seconds=1)
                self._reconnect(error, step, number_, elapsed)
                failures = 0
            except (DeviceBusyError, ExposureFailedError) as error:
                failures += 1
                if failures > RETRIES:
                    self._patience.ask(error)
                    failures = 0
                else:
                    self._run.note(f"{error} Tried again.")
                    around.sleep(RETRY_AFTER_S)

    def _reconnect(
        self, error: CalibStudioError, step: CaptureStep, number_: int, elapsed_s: float
    ) -> None:
        """Wait until the camera answers again, and set everything as it was for this step."""
        said = f"Camera stopped answering in frame {number_}, {duration(elapsed_s)} in."
        self._patience.until_back(error, said, self._run.around.observatory.camera.status)
        self._scene.set_again(step)

    # Judging ----------------------------------------------------------------------------------

    def level(self, frame: Frame) -> Level:
        """Measure how bright a frame is."""
        from calibstudio.imaging.quality import central_level

        found = central_level(frame.data, self.bayer(frame.request))
        return Level(found.value_adu, found.p999_adu)

    def bayer(self, request: ExposureRequest) -> str | None:
        """Return the colour pattern of the frames of a request."""
        return stored_bayer(self._run.around.info, request.region, request.binning)

    def judge(self, step: CaptureStep, frame: Frame, expected: Expected) -> Assessment:
        """Measure a frame and say whether it is good, and if not why."""
        broken = self._contradictions(step, frame)
        if broken is not None:
            return Assessment((), (broken,))
        from calibstudio.imaging.quality import FrameContext, measure_frame

        info, conversion = self._run.around.info, frame.conversion
        context = FrameContext(
            kind=str(step.kind),
            max_adu=info.max_adu,
            saturation_adu=info.saturation_adu,
            bayer=self.bayer(frame.request),
            exposure_s=frame.exposure_s,
            sensor_temp_c=frame.sensor_c,
            set_temp_c=expected.set_temp_c if expected.set_temp_c is not None else frame.set_c,
            held_temp_c=expected.held_temp_c,
            cooled=info.can_cool,
            egain_e_per_adu=conversion.e_per_adu if conversion else None,
            read_noise_e=conversion.read_noise_e if conversion else None,
            full_well_e=conversion.full_well_e if conversion else None,
            bias_level_adu=expected.bias_adu,
            target_adu=expected.target_adu,
            tolerance=expected.tolerance,
        )
        found = measure_frame(frame.data, context, self._run.around.thresholds)
        more = [*self._settings_findings(step, frame), *self._copy_finding(frame)]
        return Assessment(found.metrics, (*found.findings, *more)) if more else found

    def _contradictions(self, step: CaptureStep, frame: Frame) -> Finding | None:
        """A frame of another size than asked for cannot be measured with the rest."""
        wanted = step.settings.frame_shape(self._run.around.info)
        if frame.data.shape == wanted:
            return None
        ny, nx = frame.data.shape
        return Finding(
            Verdict.BAD,
            "wrong size",
            f"{nx} × {ny} pixels arrived, {wanted[1]} × {wanted[0]} were asked for.",
            cause="the driver mixed up binning or region.",
            cure="Reconnect the camera when it comes again.",
        )

    def _settings_findings(self, step: CaptureStep, frame: Frame) -> list[Finding]:
        """What the camera read back that was not asked for."""
        found: list[Finding] = []
        pairs = (
            ("Gain", step.settings.gain, frame.gain),
            ("Offset", step.settings.offset, frame.offset),
            ("Read-out mode", step.settings.readout_mode, frame.readout_mode),
        )
        for word, asked, got in pairs:
            if asked is not None and got is not None and asked != got:
                found.append(
                    Finding(
                        Verdict.BAD,
                        f"other {word.lower()}",
                        f"{word} {got} was read back, {asked} was set.",
                        cause="another program uses the camera, or its driver ignores settings.",
                        cure="Disconnect other programs, and reconnect the camera.",
                    )
                )
        asked_s = frame.request.exposure_s
        off = abs(frame.exposure_s - asked_s)
        if off > max(0.001, 0.005 * asked_s):
            found.append(
                Finding(
                    Verdict.BAD if off > max(0.01, 0.05 * asked_s) else Verdict.WARN,
                    "other exposure",
                    f"Exposed {exposure(frame.exposure_s)}, {exposure(asked_s)} were asked for.",
                    cause="the camera takes exposures in steps, or stopped early.",
                    cure="Use an exposure that the camera can do.",
                )
            )
        return found

    def is_copy(self, frame: Frame) -> bool:
        """Whether the newest frame has exactly the pixels of the one before: a stale buffer.

        Frames of one value all over are no copies: they are saturated.
        """
        last, data = self._previous, frame.data
        if last is None or last.shape != data.shape or not np.array_equal(last[:1], data[:1]):
            return False
        return bool(np.array_equal(last, data) and data.min() != data.max())

    def _copy_finding(self, frame: Frame) -> list[Finding]:
        if not self.is_copy(frame):
            return []
        return [
            Finding(
                Verdict.BAD,
                "copied frame",
                "Every pixel is equal to the frame before.",
                cause="the driver delivered its last picture again.",
                cure="None needed once; reconnect the camera when it comes again.",
            )
        ]

    # Keeping ----------------------------------------------------------------------------------

    def keep(
        self,
        step: CaptureStep,
        frame: Frame,
        assessment: Assessment,
        *,
        saturation_adu: float | None,
        sensor_before_c: float | None = None,
        is_search: bool = False,
    ) -> FrameResult:
        """Write a frame, among the good ones or aside, and count it.

        A disk that refuses is a question to the operator; the frame waits in memory meanwhile.
        """
        run = self._run
        accepted = assessment.verdict is not Verdict.BAD
        finding = assessment.worst_finding
        reason = "" if finding is None or finding.verdict is Verdict.GOOD else finding.what
        number_ = run.next_number(step.id)
        readings = self._scene.around.readings()
        notes = FrameNotes(
            observatory=run.around.observatory,
            kind=step.kind,
            filter=self._scene.filter_name(step),
            panel_brightness=self._scene.brightness,
            cover=self._scene.cover,
            number=number_,
            sequence=run.plan.title,
            sequence_id=run.state_log.id if run.state_log is not None else "",
            step_id=step.id,
            index=run.next_frame_index(),
            is_search=is_search,
            level_adu=finite(assessment.value("level")),
            sensor_before_c=sensor_before_c,
            saturation_adu=saturation_adu,
            rotator_deg=readings.rotator_deg,
            focus_position=readings.focus_position,
            verdict=assessment.verdict,
            reason=reason,
        )
        result = FrameResult(
            index=notes.index,
            step_id=step.id,
            kind=step.kind,
            number=number_,
            taken_at=frame.started_at,
            exposure_s=frame.exposure_s,
            accepted=accepted,
            verdict=assessment.verdict,
            reason=reason,
            assessment=assessment,
            filter=notes.filter if step.kind is FrameKind.FLAT else step.filter,
            level_adu=notes.level_adu,
            brightness=self._scene.brightness,
            sensor_c=frame.sensor_c,
            sensor_before_c=sensor_before_c,
            kept_aside=not accepted,
            is_search=is_search,
        )
        result = replace(result, path=self._written(step, frame, notes, aside=not accepted))
        self._name_replaced(step, result)
        run.add_frame(result)
        if run.around.preview is not None:
            run.around.preview.put(frame)
        return result

    def show_test_frame(self, step: CaptureStep, frame: Frame, level: Level, text: str) -> None:
        """Show a frame of a search; it is not kept."""
        run = self._run
        run.add_frame(
            FrameResult(
                index=run.next_frame_index(),
                step_id=step.id,
                kind=step.kind,
                number=0,
                taken_at=frame.started_at,
                exposure_s=frame.exposure_s,
                accepted=False,
                verdict=Verdict.GOOD,
                reason=text,
                filter=step.filter,
                level_adu=finite(level.value_adu),
                p999_adu=finite(level.p999_adu),
                brightness=self._scene.brightness,
                sensor_c=frame.sensor_c,
                is_search=True,
            )
        )
        if run.around.preview is not None:
            run.around.preview.put(frame)

    def _written(self, step: CaptureStep, frame: Frame, notes: FrameNotes, *, aside: bool) -> Path:
        run = self._run
        while True:
            try:
                refuse_when_full(run.around.observatory, run.around.sink.folder)
                return run.around.sink.write(frame, notes, aside=aside)
            except WriteProblemError as error:
                if is_full(error) and self._room.is_short(step):
                    self._room.wait()
                else:
                    self._patience.ask(error)

    def _name_replaced(self, step: CaptureStep, result: FrameResult) -> None:
        """Tell the bad frame before that this one was taken instead."""
        run = self._run
        before = run.frames_of(step.id, accepted=False)
        if before and not before[-1].accepted and before[-1].replaced_by is None:
            run.change_frame(replace(before[-1], replaced_by=result.number))


def frame_on_disk(step: CaptureStep, result: FrameResult, camera: Camera) -> Frame | None:
    """Return a frame of this sequence from its file; None when it cannot be read."""
    from calibstudio.store.pixels import read_image

    if result.path is None:
        return None
    try:
        pixels = np.asarray(read_image(result.path))
    except CalibStudioError:
        return None
    return Frame(
        data=pixels,
        request=step.settings.request(step.kind, result.exposure_s),
        started_at=result.taken_at,
        exposure_s=result.exposure_s,
        conversion=camera.conversion(step.settings.gain, step.settings.readout_mode),
        sensor_c=result.sensor_c,
    )


def finite(value: float | None) -> float | None:
    """Return a measured value; what is not a number is not measured."""
    return value if value is not None and math.isfinite(value) else None
