"""Whole processes in turn, with their times and memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one command; the processor time includes its threads."""

    wall_s: float
    cpu_s: float
    memory_mib: float


def interleaved(
    commands: dict[str, list[str]],
    out: Path,
    rounds: int,
    *,
    before: Callable[[], None] | None = None,
) -> dict[str, list[Run]]:
    """Run all commands in turn, each round beginning with another one."""
    found: dict[str, list[Run]] = {name: [] for name in commands}
    names = list(commands)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            out.unlink(missing_ok=True)
            if before is not None:
                before()
            found[name].append(timed(commands[name]))
            print(f"#   {name}: {found[name][-1].wall_s:.2f} s", file=sys.stderr, flush=True)
    return found


def as_installed() -> dict[str, str]:
    """Return the surroundings of a program that was installed: its Python modules are compiled.

    ``PYTHONDONTWRITEBYTECODE``, as build machines set it, would have every process compile its
    sources again, ours and a peer's: nobody who has installed a program waits for that.
    """
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def timed(command: list[str]) -> Run:
    """Run a command and return its times."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=as_installed())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            last = said.read()[-500:].decode(errors="replace")
            raise SystemExit(f"{command[:4]} ended with {process.returncode}: {last}")
    return Run(wall, usage.ru_utime + usage.ru_stime, memory_mib(usage))


def memory_mib(usage: resource.struct_rusage) -> float:
    """Largest resident size; kilobytes on Linux, bytes on macOS."""
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def ratios(many: list[Run], base: list[Run]) -> list[float]:
    """Wall times of one round against each other."""
    return [a.wall_s / b.wall_s for a, b in zip(many, base, strict=True)]


def is_root() -> bool:
    """Whether the page cache may be emptied."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def drop_caches() -> None:
    """Forget what was read from disks."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
