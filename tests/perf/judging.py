"""What judging costs beside the least it could: touching every pixel once. By command.

    .venv/bin/python tests/perf/judging.py [ROUNDS]

Prints Markdown: processor time in one thread, shortest of the rounds, and the ratio to a sum over
the same pixels in the same run, which does not depend on the machine.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from datetime import date

import numpy as np

from calibstudio.imaging.quality import FrameContext, central_level, histogram, measure_frame

SIZES = {"24 MP": (4000, 6000), "61 MP": (6388, 9576)}


def processor_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the shortest processor time of some rounds, in ms."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return 1e3 * best


def main() -> None:
    """Measure and report."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"Judging, {date.today()}, {platform.machine()}, Python {platform.python_version()}\n")
    print("| work | size | [ms] | times a sum of all pixels |\n|---|---|---|---|")
    mono = FrameContext(kind="dark", exposure_s=60.0, egain_e_per_adu=1.0)
    bayer = FrameContext(kind="dark", exposure_s=60.0, egain_e_per_adu=1.0, bayer="RGGB")
    for name, shape in SIZES.items():
        data = np.random.default_rng(4).integers(900, 1100, shape, dtype=np.uint16)
        floor = processor_ms(lambda data=data: data.sum(dtype=np.int64), rounds)
        work = {
            "level": lambda data=data: central_level(data),
            "histogram": lambda data=data: histogram(data),
            "a whole dark": lambda data=data: measure_frame(data, mono),
            "a whole dark, RGGB": lambda data=data: measure_frame(data, bayer),
        }
        for words, act in work.items():
            ms = processor_ms(act, rounds)
            print(f"| {words} | {name} | {ms:.0f} | {ms / floor:.1f} |")


if __name__ == "__main__":
    main()
