"""Read a band of every frame without coming back to the interpreter in between. Compiled code.

Twenty frames are twenty reads for each band of rows; threads that take the interpreter for each of
them hold up one another, and the window. What does not go as it should is left to Python, which
reads again and says what is wrong.
"""

from __future__ import annotations

from calibstudio.imaging.kernels_layout import Job
from calibstudio.imaging.kernels_vectors import get_i64, inlined, positioned_read

_J_FRAMES, _J_ROWS, _J_FIRST, _J_RAW, _J_STRIDE, _J_STOP, _J_PLACES, _J_READ = (
    8 * int(job)
    for job in (
        Job.N_FRAMES,
        Job.ROWS,
        Job.FIRST_ROW,
        Job.RAW,
        Job.STRIDE,
        Job.STOP,
        Job.PLACES,
        Job.READ,
    )
)


@inlined
def read_band(job: int) -> int:
    """Fill the raw band of every frame; returns how many frames were read to the end.

    Stops at the first that is not in an open file, or does not give what is asked for.
    """
    n: int = get_i64(job + _J_FRAMES)
    rows = get_i64(job + _J_ROWS)
    first = get_i64(job + _J_FIRST)
    buffer = get_i64(job + _J_RAW)
    stride = get_i64(job + _J_STRIDE)
    stop = get_i64(job + _J_STOP)
    places = get_i64(job + _J_PLACES)
    read = get_i64(job + _J_READ)
    if read == 0:
        return 0
    for i in range(n):
        place = places + 24 * i
        fd = get_i64(place)
        row_bytes = get_i64(place + 16)
        if fd < 0 or get_i64(stop) != 0:
            return i
        size = rows * row_bytes
        start = get_i64(place + 8) + first * row_bytes
        done = 0
        while done < size:
            got = positioned_read(read, fd, buffer + i * stride + done, size - done, start + done)
            if got <= 0:
                return i
            done += got
    return n
