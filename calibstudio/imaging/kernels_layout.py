"""What the stacking kernels are handed: one array of integers, one of numbers.

The kernels are called with plain addresses, so that they can be loaded without numba (see
`calibstudio.imaging.kernels`). Both sides take the places of the arguments from here.
"""

from __future__ import annotations

from enum import IntEnum

BLOCK = 64
"""Pixels that are sorted together. Buffers are padded to whole blocks."""
ROW_U16 = 2 * BLOCK
ROW_F32 = 4 * BLOCK
"""Bytes of one frame's pixels in a block."""
RUN = 32
"""Most rows that are sorted in registers; the network merges runs of this length."""
STEP = 4
"""Runs are sorted by networks for so many rows more each: what is missing is infinitely large."""
WORK_PER_FRAME, WORK_PAD = 6, 64
"""Numbers (float64) of work memory for one pixel; rows of sixteen pixels lie behind."""


def work_length(n_frames: int) -> int:
    """Return how many float64 of work memory a kernel needs."""
    # Twice two rows of float32 a frame with their state, and one lane: see `kernels_lines`.
    sixteen_pixels = 33 * n_frames + 320
    return WORK_PER_FRAME * n_frames + WORK_PAD + sixteen_pixels


def padded_rows(n_frames: int) -> int:
    """Return the number of rows of a block with those that only fill the last run."""
    return (n_frames + STEP - 1) // STEP * STEP


class Rule(IntEnum):
    """Rejection rules as the kernels know them."""

    NONE = 0
    MINMAX = 1
    PERCENTILE = 2
    SIGMA = 3
    MAD = 4
    WINSORIZED = 5
    LINEAR_FIT = 6
    ESD = 7
    PERCENTILE_SPREAD = 8
    """Sigma clipping with half the distance of the 16th and 84th percentile for sigma."""


class Raw(IntEnum):
    """How the bytes of a frame lie, for the floating point kernel."""

    FITS_UINT16 = 0
    FITS_INT16 = 1
    FITS_FLOAT32 = 2
    UINT16 = 3
    FLOAT32 = 4


class Job(IntEnum):
    """Places in the array of int64 that a kernel is called with. Addresses unless said."""

    N_FRAMES = 0
    """Number."""
    ROWS = 1
    """Number of rows in this band."""
    COLUMNS = 2
    """Number of pixels in a row."""
    FIRST_ROW = 3
    """Number of the band's first row in the image."""
    RAW = 4
    """Band of frame 0; frame i lies i * STRIDE bytes behind."""
    STRIDE = 5
    """Bytes."""
    XOR = 6
    """uint16 kernel: number that turns stored codes into ones that sort as unsigned."""
    SWAP = 7
    """uint16 kernel: 1 for big-endian codes."""
    SORTED = 8
    """uint16 kernel: 0 where a plain mean needs no order."""
    KINDS = 9
    """float32 kernel: int64 for each frame, a `Raw`."""
    SUBTRACT = 10
    """float32 kernel: int64 for each frame, address of the plane's first pixel or 0."""
    OFFSETS = 11
    """float32 kernel: float64 for each frame."""
    SCALES = 12
    """float32 kernel: float64 for each frame and colour (y even x even, x odd, y odd ...)."""
    NETWORK = 13
    """Pairs of int32: offsets in bytes of two rows to compare."""
    N_COMPARISONS = 14
    """Number."""
    BLOCK_MEMORY = 15
    """Sorted block: N_FRAMES rows, those that fill the last run, and one of numbers."""
    UNSORTED = 16
    """float32 kernel: the block before it is sorted."""
    WORK = 17
    """float64: see `work_length`."""
    PARAMETERS = 18
    """float64, see `Parameter`."""
    MEAN_FACTORS = 19
    """float64 for 0 to N_FRAMES values: UNC^2 = factor * variance / count."""
    MAD_FACTORS = 20
    """float64 for 0 to N_FRAMES values: sigma = factor * MAD."""
    ESD_LIMITS = 21
    """float64, row n (0 to N_FRAMES) of ESD_COLUMNS: critical values."""
    ESD_COLUMNS = 22
    """Number."""
    IMAGE = 23
    """Result, float32."""
    UNC = 24
    CNT = 25
    """Result, uint16."""
    REJECTED = 26
    """int64 for each frame: rejected low, rejected high; one more pair for pixels held."""
    STOP = 27
    """int64: not 0 asks the kernel to return at the next block."""
    MAP_LOW = 28
    """Result, uint16: values rejected low at each pixel, zeros before the call; 0 for none."""
    MAP_HIGH = 29
    WEIGHTS = 30
    """float32 kernel: float64 for each frame, whole numbers (sums are exact); 0 for none."""
    FITS_RESULTS = 31
    """Number: 1 where IMAGE, UNC and CNT are asked for as FITS stores them."""
    PLACES = 32
    """Reading: int64 for each frame, (descriptor of its file or -1, offset of row 0, bytes of a
    row)."""
    READ = 33
    """Reading: the C library's pread; 0 for none."""
    LENGTH = 34


class Parameter(IntEnum):
    """Places in the array of float64."""

    RULE = 0
    LOW = 1
    HIGH = 2
    ITERATIONS = 3
    """Large for no limit."""
    MIN_KEEP = 4
    CUTOFF = 5
    """Infinite for none."""
    FLOOR = 6
    """Smallest sigma of a rule; 0 where the published definition holds."""
    MEDIAN = 7
    """1 combines by median, 0 by mean."""
    BASE = 8
    """uint16 kernel: value of code 0."""
    ROUNDING = 9
    """UNC^2 = factor * max(variance - ROUNDING, LEAST) / count + COMMON."""
    LEAST = 10
    COMMON = 11
    NOISE = 12
    """Variance of one frame, for equal values where LEAST and COMMON are 0."""
    FACTOR = 13
    """Of the variance in UNC^2 where all frames are kept: the factor of UNC^2 / N_FRAMES."""
    LENGTH = 14
