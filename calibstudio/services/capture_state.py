"""What a sequence has done, on disk, so that it goes on after a stop, a crash or a power cut.

One file for each sequence, in the night's folder: the plan in the first line, then one line for
each thing that happened. A line is flushed to the disk before the next exposure; a line that a
power cut tore is left out when it is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calibstudio.domain.capture import FrameResult, StepPhase, StepState
from calibstudio.domain.errors import CalibStudioError, FileProblemError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.quality import Verdict
from calibstudio.store.naming import free_name, utc_word
from calibstudio.store.publish import publish_file, write_problem

FORMAT = "calibstudio sequence"
VERSION = 1
PATTERN = "sequence_*.jsonl"


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

    @property
    def good(self) -> int:
        """Accepted frames."""
        return sum(step.good for step in self.steps)

    @property
    def wanted(self) -> int:
        """Frames wanted of all steps that were not skipped."""
        return sum(s.wanted for s in self.steps if s.phase is not StepPhase.SKIPPED)


@dataclass(slots=True)
class StateLog:
    """Appends what happens to the file of one sequence. Used by one thread."""

    path: Path
    root: Path
    """Paths of frames are kept relative to this folder, so that it may move."""

    @classmethod
    def begin(cls, plan: CapturePlan, folder: Path, root: Path, at: datetime) -> StateLog:
        """Make the file of a new sequence in the night's folder.

        Raises
        ------
        WriteProblemError
            If it cannot be written.
        """
        head = {
            "format": FORMAT,
            "version": VERSION,
            "started_utc": at.astimezone(UTC).isoformat(),
            "root": os.path.relpath(root, folder),
            "plan": plan.as_document(),
        }
        path = free_name(folder / f"sequence_{utc_word(at)}.jsonl")
        publish_file(path, lambda temporary: temporary.write_text(_line(head), encoding="utf-8"))
        return cls(path, root)

    @classmethod
    def again(cls, resumed: Resumed, root: Path, at: datetime) -> StateLog:
        """Go on in the file of a sequence.

        Raises
        ------
        WriteProblemError
            If it cannot be written.
        """
        log = cls(resumed.path, root)
        # The last line may have been torn: an empty one keeps it from spoiling the next.
        log._append({"resumed": {"at": at.astimezone(UTC).isoformat()}}, before="\n")
        return log

    def frame(self, result: FrameResult) -> None:
        """Note a frame that was taken, or what became of it."""
        self._append({"frame": _frame_row(result, self.root)})

    def step(self, state: StepState) -> None:
        """Note where a step is."""
        row = {
            "id": state.step.id,
            "phase": str(state.phase),
            "exposure_s": state.exposure_s if state.exposure_is_found else None,
            "brightness": state.brightness,
            "target_adu": state.target_adu,
            "test_frames": state.test_frames,
            "text": state.text,
            "hint": state.hint,
        }
        self._append({"step": {k: v for k, v in row.items() if v not in (None, "")}})

    def end(self, *, finished: bool, at: datetime) -> None:
        """Note that the sequence ended; not finished: it can be resumed."""
        self._append({"end": {"finished": finished, "at": at.astimezone(UTC).isoformat()}})

    def _append(self, row: Mapping[str, Any], *, before: str = "") -> None:
        try:
            with self.path.open("a", encoding="utf-8") as handle:
                handle.write(before + _line(row))
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise write_problem(self.path, error) from error


def resume_plan(path: Path) -> Resumed:
    """Read the file of a sequence.

    A frame that was good but is not on disk any more does not count, and is taken again.

    Raises
    ------
    FileProblemError
        If the file cannot be read or is no sequence.
    UsageError
        If its plan makes no sense.
    """
    rows = _rows(path)
    head = rows[0]
    plan = CapturePlan.from_document(head["plan"])
    root = (path.parent / str(head.get("root", "."))).resolve()
    story = _Story(plan, root)
    for row in rows[1:]:
        story.take(row)
    started = _moment(head.get("started_utc")) or datetime.fromtimestamp(0, UTC)
    return story.result(path, started)


def find_sequences(folder: Path) -> list[Resumed]:
    """Return the sequences under a folder of nights, newest first; unreadable ones are left out."""
    found: list[Resumed] = []
    for path in sorted([*folder.glob(PATTERN), *folder.glob(f"*/{PATTERN}")], reverse=True):
        try:
            found.append(resume_plan(path))
        except CalibStudioError:
            continue
    return sorted(found, key=lambda r: r.started_at, reverse=True)


@dataclass(slots=True)
class _Story:
    """Puts the lines of a file together."""

    plan: CapturePlan
    root: Path
    frames: dict[int, FrameResult] = field(default_factory=dict)
    steps: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    finished: bool = False

    def take(self, row: Mapping[str, Any]) -> None:
        if isinstance(frame := row.get("frame"), dict):
            result = _frame(frame, self.root)
            if result is not None:
                self.frames[result.index] = result
        elif isinstance(step := row.get("step"), dict) and "id" in step:
            self.steps[str(step["id"])] = step
            self.finished = False
        elif isinstance(end := row.get("end"), dict):
            self.finished = bool(end.get("finished"))

    def result(self, path: Path, started: datetime) -> Resumed:
        frames, notes = _only_existing(self.frames.values())
        steps = tuple(self._step(i, frames) for i in range(len(self.plan.steps)))
        finished = self.finished and all(s.phase.is_over for s in steps)
        return Resumed(path, self.plan, steps, frames, started, finished, notes)

    def _step(self, index: int, frames: tuple[FrameResult, ...]) -> StepState:
        step = self.plan.steps[index]
        row = self.steps.get(step.id, {})
        own = [f for f in frames if f.step_id == step.id and f.number > 0]
        kept = [f for f in own if f.accepted]
        phase = _phase(row.get("phase"))
        if phase is StepPhase.DONE and len(kept) < step.count:
            phase = StepPhase.WAITING
        exposure_s = row.get("exposure_s")
        return StepState(
            step=step,
            phase=phase,
            good=len(kept),
            tried=len(own),
            warned=sum(f.verdict is Verdict.WARN for f in kept),
            replaced=sum(not f.accepted for f in own),
            test_frames=int(row.get("test_frames", 0)),
            exposure_s=step.exposure_s if exposure_s is None else float(exposure_s),
            exposure_is_found=exposure_s is not None,
            brightness=row.get("brightness"),
            target_adu=row.get("target_adu"),
            level_adu=kept[-1].level_adu if kept else None,
            text=str(row.get("text", "")) if phase.is_over else "",
            hint=str(row.get("hint", "")) if phase.is_over else "",
        )


def _phase(word: Any) -> StepPhase:
    """Return where a resumed step stands: what failed or was cut off is tried again."""
    if word in (StepPhase.DONE, StepPhase.SKIPPED):
        return StepPhase(word)
    return StepPhase.WAITING


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
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
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


def _frame_row(result: FrameResult, root: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "index": result.index,
        "step": result.step_id,
        "kind": str(result.kind),
        "number": result.number,
        "taken_utc": result.taken_at.astimezone(UTC).isoformat(),
        "exposure_s": result.exposure_s,
        "accepted": result.accepted,
        "verdict": str(result.verdict),
        "reason": result.reason,
        "filter": result.filter,
        "level_adu": result.level_adu,
        "sensor_c": result.sensor_c,
        "path": None if result.path is None else _relative(result.path, root),
        "kept_aside": result.kept_aside,
        "is_search": result.is_search,
        "by_operator": result.by_operator,
        "replaced_by": result.replaced_by,
    }
    return {k: v for k, v in row.items() if v not in (None, "", False) or k == "accepted"}


def _frame(row: Mapping[str, Any], root: Path) -> FrameResult | None:
    taken = _moment(row.get("taken_utc"))
    try:
        return FrameResult(
            index=int(row["index"]),
            step_id=str(row["step"]),
            kind=FrameKind(row["kind"]),
            number=int(row["number"]),
            taken_at=taken or datetime.fromtimestamp(0, UTC),
            exposure_s=float(row["exposure_s"]),
            accepted=bool(row["accepted"]),
            verdict=Verdict(row["verdict"]),
            reason=str(row.get("reason", "")),
            filter=row.get("filter"),
            level_adu=row.get("level_adu"),
            sensor_c=row.get("sensor_c"),
            path=_inside(row.get("path"), root),
            kept_aside=bool(row.get("kept_aside")),
            is_search=bool(row.get("is_search")),
            by_operator=bool(row.get("by_operator")),
            replaced_by=row.get("replaced_by"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _relative(path: Path, root: Path) -> str:
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(path)


def _inside(text: Any, root: Path) -> Path | None:
    """Return a frame's path; one that leads out of the frames' folder is not believed."""
    if not isinstance(text, str):
        return None
    path = (root / text).resolve()
    return path if path.is_relative_to(root) else None


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
