"""What is taken out of each frame of a group: whole planes, or a bias with scaled dark signal.

Planes are read band by band from their files as they are needed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.pixels import PlaneRows, RowSource, Stored
from calibstudio.imaging.dark_scaling import ScaledDark
from calibstudio.services.master_subtract import Subtraction
from calibstudio.store.master_read import MasterPixels, open_pixels
from calibstudio.store.publish import sha256_of


class MasterRows:
    """A plane of a master as `PlaneRows`. Each thread keeps the band that it read last."""

    def __init__(self, rows: RowSource) -> None:
        self._rows = rows
        self._kept = threading.local()

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self._rows.shape

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return some rows; they must not be changed."""
        y0, y1, _ = rows.indices(self.shape[0])
        kept = getattr(self._kept, "band", None)
        if kept is None or kept[0] != (y0, y1):
            kept = (y0, y1), self._rows.read_rows(y0, y1)
            self._kept.band = kept
        band: NDArray[np.float32] = kept[1]
        return band


Planes = tuple[PlaneRows, PlaneRows | None]
"""Image and UNC of a master."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What is taken out of a frame, ADU; frames that share it share the object."""

    plane: PlaneRows
    parts: tuple[Planes, ...]
    """The bias (or the dark) that it is made of, and the dark that is scaled."""

    @property
    def has_uncertainty(self) -> bool:
        """Whether a part says one."""
        return any(unc is not None for _, unc in self.parts)

    def uncertainty(self, rows: slice) -> NDArray[np.float32] | None:
        """Return some rows of its UNC; None where no part says one."""
        parts = [None if unc is None else unc[rows] for _, unc in self.parts]
        if isinstance(self.plane, ScaledDark):
            return self.plane.uncertainty(parts[0], parts[1])
        return parts[0]


class Cleaned:
    """A frame after its pedestal and what is taken out of it, as a `RowSource` for measuring."""

    def __init__(self, source: RowSource, pedestal_adu: float, plane: PlaneRows | None) -> None:
        self._source, self._plane = source, plane
        self._pedestal = np.float32(pedestal_adu)
        self.name = source.name
        self.shape = source.shape
        self.stored = Stored.OTHER
        self.step_adu = source.step_adu

    def read_rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return rows y0 to y1 (exclusive), ADU."""
        pixels = self._source.read_rows(y0, y1)
        pixels += self._pedestal
        if self._plane is not None:
            pixels -= self._plane[y0:y1]
        return pixels

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        """Not to be had: rows are worked out."""
        raise ValueError(f"{self.name} has no raw form")

    def close(self) -> None:
        """Let go of the frame."""
        self._source.close()


def taken_from(
    subtraction: Subtraction, headers: Sequence[FrameHeader], detector: str
) -> list[Taken | None]:
    """Return what is taken out of each frame; None: nothing.

    Parameters
    ----------
    detector
        Name of the image in the masters; empty for one sensor.

    Raises
    ------
    CalibrationError
        A master was changed since it was made, or lacks this detector.
    FileProblemError
        A master cannot be read.
    """
    planes = {m.sha256: open_planes(m, detector) for m in subtraction.masters}
    known: dict[tuple[str, str, float], Taken] = {}
    found: list[Taken | None] = []
    for header in headers:
        path = header.path
        record = subtraction.by_frame.get(path)
        if record is None:
            found.append(None)
            continue
        by = subtraction.scaled.get(path)
        key = (record.sha256, "", 0.0) if by is None else (record.sha256, by.dark.sha256, by.factor)
        if key not in known:
            base = planes[record.sha256]
            if by is None:
                known[key] = Taken(base[0], (base,))
            else:
                dark = planes[by.dark.sha256]
                has_bias = not by.dark.bias_subtracted
                plane = ScaledDark(base[0], dark[0], by.factor, has_bias)
                known[key] = Taken(plane, (base, dark))
        found.append(known[key])
    return found


def open_planes(record: MasterRecord, detector: str) -> Planes:
    """Open image and UNC of a master that is as it was made.

    Raises
    ------
    CalibrationError
        It was changed, or lacks this detector.
    """
    master = unchanged(record.path, record.sha256)
    if detector and detector not in master.detectors:
        raise CalibrationError(
            f"{record.path.name} has no detector {detector}.",
            hint="Build it again from frames with all detectors.",
        )
    name = detector or master.detectors[0]
    return image_rows(master, name), plane_rows(master, "UNC", name)


def image_rows(master: MasterPixels, detector: str) -> MasterRows:
    """Return the image of a detector that a master has."""
    rows = master.rows("", detector)
    assert rows is not None
    return MasterRows(rows)


def unchanged(path: Path, sha256: str) -> MasterPixels:
    """Open a master whose bytes are those that were filed.

    Raises
    ------
    CalibrationError
        They are others.
    """
    if sha256_of(path) != sha256:
        raise CalibrationError(
            f"{path.name} was changed since it was made, so it is not used.",
            hint="Run calibstudio library verify, and build it again.",
        )
    return open_pixels(path)


class CommonUnc:
    """The uncertainty that what was taken out leaves in the mean of the frames.

    It is the same for all frames that share it, so averaging does not make it smaller: times
    the mean scale, and root mean square where it was not the same for all.
    """

    def __init__(self, taken: Sequence[Taken | None], scales: Sequence[float]) -> None:
        found = {id(t): t for t in taken if t is not None}
        self._known = [one for one in found.values() if one.has_uncertainty]
        self._mean_scale = float(np.mean(scales)) if len(scales) else 1.0

    @property
    def is_known(self) -> bool:
        """Whether anything that was taken out says its uncertainty."""
        return bool(self._known)

    def rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Return some rows of it."""
        total: NDArray[np.float64] | float = 0.0
        for one in self._known:
            unc = one.uncertainty(slice(y0, y1))
            assert unc is not None
            total = total + unc.astype(np.float64) ** 2
        found = np.sqrt(total / len(self._known)) * self._mean_scale
        return np.asarray(found, np.float32)


def plane_rows(master: MasterPixels, which: str, detector: str) -> MasterRows | None:
    """Return a plane of a detector (``UNC``, ``BPM``); None where a master has none."""
    rows = master.rows(which, detector)
    return None if rows is None else MasterRows(rows)
