"""What a sequence has done, read from its file and its frames: it goes on after a stop, a crash or
a power cut.

The journal (`calibstudio.services.capture_journal`) tells the story; the frames' own headers have
the last word about what is there. A frame that was written but not noted is adopted, one that was
noted but is not there is taken again, and a line that a power cut tore is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calibstudio.domain.capture import FrameResult, StepPhase, StepState
from calibstudio.domain.errors import CalibStudioError, FileProblemError
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.quality import Verdict
from calibstudio.services.capture_journal import (
    FORMAT,
    PATTERN,
    VERSION,
    Before,
    Origin,
    StateLog,
    before_of_row,
    frame_of_row,
    is_running,
    moment,
)
from calibstudio.store.sequence_frames import FrameOnDisk, frames_on_disk, settle_parts


@dataclass(frozen=True, slots=True)
class Resumed:
    """A sequence as its file tells it: what `run_sequence` needs to go on."""

    path: Path
    plan: CapturePlan
    steps: tuple[StepState, ...]
    frames: tuple[FrameResult, ...]
    started_at: datetime
    finished: bool = False
    """Nothing is left to do."""
    notes: tuple[str, ...] = ()
    id: str = ""
    """Empty: written by a version whose frames do not say where they belong."""
    root: Path = Path()
    """The frames' folder it writes to."""
    origin: Origin = field(default_factory=Origin)
    crashed: bool = False
    """It did not end: the process was killed, or the power went."""
    running: bool = False
    """Some program runs it now."""
    times: int = 1
    """How often it was begun and gone on with."""
    has_masters: bool = False
    """The masters of its frames were built."""
    before: Before | None = None
    """How the equipment was before it began, where it was cut off."""
    agreed_c: Mapping[float, float] = field(default_factory=dict)
    """Temperatures that the operator took instead of those asked for."""
    tries: Mapping[str, tuple[FrameResult, ...]] = field(default_factory=dict)
    """Test frames of searches that were cut off, by step."""
    news: tuple[FrameResult, ...] = ()
    """Frames of which the file does not know yet, or not what became of them."""

    @property
    def good(self) -> int:
        """Accepted frames."""
        return sum(step.good for step in self.steps)

    @property
    def wanted(self) -> int:
        """Frames wanted of all steps that were not skipped."""
        return sum(s.wanted for s in self.steps if s.phase is not StepPhase.SKIPPED)

    @property
    def can_go_on(self) -> bool:
        """Whether something is left to take, and nobody is taking it."""
        return not self.running and not self.finished and self.good < self.wanted


def read_sequence(path: Path) -> Resumed:
    """Read the file of a sequence as it is; quick, for a list.

    A frame that was good but is not on disk any more does not count, and is taken again.

    Raises
    ------
    FileProblemError
        If the file cannot be read or is no sequence.
    UsageError
        If its plan makes no sense.
    """
    return _story(path).result()


def resume_plan(path: Path) -> Resumed:
    """Read the file of a sequence and look at its frames; changes nothing.

    Raises
    ------
    FileProblemError, UsageError
        As `read_sequence`.
    """
    story = _story(path)
    if story.id:
        story.look(frames_on_disk(story.root, path.parent, story.id))
    return story.result()


def settle(path: Path) -> None:
    """Finish what a killed process left half done: temporary files, and moves of frames.

    Only for the program that holds the sequence's lock.

    Raises
    ------
    FileProblemError, UsageError
        As `read_sequence`.
    """
    story = _story(path)
    if not story.id:
        return
    settle_parts(story.root, path, story.id)
    by_index: dict[int, list[FrameOnDisk]] = {}
    for frame in frames_on_disk(story.root, path.parent, story.id):
        by_index.setdefault(frame.result.index, []).append(frame)
    for index, copies in by_index.items():
        known = story.frames.get(index)
        if len(copies) == 2 and copies[0].data_sum == copies[1].data_sum and copies[0].data_sum:
            # A frame is moved by writing it anew and removing the old one, which was not done.
            old = next((c for c in copies if known and c.path == known.path), copies[0])
            old.path.unlink(missing_ok=True)


def newest_cut_off(folder: Path) -> Resumed | None:
    """Return the newest sequence if the program ended in the middle of it, by itself or by force.

    Only the newest: an older one that was cut off is history, and stays in the list.
    """
    newest = next(iter(find_sequences(folder)), None)
    return newest if newest is not None and newest.crashed and newest.can_go_on else None


