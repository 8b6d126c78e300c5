"""Combine many frames into one, band by band: value, uncertainty and count of every pixel.

Worker threads own bands of rows: they read the raw bytes of every frame into a buffer that is
used again, hand it to a compiled kernel that lets go of the interpreter, and pass the result to
the sink. The caller's thread reports progress and listens for a cancel.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.jobs import JobContext, import_giving_way
from calibstudio.domain.pixels import MapSink, PlaneRows, PlaneSink, RowSource
from calibstudio.domain.recipe import Combine, Normalization, Rejection, StackSettings
from calibstudio.domain.wording import count, file_size, number
from calibstudio.domain.wording import size as size_words
from calibstudio.imaging import kernels
from calibstudio.imaging.combine_bands import (
    BandPlan,
    Frames,
    NoiseLimits,
    Worker,
    describe_frames,
    with_true_sizes,
)
from calibstudio.imaging.combine_look import noise_limits
from calibstudio.imaging.combine_share import MEMORY, PROCESSORS, Turns, available_threads
from calibstudio.imaging.reject import MOST_FRAMES, ResolvedRule, cost, resolve

Scale = float | tuple[float, float, float, float]

SHARE_MARGIN = 0.02
"""A frame is marked when it loses this much more than noise alone explains (RULES 4)."""
_LISTEN_S = 0.05
_READERS = 4
"""Most threads that are added to read ahead from a slow disk."""


@dataclass(frozen=True, slots=True)
class FrameShare:
    """What one frame lost."""

    name: str
    rejected_low: int
    rejected_high: int
    fraction: float
    """Of its pixels."""
    excessive: bool
    """More than noise alone gives for this rule and number of frames, by over 2 %."""
    weight: float = 1.0
    """In the mean, relative to the mean of all frames."""


@dataclass(frozen=True, slots=True)
class CombineReport:
    """What a combination did."""

    settings: StackSettings
    """As applied: nothing is automatic any more, limits are filled in."""
    automatic: bool
    """The rule was chosen by the number of frames."""
    n_frames: int
    shape: tuple[int, int]
    frames: tuple[FrameShare, ...]
    """In the order of the inputs."""
    expected_share: float
    """Fraction of good values that the rule rejects from noise alone."""
    n_rejected_low: int
    n_rejected_high: int
    n_held: int
    """Pixels at which the rule would have left fewer than ``min_keep`` values."""
    seconds: float
    megapixels: float
    """Millions of input pixels, all frames together."""
    exact: bool
    """Sums were of whole numbers, so the result is exact to the rounding of float32."""
    floor_adu: float = 0.0
    """Least sigma of the rule, in the unit of the combined values; 0 for none."""
    weighted: bool = False
    """Frames counted with different weights."""
    expected_low: float = 0.0
    """Fraction of good values that the rule rejects low from noise alone."""
    expected_high: float = 0.0

    @property
    def marked(self) -> tuple[FrameShare, ...]:
        """Frames that lost more than noise explains."""
        return tuple(frame for frame in self.frames if frame.excessive)


class ArraySink:
    """Keeps the result of a combination in memory."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.image = np.full(shape, np.nan, np.float32)
        """Shape (ny, nx), ADU."""
        self.unc = np.full(shape, np.nan, np.float32)
        """One standard deviation of the image; NaN where fewer than 2 values were kept."""
        self.cnt = np.zeros(shape, np.uint16)
        """Number of values kept."""
        self.rejected_low = np.zeros(shape, np.uint16)
        """Number of values rejected low; filled where maps are asked for."""
        self.rejected_high = np.zeros(shape, np.uint16)

    def write_rows(
        self,
        y0: int,
        image: NDArray[np.float32],
        unc: NDArray[np.float32],
        cnt: NDArray[np.uint16],
    ) -> None:
        """Keep a band that starts at row y0."""
        y1 = y0 + len(image)
        self.image[y0:y1] = image
        self.unc[y0:y1] = unc
        self.cnt[y0:y1] = cnt

    def write_rejected(self, y0: int, low: NDArray[np.uint16], high: NDArray[np.uint16]) -> None:
        """Keep a band of the maps of rejected values."""
        y1 = y0 + len(low)
        self.rejected_low[y0:y1] = low
        self.rejected_high[y0:y1] = high


