"""What is taken out of each frame of a group: whole planes, or a bias with scaled dark signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.pixels import PlaneRows
from calibstudio.imaging.dark_scaling import ScaledDark
from calibstudio.services.master_subtract import Subtraction
from calibstudio.store.master_read import MasterPixels, open_pixels
from calibstudio.store.publish import sha256_of

Planes = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Image and UNC of a master."""
_BAND_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What is taken out of a frame, ADU; frames that share it share the object."""

    plane: PlaneRows
    parts: tuple[Planes, ...]
    """The bias (or the dark) that it is made of, and the dark that is scaled."""

    def uncertainty(self) -> NDArray[np.float32] | None:
        """Return its UNC; None where no part says one."""
        if isinstance(self.plane, ScaledDark):
            return self.plane.uncertainty(self.parts[0][1], self.parts[1][1])
        return self.parts[0][1]


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
    planes = {m.sha256: read_planes(m, detector) for m in subtraction.masters}
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


def read_planes(record: MasterRecord, detector: str) -> Planes:
    """Read image and UNC of a master that is as it was made.

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
    name = detector or None
    return master.image(name), master.plane("UNC", name)


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


def common_unc(
    taken: Sequence[Taken | None], scales: Sequence[float]
) -> NDArray[np.float32] | None:
    """Return the uncertainty that what was taken out leaves in the mean of the frames.

    It is the same for all frames that share it, so averaging does not make it smaller: times
    the mean scale, and root mean square where it was not the same for all.
    """
    found = {id(t): t for t in taken if t is not None}
    known = [unc for one in found.values() if (unc := one.uncertainty()) is not None]
    if not known:
        return None
    mean_scale = float(np.mean(scales)) if len(scales) else 1.0
    common = np.empty(known[0].shape, np.float32)
    # By bands: float64 of the whole image is several times the memory of the result.
    for y0 in range(0, len(common), _BAND_ROWS):
        band = slice(y0, y0 + _BAND_ROWS)
        total = np.zeros(common[band].shape)
        for unc in known:
            total += unc[band].astype(np.float64) ** 2
        common[band] = np.sqrt(total / len(known)) * mean_scale
    return common