def let_be(path: Path) -> None:
    """Note that a sequence that was cut off is not to be offered at every start.

    Raises
    ------
    FileProblemError, UsageError, WriteProblemError
        It cannot be read or written, or is running.
    """
    known = read_sequence(path)
    log = StateLog.again(path, known.root, known.id)
    log.end(finished=False, at=datetime.now(UTC))


def find_sequences(folder: Path) -> list[Resumed]:
    """Return the sequences under a folder of nights, newest first; unreadable ones are left out."""
    found: list[Resumed] = []
    for path in sorted([*folder.glob(PATTERN), *folder.glob(f"*/{PATTERN}")], reverse=True):
        try:
            found.append(read_sequence(path))
        except CalibStudioError:
            continue
    return sorted(found, key=lambda r: r.started_at, reverse=True)


def _story(path: Path) -> _Story:
    rows = _rows(path)
    head = rows[0]
    story = _Story(
        path,
        CapturePlan.from_document(head["plan"]),
        (path.parent / str(head.get("root", "."))).resolve(),
        str(head.get("id", "")),
        _origin(head),
        moment(head.get("started_utc")) or datetime.fromtimestamp(0, UTC),
    )
    for row in rows[1:]:
        story.take(row)
    return story


def _origin(head: Mapping[str, Any]) -> Origin:
    options = head.get("options")
    return Origin(
        str(head.get("rig", "")),
        str(head.get("camera", "")),
        str(head.get("serial", "")),
        options if isinstance(options, dict) else {},
    )


@dataclass(slots=True)
class _Story:
    """Puts the lines of a file together."""

    path: Path
    plan: CapturePlan
    root: Path
    id: str
    origin: Origin
    started: datetime
    frames: dict[int, FrameResult] = field(default_factory=dict)
    steps: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    finished: bool = False
    ended: bool = False
    times: int = 1
    has_masters: bool = False
    before: Before | None = None
    agreed: dict[float, float] = field(default_factory=dict)
    tries: dict[str, list[FrameResult]] = field(default_factory=dict)
    news: dict[int, FrameResult] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, row: Mapping[str, Any]) -> None:
        """Take one line."""
        if isinstance(frame := row.get("frame"), dict):
            self._take_frame(frame)
        elif isinstance(step := row.get("step"), dict) and "id" in step:
            self._take_step(step)
        elif isinstance(end := row.get("end"), dict):
            self.finished, self.ended = bool(end.get("finished")), True
            self.before = None
        elif isinstance(before := row.get("before"), dict):
            self.before = self.before or before_of_row(before)
        elif isinstance(agreed := row.get("agreed"), dict):
            self._take_agreed(agreed)
        elif "resumed" in row:
            self.ended, self.times = False, self.times + 1
        elif "masters" in row:
            self.has_masters = True
        elif isinstance(note := row.get("note"), str) and not row.get("passing"):
            self.notes.append(note)

    def _take_frame(self, row: Mapping[str, Any]) -> None:
        result = frame_of_row(row, self.root)
        if result is None:
            return
        self.frames[result.index] = result
        if result.is_search and result.number == 0:
            self.tries.setdefault(result.step_id, []).append(result)
        if not result.by_operator:
            self.has_masters = False

    def _take_step(self, row: Mapping[str, Any]) -> None:
        step_id = str(row["id"])
        self.steps[step_id] = row
        self.finished = False
        if _word(row) not in (StepPhase.SEARCHING, StepPhase.WAITING):
            self.tries.pop(step_id, None)

    def _take_agreed(self, row: Mapping[str, Any]) -> None:
        asked, used = row.get("set_temp_c"), row.get("use_c")
        if isinstance(asked, int | float) and isinstance(used, int | float):
            self.agreed[float(asked)] = float(used)

    def look(self, found: Iterable[FrameOnDisk]) -> None:
        """Compare with the frames that are there; their own headers have the last word."""
        ids = {step.id for step in self.plan.steps}
        for frame in found:
            there = frame.result
            known = self.frames.get(there.index)
            if known is None:
                if there.step_id not in ids:
                    continue
                self._learn(there)
                self.notes.append(f"{frame.path.name} was kept when the program ended. It counts.")
            elif known.path is None or not known.path.exists():
                moved = replace(
                    known, path=there.path, accepted=there.accepted, kept_aside=there.kept_aside,
                    verdict=there.verdict, reason=there.reason or known.reason,
                )  # fmt: skip
                self._learn(moved)

    def _learn(self, frame: FrameResult) -> None:
        self.frames[frame.index] = self.news[frame.index] = frame

    def result(self) -> Resumed:
        """Return what came of it."""
        frames, gone = _only_existing(self.frames.values())
        steps = tuple(self._step(i, frames) for i in range(len(self.plan.steps)))
        return Resumed(
            path=self.path,
            plan=self.plan,
            steps=steps,
            frames=frames,
            started_at=self.started,
            finished=self.finished and all(s.phase.is_over for s in steps),
            notes=(*self.notes, *gone),
            id=self.id,
            root=self.root,
            origin=self.origin,
            crashed=not self.ended,
            running=is_running(self.path),
            times=self.times,
            has_masters=self.has_masters,
            before=self.before,
            agreed_c=dict(self.agreed),
            tries={key: tuple(tries) for key, tries in self.tries.items()},
            news=tuple(self.news.values()),
        )

    def _step(self, index: int, frames: tuple[FrameResult, ...]) -> StepState:
        step = self.plan.steps[index]
        row = self.steps.get(step.id, {})
        own = [f for f in frames if f.step_id == step.id and f.number > 0]
        kept = [f for f in own if f.accepted]
        phase = _phase(row)
        if phase is StepPhase.DONE and len(kept) < step.count:
            phase = StepPhase.WAITING
        exposure_s, brightness = row.get("exposure_s"), row.get("brightness")
        found = next((f for f in reversed(kept) if f.is_search), None)
        if exposure_s is None and found is not None:
            # Cut off between the frame that reached the level and the line that says so.
            exposure_s, brightness = found.exposure_s, found.brightness
        tests = sum(f.step_id == step.id and f.is_search for f in frames)
        return StepState(
            step=step,
            phase=phase,
            good=len(kept),
            tried=len(own),
            warned=sum(f.verdict is Verdict.WARN for f in kept),
            replaced=sum(not f.accepted for f in own),
            test_frames=max(tests, int(row.get("test_frames", 0))),
            exposure_s=step.exposure_s if exposure_s is None else float(exposure_s),
            exposure_is_found=exposure_s is not None,
            brightness=brightness,
            target_adu=row.get("target_adu"),
            level_adu=kept[-1].level_adu if kept else None,
            text=str(row.get("text", "")) if phase.is_over else "",
            hint=str(row.get("hint", "")) if phase.is_over else "",
        )