def combine(
    ctx: JobContext,
    inputs: Sequence[RowSource],
    settings: StackSettings,
    sink: PlaneSink,
    *,
    scales: Sequence[Scale] | None = None,
    offsets: Sequence[float] | None = None,
    subtract: Sequence[PlaneRows | None] | None = None,
    weights: Sequence[float] | None = None,
    maps: MapSink | None = None,
    read_noise_adu: float | None = None,
    memory_bytes: int | None = None,
    threads: int | None = None,
    band_rows: int | None = None,
    rows: tuple[int, int] | None = None,
) -> CombineReport:
    """Combine frames of one shape into image, uncertainty and count.

    Each value is (value - subtract - offset) * scale, then the rule of ``settings`` rejects
    (definitions in `calibstudio.imaging.reject`), then mean or median of what is kept. NaN and
    infinite values are left out; exact zeros are data. Normalisation is the caller's: it comes
    as scales and offsets. Weights count in the mean alone, not in the rejection.
    Results are the same to the last bit for any number of threads, any
    band height and any order of the inputs.

    Parameters
    ----------
    inputs
        1 to 500 frames, all of one shape (ny, nx), ADU.
    scales
        One for each input, or four by colour of the sensor: (even row even column, even row
        odd column, odd row even column, odd row odd column). None: 1.
    offsets
        One for each input, ADU. None: 0.
    subtract
        For each input an image of the same shape, ADU, or None.
    weights
        How much each frame counts in a mean, above 0; only their ratios matter. None, or a
        median: all the same.
    maps
        Takes the number of values rejected low and high at each pixel; None: they are not
        counted.
    read_noise_adu
        Of one frame before it is scaled: the least sigma of a rule that has a floor (see
        `ResolvedRule.floored`). None: what the frames show where ``settings.floor`` asks for
        it, else one quantum of the values.
    memory_bytes
        Most memory for buffers. None: 1 GiB, less while others are at work.
    threads
        None: one for each processor.
    band_rows
        Rows read at a time. None: chosen.
    rows
        Only rows from the first to the second (exclusive), for work that is divided among
        programs: with the same inputs and settings, parts put together are the whole, to the
        last bit. The report is of the part.

    Raises
    ------
    CalibrationError
        If shapes differ, there are too many frames, or the memory does not suffice.
    FileProblemError
        If a frame cannot be read.
    Cancelled
        Within about 0.3 s of a cancel; the sink has got some of the bands.
    ValueError
        If ``scales``, ``offsets``, ``subtract`` or ``weights`` do not match the inputs (a
        programming error).
    """
    if settings.normalize is not Normalization.NONE and scales is None and offsets is None:
        raise ValueError("normalisation must be handed over as scales or offsets")
    shape = _common_shape(inputs)
    rule = resolve(settings, len(inputs))
    if rule.settings.combine is Combine.MEDIAN:
        weights = None
    frames = describe_frames(
        inputs, scales, offsets, subtract, shape, weights=weights, with_maps=maps is not None
    )
    if rule.settings.reject is Rejection.PERCENTILE:
        frames = with_true_sizes(frames)
    threads = threads if threads is not None else available_threads()
    # Compiling is done once; then it takes far longer than most stacks.
    once = 0.0 if kernels.kernels_ready() or kernels.kernels_cached() else 1.0
    preparing, ctx = ctx.split(once, 1.0)
    compiled = _kernels(preparing)
    started = time.perf_counter()
    noise = noise_limits(frames, rule, read_noise_adu)
    with MEMORY.memory(memory_bytes) as memory:
        first_row, end_row = rows if rows is not None else (0, shape[0])
        if not 0 <= first_row < end_row <= shape[0]:
            raise ValueError(f"rows {first_row} to {end_row} of {shape[0]}")
        run = _Run(_plan(frames, shape, memory, threads, band_rows), end_row, first_row)
        workers = _work(
            ctx, run, lambda: Worker(compiled, frames, rule, run.plan, run, sink, noise, maps)
        )
    seconds = time.perf_counter() - started
    rejected = np.sum([worker.rejected for worker in workers], axis=0)
    return _report(inputs, (end_row - first_row, shape[1]), rule, frames, noise, rejected, seconds)


