"""Combine files as they are into one image: the bare engine, without hashes and library."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibrationError, FileProblemError, WriteProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import RowSource
from calibstudio.domain.recipe import Normalization, Rejection, StackSettings
from calibstudio.domain.wording import count, duration, number, size
from calibstudio.imaging.combine import CombineReport, Scale, combine, describe_rule
from calibstudio.imaging.reject import resolve
from calibstudio.store.pixels import FramePixels, UnpackBudget, open_frame
from calibstudio.store.publish import publish_file
from calibstudio.store.stack_fits import HeaderCard, PlannedImage, StackFile, kept_cards

DEFAULT_MEMORY = 1 << 30
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: Path
    message: str
    hint: str = ""


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

    @property
    def n_frames(self) -> int:
        """Number of frames combined."""
        return len(self.used)

    @property
    def n_rejected_low(self) -> int:
        """Values rejected low, all images and frames together."""
        return sum(report.n_rejected_low for _, report in self.images)

    @property
    def n_rejected_high(self) -> int:
        """Values rejected high."""
        return sum(report.n_rejected_high for _, report in self.images)

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
    memory_bytes: int | None = None,
    threads: int | None = None,
) -> StackReport:
    """Combine files into one FITS image with uncertainty and count.

    Files with several images are combined image by image. A file that cannot be read is left
    out and said; the others are combined. The result appears whole or not at all.

    Parameters
    ----------
    out
        Must not exist.
    settings
        With normalisation, frames are brought to the median of their robust central levels,
        for colour sensors by colour.
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
        If no file can be read.
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
    paths, skipped = _without_repeats(files)
    while True:
        with _Inputs.open(paths, out.parent, memory_bytes or DEFAULT_MEMORY) as inputs:
            try:
                reports = _publish(ctx, inputs, out, settings, threads)
                break
            except FileProblemError:
                # A file broke while it was read: go on without it, unless it is another thing.
                lost = inputs.broken_now()
                if not lost:
                    raise
            finally:
                skipped += inputs.skipped
        skipped += lost
        gone = {one.path for one in lost}
        paths = [path for path in inputs.paths if path not in gone]
    seconds = time.perf_counter() - started
    return StackReport(out, tuple(reports), tuple(inputs.paths), tuple(skipped), seconds)


def _without_repeats(files: Sequence[Path]) -> tuple[list[Path], list[Skipped]]:
    """A frame given twice would count double, and its noise would seem smaller."""
    seen: dict[Path, Path] = {}
    skipped = []
    for path in files:
        # Not `Path.resolve`, which raises where links go round in a circle.
        same = Path(os.path.realpath(path))
        if same in seen:
            message = f"{path} was given twice; it is used once."
            skipped.append(Skipped(path, message, "Name every frame only once."))
        else:
            seen[same] = path
    return list(seen.values()), skipped


