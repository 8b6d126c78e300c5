"""Stack inside a running program, read the same bytes, write as many as it writes, in turn.

Prints the seconds of all stacks, then of all reads, then of all writes. Reading copies every byte
out of the page cache into a buffer that is used again (`pread`, nothing is mapped); writing makes
a file of the size of the result and flushes it to the disk, as the stack does.

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


def write(path: Path, size: int) -> None:
    """Write a file of this size and wait until it is on the disk."""
    part = memoryview(os.urandom(1 << 20))
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    for start in range(0, size, len(part)):
        os.write(fd, part[: size - start])
    os.fsync(fd)
    os.close(fd)


def main() -> None:
    """Measure all three in turn."""
    out, rounds = Path(sys.argv[1]), int(sys.argv[2])
    paths = [Path(name) for name in sys.argv[3:]]
    settings = StackSettings(reject=Rejection.SIGMA, low=3, high=3)
    warm_kernels()
    stacks, reads, writes = [], [], []
    size = sum(path.stat().st_size for path in paths)
    for turn in range(rounds + 1):
        out.unlink(missing_ok=True)
        started = time.perf_counter()
        stack_files(JobContext(), paths, out, settings)
        middle = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(read, paths)) == size
        after = time.perf_counter()
        made = out.stat().st_size
        out.unlink()
        between = time.perf_counter()
        write(out, made)
        if turn:
            stacks.append(middle - started)
            reads.append(after - middle)
            writes.append(time.perf_counter() - between)
    print(*stacks, *reads, *writes)


if __name__ == "__main__":
    main()
