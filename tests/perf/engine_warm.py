"""Stack inside a running program and read the same bytes, in turn: seconds of each, printed.

python tests/perf/engine_warm.py OUT ROUNDS FILE...
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Rejection, StackSettings
from calibstudio.imaging.kernels import warm_kernels
from calibstudio.services.stack import stack_files


def read(path: Path) -> int:
    """Read a file through a small buffer that is used again."""
    buffer, total = bytearray(1 << 20), 0
    fd = os.open(path, os.O_RDONLY)
    while got := os.readv(fd, [buffer]):
        total += got
    os.close(fd)
    return total


def main() -> None:
    """Measure both in turn."""
    out, rounds = Path(sys.argv[1]), int(sys.argv[2])
    paths = [Path(name) for name in sys.argv[3:]]
    settings = StackSettings(reject=Rejection.SIGMA, low=3, high=3)
    warm_kernels()
    stacks, reads = [], []
    for turn in range(rounds + 1):
        out.unlink(missing_ok=True)
        started = time.perf_counter()
        stack_files(JobContext(), paths, out, settings)
        middle = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(read, paths))
        if turn:
            stacks.append(middle - started)
            reads.append(time.perf_counter() - middle)
    print(*stacks, *reads)


if __name__ == "__main__":
    main()