@dataclass(slots=True)
class _Inputs:
    """The files of a stack, all open, and those that had to be left out."""

    paths: list[Path]
    opened: list[FramePixels]
    names: tuple[str, ...]
    """Images that every file has."""
    skipped: list[Skipped]
    memory_bytes: int
    broken: list[Skipped] = field(default_factory=list)
    """Files whose pixels turned out to be no good after they were opened."""
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(cls, paths: Sequence[Path], folder: Path, memory_bytes: int) -> _Inputs:
        """Open every file that can be read.

        Raises
        ------
        FileProblemError
            If none can.
        CalibrationError
            If no more than half of them are alike in size and images.
        """
        budget = UnpackBudget(folder, memory_bytes // 2)
        self = cls([], [], (), [], memory_bytes)
        try:
            for path in paths:
                self._add(path, budget)
            if not self.paths:
                raise _none_left(paths, self.skipped)
            self._keep_alike()
        except BaseException:
            self._stack.close()
            raise
        # What was unpacked into memory is taken from what combining may use.
        self.memory_bytes -= memory_bytes // 2 - budget.bytes_left
        return self

    def _add(self, path: Path, budget: UnpackBudget) -> None:
        try:
            file = self._stack.enter_context(open_frame(path, budget=budget))
            for name in file.names:
                # A picture that is cut off or has no rows is found before anything is combined.
                file.check(name)
        except FileProblemError as error:
            self.skipped.append(Skipped(path, str(error), error.hint))
            return
        self.paths.append(path)
        self.opened.append(file)

    def _keep_alike(self) -> None:
        """Leave out what has another size or other images than most."""
        looks = [_look(file) for file in self.opened]
        usual, many = Counter(looks).most_common(1)[0]
        odd = [i for i, look in enumerate(looks) if look != usual]
        if odd and 2 * many <= len(looks):
            raise _not_alike(self.paths, looks, usual)
        for i in odd:
            message = f"{self.paths[i]} {_difference(looks[i], usual, many)}"
            self.skipped.append(Skipped(self.paths[i], message, "It was left out."))
        self.paths = [path for i, path in enumerate(self.paths) if i not in odd]
        self.opened = [file for i, file in enumerate(self.opened) if i not in odd]
        self.names = tuple(name for name, _ in usual)

    def rows(self, name: str) -> list[RowSource]:
        """Open an image of every file.

        Raises
        ------
        FileProblemError
            If some cannot be unpacked; `broken_now` names them all.
        """
        found = []
        first: FileProblemError | None = None
        for i, file in enumerate(self.opened):
            try:
                found.append(file.rows(self.image_of(i, name)))
            except FileProblemError as error:
                self.broken.append(Skipped(self.paths[i], str(error), error.hint))
                first = first or error
        if first is not None:
            raise first
        return found

    def image_of(self, index: int, name: str) -> str:
        """The name of an image in one file; a single image may be called differently."""
        return name if len(self.names) > 1 else self.opened[index].names[0]

    def broken_now(self) -> list[Skipped]:
        """Look again at every file after one could not be read to its end."""
        lost = list(self.broken)
        known = {one.path for one in lost}
        for path in self.paths:
            if path in known:
                continue
            try:
                with open_frame(path) as file:
                    for name in file.names:
                        file.check(name)
            except FileProblemError as error:
                lost.append(Skipped(path, str(error), error.hint))
        return lost

    def __enter__(self) -> _Inputs:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()


def _none_left(paths: Sequence[Path], skipped: Sequence[Skipped]) -> FileProblemError:
    if not paths:
        return FileProblemError("There is no file to combine.", hint="Name the frames.")
    if len(skipped) == 1:
        return FileProblemError(skipped[0].message, hint=skipped[0].hint)
    return FileProblemError(
        f"None of the {len(paths)} files can be combined. The first: {skipped[0].message}",
        hint=skipped[0].hint,
    )


_Look = tuple[tuple[str, tuple[int, int]], ...]
"""Names and sizes of the images of a file."""


def _look(file: FramePixels) -> _Look:
    """What must be the same in all files; a single image may have any name."""
    names = file.names
    if len(names) == 1:
        return (("", file.shape(names[0])),)
    return tuple((name, file.shape(name)) for name in names)


def _difference(look: _Look, usual: _Look, many: int) -> str:
    """Say how a file differs from most: ``is 40 × 9 pixels, the other 3 frames 40 × 30.``"""
    if [name for name, _ in look] != [name for name, _ in usual]:
        return "holds other images than the rest."
    pairs = [(size(a), size(b)) for (_, a), (_, b) in zip(look, usual, strict=True) if a != b]
    sizes, others = (" and ".join(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
    return f"is {sizes} pixels, the other {count(many, 'frame')} {others}."


def _not_alike(paths: Sequence[Path], looks: Sequence[_Look], usual: _Look) -> CalibrationError:
    odd = [i for i, look in enumerate(looks) if look != usual]
    first = f"{paths[odd[0]]} {_difference(looks[odd[0]], usual, len(looks) - len(odd))}"
    return CalibrationError(
        f"These frames are too unlike to say which of them belong together: {first}",
        hint="Combine only frames of one camera and size.",
    )


def _publish(
    ctx: JobContext,
    inputs: _Inputs,
    out: Path,
    settings: StackSettings,
    threads: int | None,
) -> list[tuple[str, CombineReport]]:
    """Combine every image into a temporary file, and give it its name when all is done."""
    reports: list[tuple[str, CombineReport]] = []

    def fill(temporary: Path) -> None:
        with ExitStack() as stack:
            rows = [inputs.rows(name) for name in inputs.names]
            planned = [
                PlannedImage(name, r[0].shape, _cards(inputs, name, settings))
                for name, r in zip(inputs.names, rows, strict=True)
            ]
            file = stack.enter_context(StackFile(temporary, planned))
            parts = ctx.split(*(p.shape[0] * p.shape[1] for p in planned))
            for i, part in enumerate(parts):
                report = _combine(part, inputs, i, rows[i], file, settings, threads)
                reports.append((inputs.names[i], report))

    publish_file(out, fill)
    return reports


def _combine(
    ctx: JobContext,
    inputs: _Inputs,
    index: int,
    rows: Sequence[RowSource],
    file: StackFile,
    settings: StackSettings,
    threads: int | None,
) -> CombineReport:
    measuring, combining = ctx.split(1.0 if settings.normalize != "none" else 0.0, 3.0)
    scales, offsets = _normalisation(measuring, inputs, inputs.names[index], rows, settings)
    return combine(
        combining,
        rows,
        settings,
        file.sink(index),
        scales=scales,
        offsets=offsets,
        memory_bytes=inputs.memory_bytes,
        threads=threads,
    )


def _normalisation(
    ctx: JobContext,
    inputs: _Inputs,
    name: str,
    rows: Sequence[RowSource],
    settings: StackSettings,
) -> tuple[list[Scale] | None, list[float] | None]:
    """Return the scales or offsets that bring the frames to one level (RULES 5)."""
    if settings.normalize is Normalization.NONE:
        return None, None
    from calibstudio.imaging.combine_level import robust_levels

    # Additive: the level moves as a whole, and the colours keep their distances.
    by_colour = settings.normalize is Normalization.MULTIPLICATIVE and _is_colour(
        inputs.paths[0], name
    )
    levels = np.zeros((len(rows), 4))
    for i, source in enumerate(rows):
        ctx.progress(i / len(rows), "Measuring levels")
        levels[i] = robust_levels(source, by_colour=by_colour)
        if not np.all(np.isfinite(levels[i])):
            raise CalibrationError(
                f"{source.name} has no level: its centre holds no numbers.",
                hint="Leave it out, or combine without normalisation.",
            )
    common = np.median(levels, axis=0)
    if settings.normalize is Normalization.ADDITIVE:
        return None, [float(level[0] - common[0]) for level in levels]
    for path, by_channel in zip(inputs.paths, levels, strict=True):
        if np.any(by_channel <= 0):
            raise CalibrationError(
                f"{path} has a level of {by_channel.min():g} ADU, so it cannot be scaled.",
                hint="Leave it out, or combine without normalisation.",
            )
    return [_as_scale(common / by_channel) for by_channel in levels], None


def _as_scale(by_colour: NDArray[np.float64]) -> Scale:
    a, b, c, d = (float(s) for s in by_colour)
    return a if a == b == c == d else (a, b, c, d)


def _is_colour(path: Path, image: str) -> bool:
    """Whether the sensor has a 2x2 cell of colours; which is which does not matter here."""
    return any(
        keyword == "BAYERPAT" and isinstance(value, str) and len(value.strip()) == 4
        for keyword, value, _ in kept_cards(path, image)
    )


def _listed(paths: Sequence[Path]) -> str:
    names = [str(path) for path in paths[:_MOST_NAMED]]
    if len(paths) > _MOST_NAMED:
        names.append(count(len(paths) - _MOST_NAMED, "other file"))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _cards(inputs: _Inputs, name: str, settings: StackSettings) -> tuple[HeaderCard, ...]:
    """What the file says: what the first frame says of itself, and how it was combined."""
    n = len(inputs.paths)
    applied = resolve(replace(settings, normalize=Normalization.NONE), n).settings
    kept = kept_cards(inputs.paths[0], name)
    own: list[HeaderCard] = [
        ("BUNIT", "adu", "unit of the pixels"),
        ("NCOMBINE", n, "number of frames combined"),
        ("COMBTYPE", applied.combine.value, "how values were combined"),
        ("REJTYPE", applied.reject.value, "how values were rejected"),
        ("REJLOW", applied.low or 0.0, "lower limit of the rejection"),
        ("REJHIGH", applied.high or 0.0, "upper limit of the rejection"),
        ("NORMTYPE", settings.normalize.value, "how levels were matched"),
    ]
    return (*kept, *own)


def summary(report: StackReport) -> str:
    """Say in one paragraph what a stack did."""
    _, first = report.images[0]
    shapes = {r.shape for _, r in report.images}
    what = size(first.shape) if len(shapes) == 1 else "several sizes"
    images = "" if len(report.images) == 1 else f", {count(len(report.images), 'image')} each"
    values = report.megapixels * 1e6
    rejected = report.n_rejected_low + report.n_rejected_high
    share = 100.0 * rejected / values if values else 0.0
    lines = [
        f"Combined {count(report.n_frames, 'frame')} of {what} pixels{images} into "
        f"{report.output}: {describe_rule(first.settings)}"
        f"{' (chosen by the number of frames)' if first.automatic else ''}."
    ]
    if first.settings.reject is not Rejection.NONE:
        lines.append(
            f"Rejected {share:.3g} % of the values ({number(report.n_rejected_low)} low, "
            f"{number(report.n_rejected_high)} high); noise alone gives "
            f"{100.0 * first.expected_share:.3g} %."
        )
    held = sum(r.n_held for _, r in report.images)
    if held:
        keep = first.settings.min_keep
        lines.append(f"At {count(held, 'pixel')} the {keep} nearest values were kept.")
    marked = {frame.name for _, r in report.images for frame in r.marked}
    if marked:
        names = sorted(marked)
        listed = _listed([Path(name) for name in names])
        them = "it" if len(names) == 1 else "them"
        lines.append(f"Much more than noise was rejected in {listed}: look at {them}.")
    speed = report.megapixels / report.seconds if report.seconds > 0 else 0.0
    rate = f", {number(speed)} megapixels a second" if speed >= 10 else ""
    lines.append(f"Took {duration(report.seconds)}{rate}.")
    return " ".join(lines)
