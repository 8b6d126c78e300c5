"""The file of a running sequence: the plan in the first line, then a line for each thing that
happened.

A line is on the disk before the next exposure begins. The file is locked while its sequence runs,
so that two programs never go on with the same one; the lock is the system's and ends with the
process, however that ends. `calibstudio.services.capture_state` reads the file.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calibstudio.domain.capture import FrameResult, StepState
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CapturePlan
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.store.codec import assessment_from_json, assessment_to_json
from calibstudio.store.file_lock import locked
from calibstudio.store.naming import free_name, utc_word
from calibstudio.store.publish import publish_file, write_problem

FORMAT = "calibstudio sequence"
VERSION = 1
PATTERN = "sequence_*.jsonl"
LOOKS, LOOK_S = 4, 0.05


@dataclass(frozen=True, slots=True)
class Before:
    """How the equipment was before a sequence; so it is put back at its end. None: not known."""

    cover: CoverState | None = None
    slot: int | None = None
    cooler_on: bool | None = None
    set_c: float | None = None
    pointing_deg: tuple[float, float] | None = None
    """Altitude and azimuth of the telescope, where the sequence moves it."""
    focus_position: int | None = None
    """Of the focuser, where the sequence moves it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sequence comes from, and what it takes to go on with it elsewhere."""

    rig: str = ""
    """Name of the rig, as it is opened."""
    camera: str = ""
    serial: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the program that began it wants to know when it goes on; plain values."""


@dataclass(slots=True)
class StateLog:
    """Appends what happens to the file of one sequence. Used by one thread."""

    path: Path
    root: Path
    """Paths of frames are kept relative to this folder, so that it may move."""
    id: str
    """Identity of the sequence; every frame has it in its header."""
    _handle: int = -1
    _waiting: list[str] = field(default_factory=list)
    """Lines that the disk refused; written before the next one."""

    @classmethod
    def begin(
        cls,
        plan: CapturePlan,
        folder: Path,
        root: Path,
        at: datetime,
        *,
        origin: Origin | None = None,
    ) -> StateLog:
        """Make the file of a new sequence in the night's folder, and lock it.

        Raises
        ------
        WriteProblemError
            If it cannot be written.
        """
        origin = origin or Origin()
        head = {
            "format": FORMAT,
            "version": VERSION,
            "id": uuid.uuid4().hex,
            "started_utc": at.astimezone(UTC).isoformat(),
            "root": os.path.relpath(root, folder),
            "rig": origin.rig,
            "camera": origin.camera,
            "serial": origin.serial,
            "options": dict(origin.options),
            "plan": plan.as_document(),
        }
        path = free_name(folder / f"sequence_{utc_word(at)}.jsonl")
        publish_file(path, lambda temporary: temporary.write_text(_line(head), encoding="utf-8"))
        log = cls(path, root, str(head["id"]))
        log._open()
        return log

    @classmethod
    def again(cls, path: Path, root: Path, sequence_id: str) -> StateLog:
        """Lock the file of a sequence to go on in it; nothing is written yet.

        Raises
        ------
        UsageError
            Another program, or another window, is running it.
        WriteProblemError
            If it cannot be written.
        """
        log = cls(path, root, sequence_id)
        log._open()
        return log

    def resumed(self, at: datetime) -> None:
        """Note that the sequence goes on."""
        self._append({"resumed": {"at": at.astimezone(UTC).isoformat()}})

    def before(self, before: Before) -> None:
        """Note how the equipment was before anything moved."""
        row = {
            "cover": None if before.cover is None else str(before.cover),
            "slot": before.slot,
            "cooler_on": before.cooler_on,
            "set_c": before.set_c,
            "pointing_deg": None if before.pointing_deg is None else list(before.pointing_deg),
        }
        self._append({"before": {k: v for k, v in row.items() if v is not None}})

    def agreed(self, set_temp_c: float, use_c: float) -> None:
        """Note that the operator takes another temperature than the one asked for."""
        self._append({"agreed": {"set_temp_c": set_temp_c, "use_c": use_c}})

    def frame(self, result: FrameResult) -> None:
        """Note a frame that was taken, or what became of it."""
        self._append({"frame": frame_row(result, self.root)})

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

    def note(self, text: str, *, passing: bool = False) -> None:
        """Note what was out of the ordinary, in a sentence.

        ``passing``: about the equipment of that hour; nothing to say when the sequence goes on.
        """
        self._append({"note": text} | ({"passing": True} if passing else {}))

    def masters_built(self, at: datetime) -> None:
        """Note that the masters of its frames were built."""
        self._append({"masters": {"at": at.astimezone(UTC).isoformat()}})

    def end(self, *, finished: bool, at: datetime) -> None:
        """Note that the sequence ended, and let go of the file; not finished: it can go on."""
        try:
            self._append({"end": {"finished": finished, "at": at.astimezone(UTC).isoformat()}})
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(self.path, flags)
        except OSError as error:
            raise write_problem(self.path, error) from error
        if not _locked_soon(handle):
            os.close(handle)
            raise UsageError(
                f"The sequence {self.path.name} is running in another window or program.",
                hint="Go on with it there, or close that program first.",
            )
        self._handle = handle

    def _append(self, row: Mapping[str, Any]) -> None:
        """Write a line, and those that could not be written before; wait for the disk."""
        self._waiting.append(_line(row))
        if self._handle < 0:
            self._open()
        try:
            self._write("".join(self._waiting).encode("utf-8"))
        except OSError as error:
            raise write_problem(self.path, error) from error
        self._waiting.clear()

    def _write(self, data: bytes) -> None:
        """Append whole lines or nothing; a line that a power cut tore spoils only itself."""
        handle = self._handle
        size = os.lseek(handle, 0, os.SEEK_END)
        if size:
            os.lseek(handle, size - 1, os.SEEK_SET)
            if os.read(handle, 1) != b"\n":
                data = b"\n" + data
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise


def _locked_soon(handle: int) -> bool:
    """Lock a file; who only looks whether it is locked holds it for a moment."""
    for _ in range(LOOKS):
        if locked(handle):
            return True
        time.sleep(LOOK_S)
    return locked(handle)


def is_running(path: Path) -> bool:
    """Whether some program runs the sequence of this file now."""
    try:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        return not locked(handle)
    finally:
        os.close(handle)


def frame_row(result: FrameResult, root: Path) -> dict[str, Any]:
    """Return a frame for JSON, without what is not set; paths relative to the frames' folder."""
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
        "p999_adu": result.p999_adu,
        "brightness": result.brightness,
        "sensor_c": result.sensor_c,
        "sensor_before_c": result.sensor_before_c,
        "path": None if result.path is None else _relative(result.path, root),
        "kept_aside": result.kept_aside,
        "is_search": result.is_search,
        "by_operator": result.by_operator,
        "replaced_by": result.replaced_by,
    }
    # By identity: 0 °C and number 0 are values.
    kept = {k: v for k, v in row.items() if v is not None and v is not False and v != ""}
    row = {**kept, "accepted": result.accepted}
    if result.assessment.metrics or result.assessment.findings:
        row["assessment"] = json.loads(assessment_to_json(result.assessment))
    return row


def frame_of_row(row: Mapping[str, Any], root: Path) -> FrameResult | None:
    """Read what `frame_row` wrote; None when it makes no sense."""
    taken = moment(row.get("taken_utc"))
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
            assessment=_assessment(row.get("assessment")),
            filter=row.get("filter"),
            level_adu=row.get("level_adu"),
            p999_adu=row.get("p999_adu"),
            brightness=row.get("brightness"),
            sensor_c=row.get("sensor_c"),
            sensor_before_c=row.get("sensor_before_c"),
            path=_inside(row.get("path"), root),
            kept_aside=bool(row.get("kept_aside")),
            is_search=bool(row.get("is_search")),
            by_operator=bool(row.get("by_operator")),
            replaced_by=row.get("replaced_by"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def before_of_row(row: Mapping[str, Any]) -> Before:
    """Read how the equipment was; what makes no sense is not known."""
    cover, slot, on, set_c = (row.get(k) for k in ("cover", "slot", "cooler_on", "set_c"))
    focus = row.get("focus_position")
    return Before(
        cover=CoverState(cover) if cover in set(CoverState) else None,
        slot=slot if isinstance(slot, int) else None,
        cooler_on=on if isinstance(on, bool) else None,
        set_c=float(set_c) if isinstance(set_c, int | float) else None,
        pointing_deg=_pair(row.get("pointing_deg")),
        focus_position=focus if isinstance(focus, int) else None,
    )


def _pair(value: Any) -> tuple[float, float] | None:
    """Read two numbers; None when they are none."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    first, second = value
    if not isinstance(first, int | float) or not isinstance(second, int | float):
        return None
    return float(first), float(second)


def moment(text: Any) -> datetime | None:
    """Read a moment; None when it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _assessment(plain: Any) -> Assessment:
    if not isinstance(plain, dict):
        return Assessment()
    try:
        return assessment_from_json(json.dumps(plain))
    except (KeyError, TypeError, ValueError):
        return Assessment()


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


def _line(row: Mapping[str, Any]) -> str:
    # NaN is no JSON, and a line that cannot be written would cost the frame it tells of.
    return json.dumps(_finite(row), ensure_ascii=False, separators=(",", ":")) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not -1e308 < value < 1e308:
        return None
    return value
