"""Overruling a verdict after a sequence is over: the frame moves, and the journal knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from calibstudio.domain.capture import StepPhase
from calibstudio.domain.errors import UsageError
from calibstudio.services.capture_journal import StateLog
from calibstudio.services.capture_state import Resumed, resume_plan
from calibstudio.store.folder_sink import FolderSink


def review_frame(journal: Path, index: int, *, keep: bool) -> Resumed:
    """Keep a frame after all, or set it aside, and return the sequence as it is then.

    A step that is short afterwards waits: Resume takes another frame. Masters that were built
    before stay as they are.

    Parameters
    ----------
    journal
        File of a sequence that does not run.
    index
        `FrameResult.index` of the frame.

    Raises
    ------
    UsageError
        The sequence is running, or has no such frame.
    FileProblemError, WriteProblemError
        The frame cannot be moved; then nothing is changed.
    """
    known = resume_plan(journal)
    log = StateLog.again(journal, known.root, known.id)
    try:
        known = resume_plan(journal)
        frame = next((f for f in known.frames if f.index == index), None)
        if frame is None or frame.path is None:
            raise UsageError(
                f"The sequence has no file of frame {index}.", hint="Choose another frame."
            )
        if frame.accepted is keep:
            return known
        sink = FolderSink(known.root)
        if keep:
            path = sink.take_back(frame.path, f"by the operator. {frame.reason}".strip())
        else:
            path = sink.set_aside(frame.path, "by the operator.")
        log.frame(
            replace(
                frame, accepted=keep, kept_aside=not keep, path=path, by_operator=True,
                replaced_by=None if keep else frame.replaced_by,
            )
        )  # fmt: skip
        _note_step(log, journal, frame.step_id)
    finally:
        log.close()
    return resume_plan(journal)


def _note_step(log: StateLog, journal: Path, step_id: str) -> None:
    """A step that is short now waits; one that has enough is done."""
    state = next((s for s in resume_plan(journal).steps if s.step.id == step_id), None)
    if state is None:
        return
    enough = state.good >= state.wanted
    if enough is (state.phase is StepPhase.DONE) and enough:
        return
    phase = StepPhase.DONE if enough else StepPhase.WAITING
    log.step(replace(state, phase=phase, text="" if enough else "A frame is taken again."))
