"""Combine files as they are into one image: the bare engine, without hashes and library."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibrationError, FileProblemError, WriteProblemError
from calibstudio.domain.jobs import JobContext, heeding
from calibstudio.domain.overscan import IfWrong, OverscanSettings
from calibstudio.domain.pixels import RowSource
from calibstudio.domain.recipe import Normalization, StackSettings, Weight
from calibstudio.imaging.combine import CombineReport, FrameShare, Scale, combine
from calibstudio.imaging.combine_share import MEMORY
from calibstudio.services.frame_notes import about_frames
from calibstudio.services.overscan import OverscanError
from calibstudio.services.stack_headers import (
    FramesSay,
    floor_cards,
    frames_say,
    stack_cards,
    with_floor,
)
from calibstudio.services.stack_inputs import Skipped, StackedImage, StackInputs, without_repeats
from calibstudio.services.stack_subtract import LessPlane, Subtrahend, open_subtrahend
from calibstudio.store.publish import publish_file
from calibstudio.store.stack_fits import PlannedImage, StackFile, kept_cards


@dataclass(frozen=True, slots=True)
class StackedFrame:
    """What became of one frame."""

    path: Path
    rejected_low: int = 0
    """Values of all its images."""
    rejected_high: int = 0
    n_values: int = 0
    expected: float = 0.0
    """Values that noise alone rejects."""
    weight: float = 1.0
    """In the mean, relative to the mean of all frames."""
    marked: bool = False
    """It lost more than noise explains, by over 2 % of its values."""

    def with_share(self, share: FrameShare, report: CombineReport) -> StackedFrame:
        """Add what one image of it lost."""
        pixels = report.shape[0] * report.shape[1]
        return StackedFrame(
            self.path,
            self.rejected_low + share.rejected_low,
            self.rejected_high + share.rejected_high,
            self.n_values + pixels,
            self.expected + pixels * report.expected_share,
            share.weight,
            self.marked or share.excessive,
        )


@dataclass(frozen=True, slots=True)
class StackReport:
    """What a stack did."""

    output: Path
    images: tuple[tuple[str, CombineReport], ...]
    """For each image of the file its name (empty: the primary) and what was combined."""
    used: tuple[Path, ...]
    skipped: tuple[Skipped, ...]
    seconds: float
    """From the first look at a file to the result on the disk."""
    treated: str = ""
    """What was done with the overscan of the frames, in words."""
    notes: tuple[str, ...] = ()
    """What is worth saying and is no problem."""
    headers: tuple[FramesSay, ...] = ()
    """What the frames say of themselves, image by image."""

    @property
    def n_frames(self) -> int:
        """Number of frames combined."""
        return max(len(self.used), *(report.n_frames for _, report in self.images))

    @property
    def n_rejected_low(self) -> int:
        """Values rejected low, all images and frames together."""
        return sum(report.n_rejected_low for _, report in self.images)

    @property
    def n_rejected_high(self) -> int:
        """Values rejected high."""
        return sum(report.n_rejected_high for _, report in self.images)

    @property
    def frames(self) -> tuple[StackedFrame, ...]:
        """What became of every frame, all images together."""
        found = {path: StackedFrame(path) for path in self.used}
        by_name = {str(path): path for path in self.used}
        for _, report in self.images:
            for one in report.frames:
                path = by_name.get(one.name) or by_name.get(one.name.rpartition("[")[0])
                if path is not None:
                    found[path] = found[path].with_share(one, report)
        return tuple(found.values())

    @property
    def megapixels(self) -> float:
        """Millions of input pixels."""
        return sum(report.megapixels for _, report in self.images)


def stack_files(
    ctx: JobContext,
    files: Sequence[Path],
    out: Path,
    settings: StackSettings,
    *,
    overscan: OverscanSettings | None = None,
    subtract: Path | None = None,
    stop_at_broken: bool = False,
    memory_bytes: int | None = None,
    threads: int | None = None,
) -> StackReport:
    """Combine files into one FITS image with uncertainty and count.

    Files with several images are combined image by image. A file that cannot be read, or not
    to its end, is left out and said, and the others are combined, unless ``stop_at_broken``.
    The result appears whole or not at all.

    Parameters
    ----------
    out
        Must not exist.
    settings
        With normalisation, frames are brought to the median of their robust central levels,
        for colour sensors by colour.
    overscan
        What is taken out of every frame first, and cut away. None: nothing.
    subtract
        A bias or dark that is taken out of every frame, before levels are measured.
    stop_at_broken
        Stop at the first file that cannot be used, whatever is wrong with it.
    memory_bytes
        Most memory for pixels, None for 1 GiB; unpacked files beyond half of it go to temporary
        files beside the result.
    threads
        None: one for each processor.

    Raises
    ------
    CalibrationError
        If no more than half of the frames have one size and the same images (others than most
        are left out and said), or the memory does not suffice.
    FileProblemError
        If no file can be read, or ``subtract`` cannot; with ``stop_at_broken`` if one cannot.
    WriteProblemError
        If ``out`` exists or cannot be written.
    Cancelled
        Nothing is left behind.
    """
    started = time.perf_counter()
    ctx.progress(0.0, "Looking at the files")
    if out.exists() or out.is_symlink():
        raise WriteProblemError(
            f"{out} exists already. It was left as it is.",
            hint="Move it away, or choose another name.",
        )
    paths, skipped = without_repeats(files, ctx.token)
    with (
        heeding(ctx.token),
        MEMORY.memory(memory_bytes) as memory,
        open_subtrahend(subtract) as subtrahend,
    ):
        how = _How(settings, memory, threads, overscan, stop_at_broken, subtrahend)
        try:
            done = _stack_alike(ctx, paths, out, how)
        except OverscanError as error:
            if overscan is None or overscan.if_wrong is not IfWrong.UNTRIMMED:
                raise
            said = Skipped(paths[0], f"All frames were used untrimmed: {error}", error.hint)
            done = _stack_alike(ctx, paths, out, replace(how, overscan=None))
            skipped.append(said)
    seconds = time.perf_counter() - started
    return replace(done, skipped=(*skipped, *done.skipped), seconds=seconds)


@dataclass(frozen=True, slots=True)
class _How:
    """What is done to all images of a stack."""

    settings: StackSettings
    memory_bytes: int
    threads: int | None
    overscan: OverscanSettings | None
    stop_at_broken: bool
    subtrahend: Subtrahend | None

    @property
    def subtracted(self) -> Path | None:
        """The file that is taken out of every frame."""
        return None if self.subtrahend is None else self.subtrahend.path


def _stack_alike(ctx: JobContext, paths: Sequence[Path], out: Path, how: _How) -> StackReport:
    """Combine what can be combined, going on without files that break while they are read."""
    skipped: list[Skipped] = []
    while True:
        with StackInputs.open(
            paths, out.parent, how.memory_bytes, how.overscan, ctx.token
        ) as inputs:
            if how.stop_at_broken and inputs.skipped:
                raise _stopped(inputs.skipped[0])
            try:
                said = [frames_say(inputs, image) for image in inputs.images]
                reports = _publish(ctx, inputs, out, how, said)
                break
            except OverscanError:
                lost = list(inputs.broken)
                if not lost:
                    raise
            except FileProblemError:
                # A file broke while it was read: go on without it, unless it is another thing.
                lost = inputs.broken_now()
                if not lost:
                    raise
            finally:
                skipped += inputs.skipped
        if how.stop_at_broken:
            raise _stopped(lost[0])
        skipped += lost
        gone = {one.path for one in lost}
        paths = [path for path in inputs.paths if path not in gone]
        if not paths:
            raise CalibrationError(
                f"None of the frames can be combined. The first: {lost[0].message}",
                hint=lost[0].hint,
            )
    used, notes = tuple(inputs.paths), tuple(inputs.notes)
    words = inputs.overscan.words
    skipped += dict.fromkeys(problem for one in said for problem in one.problems)
    return StackReport(
        out, tuple(reports), used, tuple(skipped), 0.0, words, notes, headers=tuple(said)
    )


def _stopped(broken: Skipped) -> FileProblemError:
    hint = f"{broken.hint} Or go on without it: --broken leave-out.".strip()
    return FileProblemError(f"{broken.message} Nothing was combined.", hint=hint)


def _publish(
    ctx: JobContext,
    inputs: StackInputs,
    out: Path,
    how: _How,
    said: Sequence[FramesSay],
) -> list[tuple[str, CombineReport]]:
    """Combine every image into a temporary file, and give it its name when all is done."""
    reports: list[tuple[str, CombineReport]] = []

    def fill(temporary: Path) -> None:
        with ExitStack() as stack:
            rows = [inputs.rows(image) for image in inputs.images]
            planned = [
                PlannedImage(
                    image.name,
                    r[0].shape,
                    stack_cards(inputs, image, one, how.settings, r, how.subtracted),
                    how.settings.maps,
                    one.unit,
                )
                for image, one, r in zip(inputs.images, said, rows, strict=True)
            ]
            file = stack.enter_context(StackFile(temporary, planned))
            parts = ctx.split(*(p.shape[0] * p.shape[1] for p in planned))
            for i, part in enumerate(parts):
                settings = with_floor(how.settings, len(rows[i]), said[i])
                report = _combine(part, inputs, i, rows[i], file, replace(how, settings=settings))
                file.write_result(i, floor_cards(report), about_frames(report))
                reports.append((inputs.images[i].name, report))

    publish_file(out, fill)
    return reports


def _combine(
    ctx: JobContext,
    inputs: StackInputs,
    index: int,
    rows: Sequence[RowSource],
    file: StackFile,
    how: _How,
) -> CombineReport:
    settings = how.settings
    measuring, combining = ctx.split(1.0 if settings.normalize != "none" else 0.0, 3.0)
    image, sink = inputs.images[index], file.sink(index)
    plane = None if how.subtrahend is None else how.subtrahend.plane(image, rows[0].shape)
    bare: Sequence[RowSource] = rows if plane is None else [LessPlane(r, plane) for r in rows]
    scales, offsets = _normalisation(measuring, inputs, image, bare, settings)
    return combine(
        combining,
        rows,
        settings,
        sink,
        scales=scales,
        offsets=offsets,
        subtract=None if plane is None else [plane] * len(rows),
        weights=_weights(inputs, image, bare, scales, offsets, settings),
        maps=sink if settings.maps else None,
        memory_bytes=inputs.memory_bytes,
        threads=how.threads,
    )


def _normalisation(
    ctx: JobContext,
    inputs: StackInputs,
    image: StackedImage,
    rows: Sequence[RowSource],
    settings: StackSettings,
) -> tuple[list[Scale] | None, list[float] | None]:
    """Return the scales or offsets that bring the frames to one level (RULES 5)."""
    if settings.normalize is Normalization.NONE:
        return None, None
    from calibstudio.imaging.combine_level import robust_levels

    if settings.normalize is Normalization.ADDITIVE_SCALING:
        return _shifted_and_scaled(ctx, rows)
    # Additive: the level moves as a whole, and the colours keep their distances.
    by_colour = settings.normalize is Normalization.MULTIPLICATIVE and _is_colour(
        *inputs.first_of(image)
    )
    levels = np.zeros((len(rows), 4))
    for i, source in enumerate(rows):
        ctx.progress(i / len(rows), "Measuring levels")
        levels[i] = robust_levels(source, by_colour=by_colour)
        if not np.all(np.isfinite(levels[i])):
            raise _no_level(source)
    # (numpy.median would import numpy.ma.)
    common = np.array([statistics.median(column) for column in levels.T.tolist()])
    if settings.normalize is Normalization.ADDITIVE:
        return None, [float(level[0] - common[0]) for level in levels]
    for path, by_channel in zip(inputs.paths_of(image), levels, strict=True):
        if np.any(by_channel <= 0):
            raise CalibrationError(
                f"{path} has a level of {by_channel.min():g} ADU, so it cannot be scaled.",
                hint="Leave it out, or combine without normalisation.",
            )
    return [_as_scale(common / by_channel) for by_channel in levels], None


def _shifted_and_scaled(
    ctx: JobContext, rows: Sequence[RowSource]
) -> tuple[list[Scale], list[float]]:
    """Bring frames to the median level and spread."""
    from calibstudio.imaging.combine_level import robust_spread, scale_about

    found = []
    for i, source in enumerate(rows):
        ctx.progress(i / len(rows), "Measuring levels")
        found.append(robust_spread(source))
        if not np.all(np.isfinite(found[-1])):
            raise _no_level(source)
    to_level, to_spread = (float(statistics.median(side)) for side in zip(*found, strict=True))
    pairs = [scale_about(*one, to_level, to_spread) for one in found]
    return [scale for scale, _ in pairs], [offset for _, offset in pairs]


def _no_level(source: RowSource) -> CalibrationError:
    return CalibrationError(
        f"{source.name} has no level: its centre holds no numbers.",
        hint="Leave it out, or combine without normalisation.",
    )


def _weights(
    inputs: StackInputs,
    image: StackedImage,
    rows: Sequence[RowSource],
    scales: list[Scale] | None,
    offsets: list[float] | None,
    settings: StackSettings,
) -> list[float] | None:
    """Return how much each frame counts, relative to the mean of all."""
    if settings.weight is Weight.NOISE:
        from calibstudio.imaging.combine_weights import noise_weights

        return noise_weights(rows, scales=scales, offsets=offsets)
    if settings.weight is Weight.EXPOSURE:
        from calibstudio.services.frame_weights import exposure_weights

        paths = inputs.paths_of(image)
        times = [
            _exposure_of(path, name) for path, (_, name) in zip(paths, image.members, strict=True)
        ]
        return exposure_weights([path.name for path in paths], times)
    return None


def _exposure_of(path: Path, image: str) -> float | None:
    for keyword, value, _ in kept_cards(path, image):
        if keyword in ("EXPTIME", "EXPOSURE") and isinstance(value, int | float):
            return float(value)
    return None


def _as_scale(by_colour: NDArray[np.float64]) -> Scale:
    a, b, c, d = (float(s) for s in by_colour)
    return a if a == b == c == d else (a, b, c, d)


def _is_colour(path: Path, image: str) -> bool:
    """Whether the sensor has a 2x2 cell of colours; which is which does not matter here."""
    return any(
        keyword == "BAYERPAT" and isinstance(value, str) and len(value.strip()) == 4
        for keyword, value, _ in kept_cards(path, image)
    )