def _word(row: Mapping[str, Any]) -> StepPhase | None:
    word = row.get("phase")
    return StepPhase(word) if word in set(StepPhase) else None


def _phase(row: Mapping[str, Any]) -> StepPhase:
    """Return where a resumed step stands: what failed or was cut off is tried again."""
    word = _word(row)
    return word if word in (StepPhase.DONE, StepPhase.SKIPPED) else StepPhase.WAITING


def _only_existing(
    frames: Iterable[FrameResult],
) -> tuple[tuple[FrameResult, ...], tuple[str, ...]]:
    kept: list[FrameResult] = []
    notes: list[str] = []
    for frame in sorted(frames, key=lambda f: f.index):
        if frame.accepted and (frame.path is None or not frame.path.exists()):
            name = frame.path.name if frame.path else f"frame {frame.number}"
            notes.append(f"{name} is not there any more. It is taken again.")
            frame = replace(frame, accepted=False, path=None, reason="The file is gone.")
        kept.append(frame)
    return tuple(kept), tuple(notes)


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise FileProblemError(
            f"{path.name} cannot be read: {error.strerror}.", hint="Start the sequence anew."
        ) from error
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue  # torn by a power cut; a resumed sequence wrote on behind it
        if isinstance(row, dict):
            rows.append(row)
    if not rows or rows[0].get("format") != FORMAT or not isinstance(rows[0].get("plan"), dict):
        raise FileProblemError(f"{path.name} is no sequence.", hint="Start the sequence anew.")
    if rows[0].get("version", 0) > VERSION:
        raise FileProblemError(
            f"{path.name} was written by a newer CalibStudio.", hint="Update CalibStudio."
        )
    return rows