@dataclass(slots=True)
class _Run:
    """What the workers of one combination share."""

    plan: BandPlan
    end_row: int
    next_row: int
    """First row that nobody has taken."""
    stop: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    """Seen by the kernels between blocks of pixels."""
    turns: Turns = field(init=False)
    """Bands of this combination that are worked on at a time."""
    error: BaseException | None = None
    rows_done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.turns = Turns(self.plan.threads)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a band may be worked on."""
        with self.turns.turn(), PROCESSORS.turn():
            yield

    def take(self) -> tuple[int, int] | None:
        """Return the next rows (first, end), or None when there is no more to do."""
        with self._lock:
            if self.stop[0] or self.next_row >= self.end_row:
                return None
            y0 = self.next_row
            self.next_row = min(y0 + self.plan.taken_rows, self.end_row)
            return y0, self.next_row

    def finished(self, rows: int) -> None:
        """Count rows that the sink has."""
        with self._lock:
            self.rows_done += rows

    def fail(self, error: BaseException) -> None:
        """Keep the first error and stop the others."""
        with self._lock:
            if self.error is None:
                self.error = error
        self.stop[0] = 1


def _work(ctx: JobContext, run: _Run, make_worker: Callable[[], Worker]) -> list[Worker]:
    """Run workers until the work is done; report progress and listen for a cancel.

    Where much of the time goes into waiting for files (a cold or slow disk, a network share),
    more workers are added, which read while others are worked on.
    """
    workers: list[Worker] = []
    pool: list[threading.Thread] = []

    def add() -> None:
        workers.append(make_worker())
        name = f"stack-{len(pool)}"
        pool.append(threading.Thread(target=workers[-1].run, name=name, daemon=True))
        pool[-1].start()

    total = run.end_row - run.next_row
    try:
        ctx.progress(0.0, "Combining")
        ctx.token.check()
        for _ in range(run.plan.threads):
            add()
        while (alive := next((t for t in pool if t.is_alive()), None)) is not None:
            alive.join(_LISTEN_S)
            ctx.progress(min(run.rows_done / total, 0.999), "Combining")
            if len(pool) < run.plan.most_workers and _waits_for_files(workers):
                add()
    finally:
        run.stop[0] = 1
        _end(pool, workers)
    if run.error is not None:
        raise run.error
    ctx.progress(1.0, "Combined")
    return workers


def _waits_for_files(workers: Sequence[Worker]) -> bool:
    """Whether a third of the workers' time goes by while a disk is waited for."""
    waiting = sum(worker.waiting_s for worker in workers)
    return waiting > 0.5 * sum(worker.working_s for worker in workers)


def _end(pool: Sequence[threading.Thread], workers: Sequence[Worker]) -> None:
    """Wait for threads to end, but not for a file that does not answer.

    A thread that is reading writes nothing more: it looks first whether it was stopped.
    """
    for thread, worker in zip(pool, workers, strict=True):
        waited = 0
        while thread.is_alive() and not (worker.is_reading and waited >= 2):
            thread.join(_LISTEN_S)
            waited += 1


def _kernels(ctx: JobContext) -> kernels.Kernels:
    """Return the kernels; while they are compiled for the first time a cancel is heard."""
    if kernels.kernels_ready():
        return kernels.load_kernels()

    def listen(share: float) -> None:
        ctx.progress(min(share, 0.999), "Preparing the stacking engine, once after installation")

    import_giving_way("llvmlite.binding")
    kernels.warm_kernels(listen)
    return kernels.load_kernels()


def _common_shape(inputs: Sequence[RowSource]) -> tuple[int, int]:
    if not inputs:
        raise CalibrationError("There is no frame to combine.", hint="Choose at least one.")
    if len(inputs) > MOST_FRAMES:
        raise CalibrationError(
            f"{number(len(inputs))} frames are more than can be combined at once.",
            hint=f"Combine at most {MOST_FRAMES}; more add nothing that can be measured.",
        )
    shape = inputs[0].shape
    if 0 in shape:
        raise CalibrationError(f"{inputs[0].name} has no pixels.", hint="Leave it out.")
    for source in inputs:
        if source.shape != shape:
            raise CalibrationError(
                f"{source.name} is {size_words(source.shape)} pixels, but {inputs[0].name} is "
                f"{size_words(shape)}.",
                hint="Combine only frames of one size.",
            )
    return shape


