"""How fast headers are read, scanned and grouped: ``python tests/perf/headers_speed.py``.

Makes small frames with the cards of a real NINA header (times, temperatures and kinds differ from
file to file), and prints files a second on one core: read one by one, scanned without and with the
cache, and grouped. Aim: 5000 headers in about a second.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import JobContext
from calibstudio.services.import_frames import scan
from calibstudio.store.headers import read_header
from tests.helpers.frames import card, write_frame

TEXT = Path(__file__).parents[1] / "data" / "headers_photonfinder_mit" / "header_nina.hdr.txt"
VARIED = ("DATE-OBS", "DATE-LOC", "CCD-TEMP", "IMAGETYP")
STRUCTURE = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "BZERO", "EXTEND", "END")


def make_frames(folder: Path, n: int) -> None:
    """Write so many small frames of one night."""
    chance = random.Random(1)
    lines = TEXT.read_text(encoding="latin-1").splitlines()
    kept = [line for line in lines if line[:8].strip() not in (*VARIED, *STRUCTURE)]
    padding = [card(f"EXTRA{i:03d}", chance.random(), "a card nobody asks for") for i in range(20)]
    for i in range(n):
        clock = f"{chance.randrange(24):02d}:{i % 60:02d}:{chance.randrange(60):02d}.{i % 1000:03d}"
        own = [
            card("IMAGETYP", ("DARK", "FLAT", "BIAS", "LIGHT")[i % 4]),
            card("DATE-OBS", f"2026-04-{1 + i % 28:02d}T{clock}"),
            card("CCD-TEMP", round(-10 + chance.gauss(0, 0.1), 2)),
        ]
        write_frame(folder / f"frame_{i:05d}.fits", [*kept, *own, *padding])


def timed(what: str, n: int, work: Callable[[], object]) -> None:
    """Run twice and print the better rate."""
    best = min(_seconds(work) for _ in range(2))
    print(f"{what:28} {n / best:8.0f} files/s {best:8.2f} s")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Make the frames, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    n = parser.parse_args().files
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_CACHE_HOME"] = home
        folder = Path(home) / "frames"
        make_frames(folder, n)
        paths = sorted(folder.iterdir())
        headers = [read_header(p) for p in paths]
        timed("read_header", n, lambda: [read_header(p) for p in paths])
        timed("scan without cache", n, lambda: scan(JobContext(), [folder], cache=False))
        scan(JobContext(), [folder])
        timed("scan with cache", n, lambda: scan(JobContext(), [folder]))
        timed("group_frames", n, lambda: group_frames(headers))


if __name__ == "__main__":
    main()
