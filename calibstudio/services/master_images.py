"""Which detectors each frame of a group holds, and which frames hold others than most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from calibstudio.domain.detectors import PRIMARY, described, only_detectors
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.overscan import IfWrong, OverscanSettings
from calibstudio.domain.wording import size
from calibstudio.services.overscan import OverscanError, TreatedRows, open_treated
from calibstudio.store.pixels import open_frame

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Look:
    """The detectors of one file."""

    names: tuple[str, ...]
    """As the file writes them."""
    shapes: Mapping[str, Shape]
    """By name in capitals, of what is kept; of a file with one image under an empty name."""
    parts: tuple[str, ...] = ()
    """Which parts of the pictures are kept, where they are trimmed."""
    start: tuple[int, int] = (0, 0)
    """First row and column that are kept of the first picture."""
    overscan_adu: float | None = None
    """Mean level that is taken out."""


@dataclass(frozen=True, slots=True)
class Makes:
    """What the frames of a group are made of."""

    looks: Mapping[Path, _Look]
    unreadable: Mapping[Path, str]
    usual: Mapping[str, Shape]
    """What most frames hold."""
    parts: tuple[str, ...]
    """Which parts of the pictures most frames keep."""
    overscan: OverscanSettings
    """What is done with the overscan: less than was asked for where sections are wrong."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[Path], overscan: OverscanSettings | None = None) -> Makes:
        """Look at files, with what is done with their overscan."""
        settings, every = overscan or OverscanSettings(), list(paths)
        try:
            return cls._of(every, settings)
        except OverscanError as error:
            note = f"All frames were used untrimmed, with their overscan: {error}"
            plain = cls._of(every, OverscanSettings())
            return replace(plain, notes=(note,))

    @classmethod
    def _of(cls, paths: Sequence[Path], settings: OverscanSettings) -> Makes:
        looks: dict[Path, _Look] = {}
        unreadable: dict[Path, str] = {}
        for path in paths:
            try:
                looks[path] = _look(path, settings)
            except CalibStudioError as error:
                all_untrimmed = settings.if_wrong is IfWrong.UNTRIMMED
                if isinstance(error, OverscanError) and all_untrimmed:
                    raise
                unreadable[path] = str(error).replace(f"{path} ", "It ", 1)
        # Of two that are equally many, the first in the order of the frames.
        counted = Counter((tuple(sorted(v.shapes.items())), v.parts) for v in looks.values())
        usual, parts = counted.most_common(1)[0][0] if counted else ((), ())
        return cls(looks, unreadable, dict(usual), parts, settings)

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
        if self.looks[path].parts != self.parts:
            return "It has its data elsewhere than the others (TRIMSEC or DATASEC)."
        return ""

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the names by which the detectors of a file are read; ``("",)`` for one image."""
        return self.looks[path].names if path in self.looks else ()

    def treated(self, header: FrameHeader) -> FrameHeader:
        """Return a header that says the size, and where colours begin, of what is kept."""
        look = self.looks[header.path]
        if not self.overscan.trim:
            return header
        shape = next(iter(look.shapes.values()))
        return replace(header, shape=shape, bayer=shifted_bayer(header.bayer, *look.start))

    @property
    def kept(self) -> str:
        """Which part of the frames is kept, where they are trimmed."""
        return " ".join(self.parts) if self.overscan.trim else ""

    def words(self, names: Sequence[str]) -> dict[str, HeaderValue]:
        """Return what masters of such frames say beside the key of their group."""
        if not self.overscan.active or not self.usual:
            return {}
        found: dict[str, HeaderValue] = {"overscan": self.overscan.words}
        shapes = [self.usual[(n or PRIMARY).upper() if len(names) > 1 else ""] for n in names]
        found["shape"] = shapes[0]
        several = described(names, shapes)
        if several is not None:
            found["detectors"] = several
        return found


def shifted_bayer(pattern: str | None, rows: int, columns: int) -> str | None:
    """Return the 2x2 pattern of a picture whose first rows and columns were cut away."""
    if pattern is None or len(pattern) != 4:
        return pattern
    cells = ((y, x) for y in (0, 1) for x in (0, 1))
    return "".join(pattern[2 * ((y + rows) % 2) + (x + columns) % 2] for y, x in cells)


def _look(path: Path, settings: OverscanSettings) -> _Look:
    with open_frame(path) as file:
        names, alone = only_detectors(file.names), len(file.names) == 1
        shapes = {name: file.shape(name) for name in names}
    if alone:
        names, shapes = ("",), {"": next(iter(shapes.values()))}
    parts: list[str] = []
    levels: list[float] = []
    start = (0, 0)
    for i, name in enumerate(names if settings.active else ()):
        with closing(open_treated(path, name, settings)) as rows:
            assert isinstance(rows, TreatedRows)
            shapes[name] = rows.shape
            parts.append(f"{name}{rows.plan.trim_text if settings.trim else ''}")
            if rows.level_adu is not None:
                levels.append(rows.level_adu)
            if i == 0:
                start = rows.plan.rows[0][0], rows.plan.columns[0][0]
    level = sum(levels) / len(levels) if levels else None
    several = len(names) > 1
    by_name = {(n or PRIMARY).upper() if several else "": shapes[n] for n in names}
    return _Look(names, by_name, tuple(sorted(parts)), start, level)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name or "of one image" for name in names)
