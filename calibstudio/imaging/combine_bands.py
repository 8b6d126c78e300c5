"""Buffers of a combination, and the thread that fills them and calls a kernel on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.pixels import (
    FitsSink,
    MapSink,
    PlacedRows,
    PlaneRows,
    PlaneSink,
    RowSource,
    Stored,
)
from calibstudio.domain.recipe import Combine
from calibstudio.imaging.combine_network import comparisons
from calibstudio.imaging.kernels import Kernels, positioned_read
from calibstudio.imaging.kernels_layout import (
    BLOCK,
    ROW_F32,
    ROW_U16,
    RUN,
    Job,
    Parameter,
    Raw,
    Rule,
    padded_rows,
    work_length,
)
from calibstudio.imaging.reject import (
    ResolvedRule,
    cost,
    esd_limits,
    mad_factors,
)

_RAW = {
    Stored.FITS_UINT16: Raw.FITS_UINT16,
    Stored.FITS_INT16: Raw.FITS_INT16,
    Stored.FITS_FLOAT32: Raw.FITS_FLOAT32,
    Stored.UINT16: Raw.UINT16,
    Stored.FLOAT32: Raw.FLOAT32,
    Stored.OTHER: Raw.FLOAT32,
}
_EXACT = (Stored.FITS_UINT16, Stored.FITS_INT16, Stored.UINT16)
_BAND_PIXELS = 49_152
_BAND_BYTES = 8 << 20
"""Bytes of all frames in one band: much more falls out of the processor's cache."""
_TAKEN_PIXELS = 262_144
"""Results that are handed on at a time: a file takes few large pieces faster than many small."""
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class BandPlan:
    """How an image is cut into bands."""

    rows: int
    columns: int
    band_rows: int
    """Read and worked on at a time."""
    taken_rows: int
    """Rows whose results a worker hands on together; a few bands."""
    threads: int
    """Bands that are worked on at a time."""
    most_workers: int
    """Bands that are read or worked on at a time."""


class RunState(Protocol):
    """What a worker asks of the run it belongs to."""

    @property
    def stop(self) -> NDArray[np.int64]:
        """Set to 1 to stop the kernels."""
        ...

    def take(self) -> tuple[int, int] | None:
        """Return the next rows to be done, or None."""
        ...

    def turn(self) -> AbstractContextManager[None]:
        """Wait until a band that was read may be worked on."""
        ...

    def finished(self, rows: int) -> None:
        """Count rows done."""
        ...

    def fail(self, error: BaseException) -> None:
        """Keep an error and stop."""
        ...