def _plan(
    frames: Frames,
    shape: tuple[int, int],
    memory_bytes: int,
    threads: int,
    band_rows: int | None,
) -> BandPlan:
    """Choose band height and threads within the memory; fewer threads before refusing."""
    if threads < 1:
        raise ValueError("threads must be at least 1")
    ny, nx = shape
    threads = min(threads, ny)
    least = frames.buffer_bytes(1, nx)
    if least > memory_bytes:
        raise CalibrationError(
            f"{count(len(frames.sources), 'frame')} of {size_words(shape)} pixels cannot be "
            f"combined in {file_size(memory_bytes)} of memory.",
            hint=f"Allow at least {file_size(least + 500_000)}.",
        )
    threads = min(threads, memory_bytes // least)
    rows = band_rows or frames.good_band_rows(nx)
    # A last band that starts late keeps one thread waiting for the other.
    rows = max(1, min(rows, -(-ny // threads)))
    while rows > 1 and threads * frames.buffer_bytes(rows, nx) > memory_bytes:
        rows = max(1, rows * 3 // 4)
    # Results of several bands are handed on together, if there is the memory and enough to do.
    taken = rows
    if band_rows is None:
        taken = min(frames.good_taken_rows(rows, nx), rows * max(1, ny // (8 * threads * rows)))
        if threads * frames.buffer_bytes(rows, nx, taken) > memory_bytes:
            taken = rows
    most = min(threads + _READERS, memory_bytes // frames.buffer_bytes(rows, nx, taken))
    return BandPlan(ny, nx, rows, taken, threads, most)


def _report(
    inputs: Sequence[RowSource],
    shape: tuple[int, int],
    rule: ResolvedRule,
    frames: Frames,
    noise: NoiseLimits,
    rejected: NDArray[np.int64],
    seconds: float,
) -> CombineReport:
    n, pixels = len(inputs), shape[0] * shape[1]
    expectation = cost(rule, n, floor=noise.ratio, level=noise.level)
    expected = float(expectation.share_low[n] + expectation.share_high[n])
    shares = []
    weights = np.ones(n) if frames.weights is None else frames.weights / frames.weights.mean()
    counts = rejected[:n].tolist()
    for source, (low, high), weight in zip(inputs, counts, weights.tolist(), strict=True):
        fraction = (low + high) / pixels
        excessive = fraction > expected + SHARE_MARGIN
        shares.append(FrameShare(source.name, low, high, fraction, excessive, weight))
    return CombineReport(
        settings=rule.settings,
        automatic=rule.automatic,
        n_frames=n,
        shape=shape,
        frames=tuple(shares),
        expected_share=expected,
        n_rejected_low=int(rejected[:n, 0].sum()),
        n_rejected_high=int(rejected[:n, 1].sum()),
        n_held=int(rejected[n, 0]),
        seconds=seconds,
        megapixels=n * pixels / 1e6,
        exact=frames.exact,
        floor_adu=noise.floor,
        weighted=frames.weights is not None,
        expected_low=float(expectation.share_low[n]),
        expected_high=float(expectation.share_high[n]),
    )


def describe_rule(settings: StackSettings) -> str:
    """Say how frames were combined, in words: ``mean, Winsorized sigma clip 4 low, 3 high``."""
    how, rule, limits = rule_in_parts(settings)
    comma = "," if limits and settings.reject is Rejection.MINMAX else ""
    return f"{how}, {rule}{comma} {limits}".rstrip()


def rule_in_parts(settings: StackSettings) -> tuple[str, str, str]:
    """Say it in three parts: how values are combined, what is rejected, and by which limits.

    The last is empty where there are none.
    """
    how = "median" if settings.combine is Combine.MEDIAN else "mean"
    if settings.reject is Rejection.NONE:
        return how, "nothing rejected", ""
    low, high = settings.low, settings.high
    limits = "" if low is None or high is None else f"{low:g} low, {high:g} high"
    names = {
        Rejection.MINMAX: "lowest and highest left out",
        Rejection.PERCENTILE: "percentile clip",
        Rejection.SIGMA: "sigma clip",
        Rejection.MAD: "median clip (MAD)",
        Rejection.WINSORIZED: "Winsorized sigma clip",
        Rejection.LINEAR_FIT: "linear fit clip",
        Rejection.ESD: "generalised ESD",
        Rejection.AUTO: "chosen by the number of frames",
    }
    return how, names[settings.reject], limits
