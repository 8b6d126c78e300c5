"""The files of a stack: which are used, which images they hold, and why others are left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from calibstudio.domain.detectors import PRIMARY, extension_name, only_detectors
from calibstudio.domain.errors import CalibrationError, FileProblemError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.overscan import IfWrong, OverscanSettings
from calibstudio.domain.pixels import RowSource
from calibstudio.domain.wording import count, size
from calibstudio.services.overscan import OverscanError, plan_for, treated
from calibstudio.services.stack_copies import copies_among
from calibstudio.store.pixels import FramePixels, UnpackBudget, open_frame

Shape = tuple[int, int]
Look = dict[str, Shape]
"""Size of every detector of a file, by its name in capitals; a single image is called ``""``."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, or a part of it, and why."""

    path: Path
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StackedImage:
    """One image of the result, and the files that have it."""

    name: str
    """As the first file writes it; empty where files hold one image."""
    shape: Shape
    members: tuple[tuple[int, str], ...]
    """(number of the file, name of the image in it)."""


@dataclass(slots=True)
class StackInputs:
    """The files of a stack, all open, and those that had to be left out."""

    paths: list[Path]
    opened: list[FramePixels]
    images: tuple[StackedImage, ...]
    skipped: list[Skipped]
    memory_bytes: int
    overscan: OverscanSettings = field(default_factory=OverscanSettings)
    notes: list[str] = field(default_factory=list)
    """What is worth saying and is no problem."""
    _places: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    """Which parts of its pictures a trimmed file keeps."""
    broken: list[Skipped] = field(default_factory=list)
    """Files whose pixels turned out to be no good after they were opened."""
    token: CancelToken = field(default_factory=CancelToken)
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        folder: Path,
        memory_bytes: int,
        overscan: OverscanSettings | None = None,
        token: CancelToken | None = None,
    ) -> StackInputs:
        """Open every file that can be read.

        ``token`` is looked at from file to file, here and in `rows`: unpacking takes its time.

        Raises
        ------
        FileProblemError
            If none can.
        CalibrationError
            If no more than half of them are alike in size and images.
        OverscanError
            If sections are wrong, and the settings say that then all are used untrimmed.
        Cancelled
            If the token is set.
        """
        budget = UnpackBudget(folder, memory_bytes // 2)
        self = cls([], [], (), [], memory_bytes, overscan or OverscanSettings())
        self.token = token or self.token
        try:
            for path in paths:
                self.token.check()
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
            for name in only_detectors(file.names):
                # A picture that is cut off or has no rows is found before anything is combined.
                file.check(name)
                self._kept_shape(path, file, name)
        except FileProblemError as error:
            self._raise_if_all_untrimmed(error)
            self.skipped.append(Skipped(path, str(error), error.hint))
            return
        self.paths.append(path)
        self.opened.append(file)

    def _keep_alike(self) -> None:
        """Leave out files that are something else, and sort the rest by their images."""
        looks = [self._look(i) for i in range(len(self.opened))]
        odd = self._foreign(looks)
        shapes = _usual_shapes([look for i, look in enumerate(looks) if i not in odd])
        for i, look in enumerate(looks):
            wrong = [n for n, shape in look.items() if shapes.get(n, shape) != shape]
            if i not in odd and wrong:
                many = sum(1 for other in looks if other.get(wrong[0]) == shapes[wrong[0]])
                odd[i] = _difference(look, shapes, wrong, many)
        odd |= {i: why for i, why in self._elsewhere().items() if i not in odd}
        if odd and 2 * (len(looks) - len(odd)) <= len(looks):
            raise _not_alike(self.paths, odd)
        for i, why in sorted(odd.items()):
            message = f"{self.paths[i]} {why}"
            self.skipped.append(Skipped(self.paths[i], message, "It was left out."))
        kept = [i for i in range(len(looks)) if i not in odd]
        self.paths = [self.paths[i] for i in kept]
        self.opened = [self.opened[i] for i in kept]
        self._sort_images([looks[i] for i in kept])

    def _kept_shape(self, path: Path, file: FramePixels, name: str) -> Shape:
        """Return the size of an image when it has been trimmed."""
        shape = file.shape(name)
        if not self.overscan.active:
            return shape
        image = name if len(only_detectors(file.names)) > 1 else ""
        plan = plan_for(path, image, shape, self.overscan, str(path))
        if self.overscan.trim:
            self._places.setdefault(path, ())
            self._places[path] += (f"{name}{plan.trim_text}",)
        return plan.kept

    def _look(self, i: int) -> Look:
        """What must be the same in all files; a single image may have any name."""
        path, file = self.paths[i], self.opened[i]
        names = only_detectors(file.names)
        if len(names) == 1:
            return {"": self._kept_shape(path, file, names[0])}
        return {(n or PRIMARY).upper(): self._kept_shape(path, file, n) for n in names}

    def _elsewhere(self) -> dict[int, str]:
        """Return the files that keep another part of the picture than most: they would not fit."""
        kept = {i: frozenset(self._places.get(p, ())) for i, p in enumerate(self.paths)}
        usual = Counter(kept.values()).most_common(1)[0][0]
        return {
            i: "has its data elsewhere than the rest (TRIMSEC or DATASEC)."
            for i, one in kept.items()
            if one != usual
        }

    def _raise_if_all_untrimmed(self, error: FileProblemError) -> None:
        if isinstance(error, OverscanError) and self.overscan.if_wrong is IfWrong.UNTRIMMED:
            raise error

    def _foreign(self, looks: Sequence[Look]) -> dict[int, str]:
        """Return the files that share no image with most of the others."""
        usual = Counter(frozenset(look) for look in looks).most_common(1)[0][0]
        return {
            i: "holds other images than the rest."
            for i, look in enumerate(looks)
            if not usual & look.keys()
        }

    def _sort_images(self, looks: Sequence[Look]) -> None:
        """Find who has which image; none is dropped in silence."""
        names = list(dict.fromkeys(name for look in looks for name in look))
        images: list[StackedImage] = []
        for key in names:
            members = tuple(
                (i, name)
                for i, look in enumerate(looks)
                if key in look
                for name in _written(self.opened[i], key)
            )
            if len({i for i, _ in members}) == 1 < len(looks):
                path = self.paths[members[0][0]]
                message = f"{path} alone has the image {key}: it was left out."
                self.skipped.append(Skipped(path, message, "Take the frames again with all."))
                continue
            name = extension_name(members[0][1], alone=not key)
            images.append(StackedImage(name, looks[members[0][0]][key], members))
            self._say_missing(key, members, looks)
        self.images = tuple(images)
        others = {n for f in self.opened for n in f.names if n not in only_detectors(f.names)}
        if others:
            said = ", ".join(sorted(others))
            self.notes.append(f"Not combined, because they are no pictures of their own: {said}.")

    def _say_missing(
        self, key: str, members: Sequence[tuple[int, str]], looks: Sequence[Look]
    ) -> None:
        have = {i for i, _ in members}
        for i in range(len(looks)):
            if i not in have:
                message = (
                    f"{self.paths[i]} has no image {key}: that image was combined from the other "
                    f"{count(len(members), 'frame')}."
                )
                self.skipped.append(Skipped(self.paths[i], message, "Take it again if it should."))

    def rows(self, image: StackedImage) -> list[RowSource]:
        """Open an image of every file that has it.

        Raises
        ------
        FileProblemError
            If some cannot be unpacked; `broken_now` names them all.
        """
        found = []
        first: FileProblemError | None = None
        for i, name in image.members:
            self.token.check()
            try:
                source = self.opened[i].rows(name)
                own = name if image.name else ""
                found.append(treated(source, self.paths[i], own, self.overscan))
            except FileProblemError as error:
                self._raise_if_all_untrimmed(error)
                self.broken.append(Skipped(self.paths[i], str(error), error.hint))
                first = first or error
        if first is not None:
            raise first
        return found

    def paths_of(self, image: StackedImage) -> list[Path]:
        """Return the files that have an image."""
        return [self.paths[i] for i, _ in image.members]

    def first_of(self, image: StackedImage) -> tuple[Path, str]:
        """Return the first file that has an image, and its name in it; empty for the only one."""
        i, name = image.members[0]
        return self.paths[i], name if image.name else ""

    def broken_now(self) -> list[Skipped]:
        """Look again at every file after one could not be read to its end."""
        known = {one.path for one in self.broken}
        return [*self.broken, *broken_files([p for p in self.paths if p not in known])]

    def __enter__(self) -> StackInputs:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()


def _written(file: FramePixels, key: str) -> tuple[str, ...]:
    """Return the name of an image as a file writes it; of a film the names of all its frames."""
    names = only_detectors(file.names)
    if len(file.exposures) > 1:
        return file.exposures
    if len(names) == 1:
        return names
    return tuple(name for name in names if (name or PRIMARY).upper() == key)[:1]


def broken_files(paths: Sequence[Path]) -> list[Skipped]:
    """Look again at files of which one could not be read to its end: which, and why."""
    lost = []
    for path in paths:
        try:
            with open_frame(path) as file:
                for name in only_detectors(file.names):
                    file.check(name)
        except FileProblemError as error:
            lost.append(Skipped(path, str(error), error.hint))
    return lost


def _usual_shapes(looks: Sequence[Look]) -> Look:
    usual: Look = {}
    for name in dict.fromkeys(name for look in looks for name in look):
        shapes = Counter(look[name] for look in looks if name in look)
        usual[name] = shapes.most_common(1)[0][0]
    return usual


def _difference(look: Look, usual: Look, wrong: Sequence[str], others: int) -> str:
    """Say how a file differs from most: ``is 40 × 9 pixels, the other 3 frames 40 × 30.``"""
    sizes = " and ".join(dict.fromkeys(size(look[n]) for n in wrong))
    rest = " and ".join(dict.fromkeys(size(usual[n]) for n in wrong))
    where = f" in {', '.join(wrong)}" if wrong != [""] else ""
    return f"is {sizes} pixels{where}, the other {count(others, 'frame')} {rest}."


def without_repeats(files: Sequence[Path], token: CancelToken) -> tuple[list[Path], list[Skipped]]:
    """A frame given twice would count double, and its noise would seem smaller.

    Raises
    ------
    Cancelled
        If the token is set.
    """
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
    copies = copies_among(list(seen.values()), token)
    for path, first in copies.items():
        message = f"{path} is a copy of {first}: it was left out."
        skipped.append(Skipped(path, message, "Keep one of them, or name only one."))
    return [path for path in seen.values() if path not in copies], skipped


def _none_left(paths: Sequence[Path], skipped: Sequence[Skipped]) -> FileProblemError:
    if not paths:
        return FileProblemError("There is no file to combine.", hint="Name the frames.")
    if len(skipped) == 1:
        return FileProblemError(skipped[0].message, hint=skipped[0].hint)
    return FileProblemError(
        f"None of the {len(paths)} files can be combined. The first: {skipped[0].message}",
        hint=skipped[0].hint,
    )


def _not_alike(paths: Sequence[Path], odd: dict[int, str]) -> CalibrationError:
    i, why = min(odd.items())
    return CalibrationError(
        f"These frames are too unlike to say which of them belong together: {paths[i]} {why}",
        hint="Combine only frames of one camera and size.",
    )