@dataclass(frozen=True, slots=True)
class Frames:
    """The inputs of a combination with what is done to each."""

    sources: tuple[RowSource, ...]
    scales: NDArray[np.float64]
    """Shape (n, 4), by colour of the sensor."""
    offsets: NDArray[np.float64]
    subtract: tuple[PlaneRows | None, ...]
    exact: bool
    """All frames are 16-bit codes of one kind, combined as they are."""
    weights: NDArray[np.float64] | None = None
    """Whole numbers, one for each frame; None: all count the same."""
    with_maps: bool = False
    """Rejected values are counted for each pixel."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel of one frame in the buffer."""
        return 2 if self.exact else 4

    def prepared(self, i: int, y0: int, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return rows of a frame, read from row y0 on, as they are combined."""
        values = rows.astype(np.float64)
        plane = self.subtract[i]
        if plane is not None:
            values -= plane[y0 : y0 + len(rows)]
        values -= self.offsets[i]
        by_row = self.scales[i].reshape(2, 2)
        for colour in range(4):
            a, b = divmod(colour, 2)
            values[(a - y0) % 2 :: 2, b::2] *= by_row[a, b]
        return values

    def places(self) -> NDArray[np.int64]:
        """Return (descriptor or -1, offset of row 0, bytes of a row) of each, shape (n, 3)."""
        found = np.full((len(self.sources), 3), -1, np.int64)
        for i, source in enumerate(self.sources):
            place = source.place if isinstance(source, PlacedRows) else None
            # What a buffer has room for, whatever a source says.
            if place and place.row_bytes == source.shape[1] * source.stored.pixel_bytes:
                found[i] = place.descriptor, place.offset, place.row_bytes
        return found

    def stride(self, rows: int, columns: int) -> int:
        """Bytes from one frame to the next in the buffer.

        Padded to whole blocks, and never a multiple of a page: the rows of a block would all
        fall into the same place of the processor's cache.
        """
        size = -(-(rows * columns + BLOCK) * self.pixel_bytes // 128) * 128
        return size + 128 if size % _PAGE == 0 else size

    def buffer_bytes(self, rows: int, columns: int, taken: int | None = None) -> int:
        """Memory that one worker needs for bands of so many rows, of which it takes ``taken``."""
        n = len(self.sources)
        pixels = rows * columns + BLOCK
        made = (taken or rows) * columns + BLOCK
        raw = n * self.stride(rows, columns)
        planes = 4 * pixels * len({id(p) for p in self.subtract if p is not None})
        converted = 4 * pixels if any(s.stored is Stored.OTHER for s in self.sources) else 0
        blocks = (padded_rows(n) + n + 2) * ROW_F32 + 8 * work_length(n)
        # Results here and their copy on the way to a file.
        results = 2 * (14 if self.with_maps else 10) * made
        return raw + planes + 3 * converted + blocks + results

    def good_band_rows(self, columns: int) -> int:
        """Rows of a band that fits the processor's cache."""
        pixels = min(_BAND_PIXELS, _BAND_BYTES // (self.pixel_bytes * len(self.sources)))
        return max(1, pixels // columns)

    def good_taken_rows(self, band_rows: int, columns: int) -> int:
        """Rows whose results make a large piece."""
        return band_rows * max(1, _TAKEN_PIXELS // (band_rows * columns))


def describe_frames(
    inputs: Sequence[RowSource],
    scales: Sequence[float | tuple[float, float, float, float]] | None,
    offsets: Sequence[float] | None,
    subtract: Sequence[PlaneRows | None] | None,
    shape: tuple[int, int],
    *,
    weights: Sequence[float] | None = None,
    with_maps: bool = False,
) -> Frames:
    """Collect what is done to each frame, and whether whole numbers stay whole numbers.

    Raises
    ------
    ValueError
        If a sequence has another length than the inputs, or a plane another shape.
    """
    n = len(inputs)
    for name, given in (
        ("scales", scales),
        ("offsets", offsets),
        ("subtract", subtract),
        ("weights", weights),
    ):
        if given is not None and len(given) != n:
            raise ValueError(f"{len(given)} {name} for {n} frames")
    by_colour = np.ones((n, 4))
    if scales is not None:
        by_colour[:] = [s if isinstance(s, tuple) else (s, s, s, s) for s in scales]
    shifts = np.zeros(n) if offsets is None else np.asarray(offsets, np.float64)
    planes = tuple(subtract) if subtract is not None else (None,) * n
    for plane in planes:
        if plane is not None and plane.shape != shape:
            raise ValueError(f"a plane of shape {plane.shape} for frames of shape {shape}")
    as_they_are = (
        bool(np.all(by_colour == 1.0)) and not shifts.any() and all(p is None for p in planes)
    )
    relative = None if weights is None else whole_weights(weights)
    kinds = {source.stored for source in inputs}
    exact = as_they_are and len(kinds) == 1 and kinds <= set(_EXACT) and relative is None
    return Frames(tuple(inputs), by_colour, shifts, planes, exact, relative, with_maps)


def with_true_sizes(frames: Frames) -> Frames:
    """Return frames whose numbers mean their size: not codes of signed pixels, which are moved.

    For limits that are fractions of the value; every other rule only knows differences.
    """
    moved = frames.exact and frames.sources[0].stored is Stored.FITS_INT16
    return replace(frames, exact=False) if moved else frames


def whole_weights(weights: Sequence[float]) -> NDArray[np.float64] | None:
    """Return weights as whole numbers up to 2^30, whose sums are exact; None if all are equal.

    Raises
    ------
    ValueError
        If a weight is not above 0 and finite.
    """
    given = np.asarray(weights, np.float64)
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise ValueError("weights must be above 0")
    if (given == given[0]).all():
        return None
    return np.asarray(np.maximum(np.rint(given / given.max() * 2.0**30), 1.0))


class Worker:
    """One thread of a combination with its own buffers and counters."""

    def __init__(
        self,
        kernels: Kernels,
        frames: Frames,
        rule: ResolvedRule,
        plan: BandPlan,
        run: RunState,
        sink: PlaneSink,
        noise: NoiseLimits,
        maps: MapSink | None = None,
    ) -> None:
        self._frames, self._plan, self._run, self._sink = frames, plan, run, sink
        self._maps = maps
        self._write_fits = sink.write_fits if isinstance(sink, FitsSink) else None
        self._kernel = kernels.stack_u16 if frames.exact else kernels.stack_f32
        self._read_band = kernels.read_band
        n = len(frames.sources)
        self.rejected = np.zeros((n + 1, 2), np.int64)
        """For each frame (low, high); the last row counts pixels held at min_keep."""
        self.waiting_s = self.working_s = 0.0
        """Time that went by while a disk was waited for, and all other time."""
        self.is_reading = False
        self._allocate()
        self._job = np.zeros(Job.LENGTH, np.int64)
        self._keep_alive: list[NDArray[np.generic]] = []
        self._describe(rule, noise)

    def run(self) -> None:
        """Work on bands until there are no more; errors go to the run."""
        try:
            while (rows := self._run.take()) is not None:
                self._combine_rows(*rows)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._run.fail(error)

    def _combine_rows(self, y0: int, y1: int) -> None:
        """Combine rows band by band, and hand on their results."""
        for y in range(y0, y1, self._plan.band_rows):
            self._combine_band(y, min(y + self._plan.band_rows, y1), y - y0)
        # Once it is asked to stop, nobody may wait for this thread: nothing is written any more.
        if not self._run.stop[0]:
            worked = time.perf_counter()
            self._hand_on(y0, y1)
            self.working_s += time.perf_counter() - worked

    def _combine_band(self, y0: int, y1: int, done_rows: int) -> None:
        started, busy = time.perf_counter(), time.thread_time()
        self.is_reading = True
        self._read(y0, y1)
        self.is_reading = False
        # Copying what is in memory already takes the processor: that is no waiting.
        busy = time.thread_time() - busy
        self.waiting_s += time.perf_counter() - started - busy
        worked = time.perf_counter()
        if not self._run.stop[0]:
            self._work_on(done_rows)
        self.working_s += busy + time.perf_counter() - worked

    def _read(self, y0: int, y1: int) -> None:
        pixels = (y1 - y0) * self._plan.columns
        self._job[Job.ROWS] = y1 - y0
        self._job[Job.FIRST_ROW] = y0
        sources = self._frames.sources
        for i in range(self._read_band(self._job), len(sources)):
            if self._run.stop[0]:
                return
            source, row = sources[i], self._raw[i]
            if source.stored is Stored.OTHER:
                values = source.read_rows(y0, y1).reshape(-1)
                row[: 4 * pixels].view(np.float32)[:] = values
            else:
                size = pixels * source.stored.pixel_bytes
                source.read_raw(y0, y1, row[:size].data)
        for plane, copy in self._planes:
            copy[:pixels] = plane[y0:y1].reshape(-1)

    def _work_on(self, done_rows: int) -> None:
        """Call the kernel on a band that was read; its results lie behind those of done rows."""
        pixels = done_rows * self._plan.columns
        for place, results in self._results:
            self._job[place] = results.ctypes.data + results.itemsize * pixels
        if self._maps is not None:
            self._low[pixels:] = 0
            self._high[pixels:] = 0
        with self._run.turn():
            self._kernel(self._job)

    def _hand_on(self, y0: int, y1: int) -> None:
        band = (y1 - y0, self._plan.columns)
        pixels = band[0] * band[1]
        write = self._sink.write_rows if self._write_fits is None else self._write_fits
        write(
            y0,
            self._image[:pixels].reshape(band),
            self._unc[:pixels].reshape(band),
            self._cnt[:pixels].reshape(band),
        )
        if self._maps is not None:
            low, high = self._low[:pixels].reshape(band), self._high[:pixels].reshape(band)
            self._maps.write_rejected(y0, low, high)
        self._run.finished(y1 - y0)

    def _allocate(self) -> None:
        frames, plan = self._frames, self._plan
        n, pixels = len(frames.sources), plan.band_rows * plan.columns + BLOCK
        stride = frames.stride(plan.band_rows, plan.columns)
        self._raw = _aligned(n * stride).reshape(n, stride)
        self._block = _aligned((padded_rows(n) + 1) * ROW_F32)
        self._unsorted = _aligned((n + 1) * ROW_F32)
        self._work = np.zeros(work_length(n), np.float64)
        made = plan.taken_rows * plan.columns + BLOCK
        self._image = np.zeros(made, np.float32)
        self._unc = np.zeros(made, np.float32)
        self._cnt = np.zeros(made, np.uint16)
        mapped = made if frames.with_maps else 0
        self._low = np.zeros(mapped, np.uint16)
        self._high = np.zeros(mapped, np.uint16)
        self._results: list[tuple[Job, NDArray[np.generic]]] = [
            (Job.IMAGE, self._image),
            (Job.UNC, self._unc),
            (Job.CNT, self._cnt),
        ]
        if frames.with_maps:
            self._results += [(Job.MAP_LOW, self._low), (Job.MAP_HIGH, self._high)]
        distinct = {id(p): p for p in frames.subtract if p is not None}
        copies = {key: np.zeros(pixels, np.float32) for key in distinct}
        self._planes = [(plane, copies[key]) for key, plane in distinct.items()]
        self._plane_address = [
            0 if p is None else copies[id(p)].ctypes.data for p in frames.subtract
        ]

    def _describe(self, rule: ResolvedRule, noise: NoiseLimits) -> None:
        """Fill the array that the kernels read (see `kernels_layout.Job`)."""
        frames, n = self._frames, len(self._frames.sources)
        job = self._job
        job[Job.N_FRAMES] = n
        job[Job.COLUMNS] = self._plan.columns
        job[Job.STRIDE] = self._raw.shape[1]
        stored = frames.sources[0].stored
        base = -32768.0 if frames.exact and stored is Stored.FITS_INT16 else 0.0
        job[Job.XOR] = 0 if stored is Stored.UINT16 else 0x8000
        job[Job.SWAP] = 0 if stored is Stored.UINT16 else 1
        job[Job.FITS_RESULTS] = int(self._write_fits is not None)
        median = rule.settings.combine is Combine.MEDIAN
        plain = frames.exact and rule.rule is Rule.NONE
        # A median of more frames than one run has needs not all of the comparisons.
        partly = plain and median and n > RUN
        job[Job.SORTED] = 2 if partly else int(median or not plain)
        only = [(n - 1) // 2, n // 2] if partly else None
        network = comparisons(n, ROW_U16 if frames.exact else ROW_F32, only)
        job[Job.N_COMPARISONS] = len(network)
        factors = cost(rule, n, floor=noise.ratio, level=noise.level).factor
        parameters = _parameters(rule, base, noise)
        parameters[Parameter.FACTOR] = factors[n] / n
        for place, array in (
            (Job.RAW, self._raw),
            (Job.KINDS, np.array([_RAW[s.stored] for s in frames.sources], np.int64)),
            (Job.SUBTRACT, np.array(self._plane_address, np.int64)),
            (Job.OFFSETS, np.ascontiguousarray(frames.offsets)),
            (Job.SCALES, np.ascontiguousarray(frames.scales)),
            (Job.NETWORK, network),
            (Job.BLOCK_MEMORY, self._block),
            (Job.UNSORTED, self._unsorted),
            (Job.WORK, self._work),
            (Job.PARAMETERS, parameters),
            (Job.MEAN_FACTORS, factors),
            (Job.MAD_FACTORS, mad_factors(n, finite_sample=rule.finite_sample)),
            (Job.REJECTED, self.rejected),
            (Job.STOP, self._run.stop),
        ):
            self._hand_over(place, array)
        job[Job.READ] = positioned_read()
        self._hand_over(Job.PLACES, frames.places())
        if frames.weights is not None:
            self._hand_over(Job.WEIGHTS, frames.weights)
        limits = np.zeros((n + 1, 1))
        if rule.rule is Rule.ESD:
            limits = esd_limits(n, rule.low, rule.high)
        job[Job.ESD_COLUMNS] = limits.shape[1]
        self._hand_over(Job.ESD_LIMITS, limits)

    def _hand_over(self, place: Job, array: NDArray[np.generic]) -> None:
        # The kernel only knows the address; the array must live as long as the job.
        if not array.flags.c_contiguous:
            raise ValueError(f"{place.name} is not contiguous")
        self._keep_alive.append(array)
        self._job[place] = array.ctypes.data


@dataclass(frozen=True, slots=True)
class NoiseLimits:
    """What rules and uncertainties know of the frames' noise, in the unit of combined values."""

    floor: float = 0.0
    """Least sigma of the rule; 0 for none."""
    ratio: float = 0.0
    """The floor in units of the noise of a pixel."""
    level: float = 0.0
    """The level of the frames in units of their noise, for limits that are fractions of it."""
    rounding: float = 0.0
    """Variance of rounding to whole codes, q^2 / 12; 0 where values are not rounded."""
    common: float = 0.0
    """The part of it that is the same in all frames (see `calibstudio.imaging.combine_look`)."""
    noise: float = 0.0
    """Of one frame; 0 where it is not known."""


def _parameters(rule: ResolvedRule, base: float, noise: NoiseLimits) -> NDArray[np.float64]:
    settings = rule.settings
    values = np.zeros(Parameter.LENGTH)
    values[Parameter.RULE] = rule.rule
    values[Parameter.LOW] = rule.low
    values[Parameter.HIGH] = rule.high
    values[Parameter.ITERATIONS] = settings.iterations if settings.iterations else 1e9
    values[Parameter.MIN_KEEP] = settings.min_keep
    values[Parameter.CUTOFF] = np.inf if settings.cutoff is None else settings.cutoff
    values[Parameter.MEDIAN] = settings.combine is Combine.MEDIAN
    values[Parameter.BASE] = base
    values[Parameter.FLOOR] = noise.floor
    if settings.combine is Combine.MEDIAN:
        values[Parameter.ROUNDING] = noise.rounding - noise.common
        values[Parameter.COMMON] = noise.rounding
    else:
        values[Parameter.LEAST] = noise.rounding - noise.common
        values[Parameter.COMMON] = noise.common
    values[Parameter.NOISE] = 0.0 if noise.rounding else noise.noise**2
    return values


def _aligned(size: int) -> NDArray[np.uint8]:
    """Bytes that begin at a cache line."""
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]
