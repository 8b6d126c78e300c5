"""Whole-process speed of `calibstudio stack`, side by side with reading the bytes and astropy.

    python tests/perf/stack.py [--data FOLDER] [--frames 20] [--size 6000x4000] [--rounds 3]

Makes frames in FOLDER (or a temporary one) unless it holds some, runs every command once in
turn, several rounds, and prints a Markdown table: smallest and middle wall time, processor
time and largest resident memory, and the ratio of wall times to `calibstudio stack` in the same
round. Not collected by pytest: numbers depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

READ_NOISE, GAIN, BIAS = 7.5, 0.8, 500.0
"""ADU, e-/ADU, ADU."""

READ = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
def read(path):
    buffer, total = bytearray(1 << 20), 0
    fd = os.open(path, os.O_RDONLY)
    while got := os.readv(fd, [buffer]):
        total += got
    os.close(fd)
    return total
with ThreadPoolExecutor(2) as pool:
    print(sum(pool.map(read, sys.argv[1:])))
"""
ASTROPY = """
import sys, warnings
import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clip
warnings.simplefilter("ignore")
out, *paths = sys.argv[1:]
opened = [fits.open(p, memmap=True, do_not_scale_image_data=True) for p in paths]
ny, nx = opened[0][0].shape
result = np.empty((ny, nx), np.float32)
for y in range(0, ny, 256):
    cube = np.stack([h[0].data[y:y + 256].astype(np.float32) for h in opened])
    cube += 32768
    kept = sigma_clip(cube, sigma=3, maxiters=None, cenfunc="median", stdfunc="std",
                      axis=0, masked=False, copy=False)
    result[y:y + 256] = np.nanmean(kept, axis=0)
fits.writeto(out, result, overwrite=True)
"""


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of one command."""

    wall_s: float
    cpu_s: float
    memory_mib: float


def main() -> None:
    """Make the frames, time the commands, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, help="folder of frames; made there when it is empty")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--size", default="6000x4000", help="columns x rows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-astropy", action="store_true")
    args = parser.parse_args()
    columns, rows = (int(n) for n in args.size.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.data or Path(temporary) / "frames"
        paths = sorted(folder.glob("*.fits")) if folder.is_dir() else []
        if not paths:
            paths = make_darks(folder, args.frames, (rows, columns))
        out = Path(temporary) / "out.fits"
        timings = measure(commands(paths, out, args.without_astropy), out, args.rounds)
    pixels = len(paths) * rows * columns / 1e6
    print(f"{len(paths)} frames, {pixels:.0f} million pixels, {os.cpu_count()} processors\n")
    print(table(timings))


def make_darks(folder: Path, n: int, shape: tuple[int, int]) -> list[Path]:
    """Write uint16 darks: column pattern, row noise, glow, hot pixels, shot noise, cosmic hits."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    rows, columns = shape
    y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, columns, dtype=np.float32)[None, :]
    bias = BIAS + 1.5 * rng.standard_normal((1, columns)) + 0.8 * rng.standard_normal((rows, 1))
    dark = 12 + 60 * np.exp(-((1 - x) ** 2 + (y - 0.5) ** 2) / 0.02)
    dark = np.maximum(dark * (1 + 0.15 * rng.standard_normal(shape, dtype=np.float32)), 0)
    hot = rng.integers(0, dark.size, dark.size // 500)
    dark.reshape(-1)[hot] += rng.exponential(900.0, len(hot))
    level = (bias + dark).astype(np.float32)
    sigma = np.sqrt(READ_NOISE**2 + dark / GAIN).astype(np.float32)
    paths = []
    for i in range(n):
        path = folder / f"dark_{i + 1:04d}.fits"
        write_frame(path, np.random.default_rng([1, i]), level, sigma)
        paths.append(path)
    return paths


def write_frame(path: Path, rng: np.random.Generator, level: np.ndarray, sigma: np.ndarray) -> None:
    """Write one frame as a camera program does: big-endian, BZERO 32768."""
    values = level + sigma * rng.standard_normal(level.shape, dtype=np.float32)
    hits = rng.integers(0, values.size, max(1, values.size // 7000))
    values.reshape(-1)[hits] += 60 + rng.exponential(1500.0, len(hits))
    codes = np.clip(np.rint(values), 0, 65535).astype(np.uint16)
    cards = [("SIMPLE", "T"), ("BITPIX", 16), ("NAXIS", 2), ("NAXIS1", codes.shape[1])]
    cards += [("NAXIS2", codes.shape[0]), ("BZERO", 32768), ("BSCALE", 1), ("EXPTIME", 300.0)]
    header = "".join(f"{key:8}= {value:>20}".ljust(80) for key, value in cards) + "END".ljust(80)
    data = (codes ^ np.uint16(0x8000)).byteswap().tobytes()
    with path.open("wb") as file:
        file.write(header.ljust(-(-len(header) // 2880) * 2880).encode())
        file.write(data)
        file.write(b"\0" * (-len(data) % 2880))


def commands(paths: list[Path], out: Path, without_astropy: bool) -> dict[str, list[str]]:
    """Return the commands by name; the first is what the others are compared with."""
    files = [str(path) for path in paths]
    stack = [sys.executable, "-m", "calibstudio", "stack", *files, "-o", str(out)]
    result = {
        "calibstudio, sigma 3 3": [*stack, "--reject", "sigma", "--low", "3", "--high", "3"],
        "calibstudio, automatic": stack,
        "calibstudio, median": [*stack, "--combine", "median"],
        "calibstudio, flats": [*stack, "--reject", "sigma", "--normalize", "multiplicative"],
        "reading the bytes": [sys.executable, "-c", READ, *files],
    }
    if not without_astropy:
        result["astropy, sigma 3 3"] = [sys.executable, "-c", ASTROPY, str(out), *files]
    return result


def measure(commands: dict[str, list[str]], out: Path, rounds: int) -> dict[str, list[Timing]]:
    """Run all commands in turn, each round beginning with another one."""
    timings: dict[str, list[Timing]] = {name: [] for name in commands}
    # The kernels are compiled once after installation; that is not what is measured.
    subprocess.run(next(iter(commands.values())), check=True, stdout=subprocess.DEVNULL)
    names = list(commands)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            out.unlink(missing_ok=True)
            timings[name].append(timed(commands[name]))
            print(f"# {name}: {timings[name][-1].wall_s:.2f} s", file=sys.stderr)
    return timings


def timed(command: list[str]) -> Timing:
    """Run a command and return its times; the processor time includes its threads."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[:4]} ended with {process.returncode}")
    return Timing(wall, usage.ru_utime + usage.ru_stime, memory_mib(usage))


def memory_mib(usage: resource.struct_rusage) -> float:
    """Largest resident size; kilobytes on Linux, bytes on macOS."""
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def table(timings: dict[str, list[Timing]]) -> str:
    """Return the table in Markdown."""
    first = next(iter(timings.values()))
    lines = [
        "| command | wall s, min | median | cpu s | memory MiB | wall / first |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in timings.items():
        walls = [run.wall_s for run in runs]
        ratios = [run.wall_s / base.wall_s for run, base in zip(runs, first, strict=True)]
        lines.append(
            f"| {name} | {min(walls):.2f} | {statistics.median(walls):.2f} "
            f"| {min(run.cpu_s for run in runs):.2f} "
            f"| {max(run.memory_mib for run in runs):.0f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
