"""Room on the disk while a sequence runs: looked at before each frame, waited for when gone."""

from __future__ import annotations

import errno

from calibstudio.domain.capture import Answer, QuestionKind
from calibstudio.domain.errors import WriteProblemError
from calibstudio.domain.plan import CaptureStep, frame_bytes
from calibstudio.domain.wording import file_size
from calibstudio.services.capture_run import SequenceRun
from calibstudio.services.frames_disk import free_for

SPARE_BYTES = 4_000_000
"""Beside a frame: its journal, and what else is written meanwhile."""
ANSWERS = {Answer.RETRY: "Try again", Answer.STOP: "Stop"}


class Room:
    """Watches the disk that frames go to."""

    def __init__(self, run: SequenceRun) -> None:
        self._run = run

    def for_a_frame(self, step: CaptureStep) -> None:
        """Wait until there is room for one more frame; before it is exposed, not after.

        Raises
        ------
        SequenceStopped, Cancelled
        """
        if self.is_short(step):
            self.wait()

    def is_short(self, step: CaptureStep) -> bool:
        """Whether the next frame does not fit; False where nobody knows."""
        free = self._free()
        needed = frame_bytes(self._run.around.info, step.settings) + SPARE_BYTES
        return free is not None and free < needed

    def wait(self) -> None:
        """Pause with what is missing; go on by itself when what is left fits."""
        needed = self._needed()
        free = self._free() or 0
        missing = max(needed - free, SPARE_BYTES)
        self._run.ask(
            QuestionKind.DISK,
            f"{file_size(free)} free, {file_size(needed)} needed. "
            f"Free {file_size(missing)} or choose another folder.",
            "The sequence goes on by itself when there is room. Complete frames are kept.",
            ANSWERS,
            until=lambda: (self._free() or 0) >= needed,
        )

    def _free(self) -> int | None:
        return free_for(self._run.around.observatory, self._run.around.sink.folder)

    def _needed(self) -> int:
        """Return what the rest of the plan takes, in bytes."""
        info = self._run.around.info
        left = sum(
            max(0, s.wanted - s.good) * frame_bytes(info, s.step.settings)
            for s in self._run.steps
            if not s.phase.is_over
        )
        return left + SPARE_BYTES


def is_full(error: WriteProblemError) -> bool:
    """Whether a file could not be written because there is no room."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
