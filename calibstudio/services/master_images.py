"""Which detectors each frame of a group holds, and which frames hold others than most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from calibstudio.domain.detectors import PRIMARY, only_detectors
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.wording import size
from calibstudio.store.pixels import open_frame

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Look:
    """The detectors of one file."""

    names: tuple[str, ...]
    """As the file writes them."""
    shapes: Mapping[str, Shape]
    """By name in capitals; of a file with one image under an empty name."""


@dataclass(frozen=True, slots=True)
class Makes:
    """What the frames of a group are made of."""

    looks: Mapping[Path, _Look]
    unreadable: Mapping[Path, str]
    usual: Mapping[str, Shape]
    """What most frames hold."""

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Makes:
        """Look at files."""
        looks: dict[Path, _Look] = {}
        unreadable: dict[Path, str] = {}
        for path in paths:
            try:
                looks[path] = _look(path)
            except CalibStudioError as error:
                unreadable[path] = str(error)
        # Of two that are equally many, the first in the order of the frames.
        counted = Counter(tuple(sorted(look.shapes.items())) for look in looks.values())
        usual = dict(counted.most_common(1)[0][0]) if counted else {}
        return cls(looks, unreadable, usual)

    def why_not(self, path: Path) -> str:
        """Say why a file cannot be combined with most of the others; empty when it can."""
        if path not in self.looks:
            return self.unreadable.get(path, "It cannot be read.")
        shapes = self.looks[path].shapes
        missing = [name for name in self.usual if name not in shapes]
        more = [name for name in shapes if name not in self.usual]
        if missing and more:
            return f"It has other detectors than the rest: {_listed(more)}."
        if missing:
            return f"It has no detector {_listed(missing)}, which the others have."
        if more:
            return f"It has the detector {_listed(more)}, which the others have not."
        wrong = [name for name in shapes if shapes[name] != self.usual[name]]
        if wrong:
            where = f" in {_listed(wrong)}" if wrong[0] else ""
            sizes = " and ".join(dict.fromkeys(size(shapes[n]) for n in wrong))
            others = " and ".join(dict.fromkeys(size(self.usual[n]) for n in wrong))
            return f"It is {sizes} pixels{where}, the others are {others}."
        return ""

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the names by which the detectors of a file are read; ``("",)`` for one image."""
        return self.looks[path].names if path in self.looks else ()


def _look(path: Path) -> _Look:
    with open_frame(path) as file:
        names = only_detectors(file.names)
        if len(names) == 1:
            alone = len(file.names) == 1
            return _Look(("",) if alone else names, {"": file.shape(names[0])})
        return _Look(names, {(n or PRIMARY).upper(): file.shape(n) for n in names})


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name or "of one image" for name in names)
