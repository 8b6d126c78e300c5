"""How long `stack` and `masters` take to stop: a signal at random moments, of large frames.

python -m tests.perf.stop_time [--moments 20] [--rows 6388] [--columns 9576] [--frames 4]

Each run is a process of its own; it gets SIGTERM at a moment that a seed chooses within the time
that an undisturbed run takes, and the time until the process is gone is measured. Exit code,
sentence and leftovers are checked. Prints a table.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from calibstudio.store.master_read import read_master
from tests.perf.engine_frames import made_apart


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--rows", type=int, default=6388)
    parser.add_argument("--columns", type=int, default=9576)
    parser.add_argument("--frames", type=int, default=4, help="of each kind")
    parser.add_argument("--folder", type=Path, help="where frames are kept for the next time")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = args.folder or Path(own)
        made_apart("night", folder / "night", args.frames, (args.rows, args.columns))
        size = args.rows * args.columns / 1e6
        print(f"| {args.frames} frames of each kind, {size:.0f} MP | median | 90 % | longest |")
        print("|---|---|---|---|")
        for name in ("stack", "masters"):
            times = _times(name, folder, args.moments, args.seed)
            middle, most = np.percentile(times, [50, 90])
            found = " | ".join(f"{value:.2f} s" for value in (middle, most, max(times)))
            print(f"| `{name}`, {len(times)} stops | {found} |", flush=True)


def _times(name: str, folder: Path, moments: int, seed: int) -> list[float]:
    whole = _run(name, folder, None)[0]
    rng = random.Random(seed)
    times: list[float] = []
    while len(times) < moments:
        after = rng.uniform(0.02, 0.97) * whole
        seconds, code = _run(name, folder, after)
        if code != 130:
            continue  # it was done before, or Python itself had not yet begun
        times.append(seconds)
        print(f"{name}: stopped after {after:.2f} s in {seconds:.3f} s", file=sys.stderr)
    return times


def _run(name: str, folder: Path, after: float | None) -> tuple[float, int]:
    """Run it; return the seconds that it took, or took to stop, and the exit code."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    frames = sorted((folder / "night").glob("flat_*.fits"))
    words = [str(folder / "night"), "--library", str(out)]
    if name == "stack":
        words = [*map(str, frames), "--normalize", "multiplicative", "--out", str(out / "a.fits")]
    command = [sys.executable, "-m", "calibstudio", name, *words]
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        if after is not None:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                began = time.perf_counter()
                process.send_signal(signal.SIGTERM)
        said = process.communicate()[1]
    seconds = time.perf_counter() - began
    if process.returncode == 130:
        if "Stopped" not in said:
            raise SystemExit(f"it said {said!r}")
        _check_left(out)
    elif process.returncode not in (0, 1, -signal.SIGTERM):
        raise SystemExit(f"exit code {process.returncode}: {said}")
    return seconds, process.returncode


def _check_left(out: Path) -> None:
    """Nothing is half-written: every FITS file is a whole master, and there is no other."""
    for path in out.rglob("*"):
        if path.name.endswith((".part", ".tmp")):
            raise SystemExit(f"{path} was left")
        if path.suffix == ".fits":
            read_master(path)


if __name__ == "__main__":
    main()
