"""A real process that captures, killed at moments that a seed chooses, and what is left of it.

`calibstudio run` is started at the simulated observatory with a fast clock, killed (SIGKILL),
and gone on with by ``run --resume``, until nothing is left to take. Then every frame is looked at
with astropy.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits

from calibstudio.domain.capture import StepPhase
from calibstudio.services.capture_state import Resumed, find_sequences, read_sequence

CONFIG = """\
calibstudio: 1
title: Killed again and again
rig: tiny
simulation: {speed: 40, seed: 5, start: 2026-04-17T22:00:00Z}
masters: false
camera: {gain: 100, offset: 50}
bias: {frames: 6}
darks: {frames: 5, exposures: [5]}
flats: {frames: 5, filters: [L], light: panel, level: 50 %, exposure: 0.1, longest: 20,
        dark_flats: 4}
"""
TRIGGERS = ("time", "temporary file", "new frame", "line of the journal", "start")
"""What a kill waits for: so long; until such a thing is seen; or so long after the start."""
START_LIMIT_S = 40.0
NOTHING_LEFT = "has anything left to take"
"""Said by ``run --resume`` when the kill came after the last frame."""


@dataclass(frozen=True)
class Kill:
    """One kill, and what it left behind."""

    number: int
    trigger: str
    delay_s: float
    good: int
    """Frames that the journal knows as good."""
    not_noted: int
    """Frames on disk that the journal does not know."""
    temporary: int
    """Temporary files left over."""
    torn: bool
    """The last line of the journal is not whole."""


@dataclass
class KilledRun:
    """One sequence, killed some times."""

    folder: Path
    rng: random.Random
    kills: list[Kill] = field(default_factory=list)
    triggers: tuple[str, ...] = TRIGGERS
    nothing_left: bool = False
    """The last kill came after the last frame, before the journal said the end."""

    def run(self, kills: int) -> Resumed:
        """Kill so many times at most, then let it end; return the sequence as it is then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.yaml"
        config.write_text(CONFIG)
        command = [str(config)]
        while len(self.kills) < kills:
            process = self._start(command)
            if not self._killed(process):
                break
            command = ["--resume"] if self._journal() else [str(config)]
        if not self.nothing_left and (self._journal() is None or not self.sequence.finished):
            self._must_have_ended(self._start(command))
        return self.sequence

    def _must_have_ended(self, process: subprocess.Popen[str]) -> None:
        _, errors = process.communicate(timeout=120)
        self.nothing_left = NOTHING_LEFT in errors
        assert process.returncode == 0 or self.nothing_left, errors

    @property
    def frames(self) -> Path:
        return self.folder / "frames"

    @property
    def sequence(self) -> Resumed:
        (found,) = find_sequences(self.frames)
        return found

    def _journal(self) -> Path | None:
        return next(iter(self.frames.glob("*/sequence_*.jsonl")), None)

    def _start(self, arguments: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "calibstudio", "run", *arguments, "--no-confirm",
             "--frames", str(self.frames), "--library", str(self.folder / "library")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip

    def _killed(self, process: subprocess.Popen[str]) -> bool:
        """Wait for the moment and kill; False when the sequence ended before."""
        trigger = self.rng.choice(self.triggers)
        delay_s = self.rng.uniform(0.0, 0.5)
        if trigger == "start":
            time.sleep(6 * delay_s)
        else:
            self._until_under_way(process)
            self._until(process, trigger, delay_s)
        if process.poll() is not None:
            self._must_have_ended(process)
            return False
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        self.kills.append(self._left(trigger, delay_s))
        return True

    def _until_under_way(self, process: subprocess.Popen[str]) -> None:
        """Wait until this process has taken a frame, or a test frame: importing takes seconds."""
        before = self._rows()
        ends = time.monotonic() + START_LIMIT_S
        while self._rows() == before and process.poll() is None:
            assert time.monotonic() < ends, "the sequence does not begin"
            time.sleep(0.01)

    def _until(self, process: subprocess.Popen[str], trigger: str, delay_s: float) -> None:
        time.sleep(delay_s)
        before = self._seen(trigger)
        ends = time.monotonic() + 3.0
        while trigger != "time" and process.poll() is None and time.monotonic() < ends:
            if self._seen(trigger) - before:
                return

    def _seen(self, trigger: str) -> set[object]:
        if trigger == "line of the journal":
            return {self._size()}
        ending = ".part" if trigger == "temporary file" else ".fits"
        return {
            name
            for folder, _, names in os.walk(self.frames)
            for name in names
            if name.endswith(ending)
        }

    def _rows(self) -> int:
        journal = self._journal()
        return 0 if journal is None else journal.read_bytes().count(b'{"frame":{')

    def _size(self) -> int:
        journal = self._journal()
        return 0 if journal is None else journal.stat().st_size

    def _left(self, trigger: str, delay_s: float) -> Kill:
        journal = self._journal()
        files = list(self.frames.rglob("*.fits"))
        if journal is None:
            return Kill(len(self.kills) + 1, trigger, delay_s, 0, len(files), 0, torn=False)
        known = read_sequence(journal)
        noted = {f.path for f in known.frames}
        return Kill(
            number=len(self.kills) + 1,
            trigger=trigger,
            delay_s=delay_s,
            good=known.good,
            not_noted=sum(path.resolve() not in noted for path in files),
            temporary=len(list(self.frames.rglob("*.part"))),
            torn=not journal.read_bytes().endswith(b"\n"),
        )


def what_is_wrong(sequence: Resumed) -> list[str]:
    """Say what a sequence that came to its end lost, doubled or left half done; nothing: []."""
    wrong: list[str] = []
    for state in sequence.steps:
        over = (StepPhase.DONE, StepPhase.SKIPPED)
        if state.phase not in over:
            wrong.append(f"{state.step.id} is {state.phase}")
        if state.phase is StepPhase.DONE and state.good != state.wanted:
            wrong.append(f"{state.step.id} has {state.good} good frames of {state.wanted}")
    files = sorted(p.resolve() for p in sequence.root.rglob("*.fits"))
    noted = sorted(f.path for f in sequence.frames if f.path is not None)
    wrong += [f"{p.name} is not in the journal" for p in files if p not in noted]
    wrong += [f"{p.name} is not on disk" for p in noted if p not in files]
    wrong += [f"{p.name} is left over" for p in sequence.root.rglob("*.part")]
    pixels: Counter[str] = Counter()
    names: Counter[tuple[str, int]] = Counter()
    for path in files:
        with fits.open(path, checksum=True) as hdus:
            header = hdus[0].header
            hdus[0].data.sum()
        pixels[header["DATASUM"]] += 1
        names[header["CSSTEP"], header["CSNUMBER"]] += 1
        if header["CSSEQID"] != sequence.id:
            wrong.append(f"{path.name} belongs elsewhere")
    wrong += [f"{n} frames have the same pixels" for n in pixels.values() if n > 1]
    wrong += [f"{key} is there {n} times" for key, n in names.items() if n > 1]
    return wrong
