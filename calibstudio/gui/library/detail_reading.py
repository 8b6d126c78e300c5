"""What the panel of one master needs, read in a worker: a plane as a picture, and its papers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.detectors import REJECTED_PLANES
from calibstudio.domain.kinds import BPM, kind_title
from calibstudio.domain.master import InputRecord, MasterRecord
from calibstudio.domain.wording import unit_text
from calibstudio.gui.library.defect_picture import DefectMap
from calibstudio.gui.library.detail_columns import CardRow
from calibstudio.imaging.display import Pyramid, build_pyramid
from calibstudio.imaging.display_numbers import (
    Histogram,
    channel_histograms,
    mean_quantum,
    region_histogram,
)

if TYPE_CHECKING:
    from calibstudio.services.library import Library

PLANES = (("", "Master"), ("UNC", "UNC"), ("CNT", "CNT"))
REJECTED = dict(zip(REJECTED_PLANES, ("Low", "High"), strict=True))
"""Maps of the values rejected at each pixel, where a master has them."""
_COUNTS = ("CNT", *REJECTED_PLANES)


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One plane of one master, ready to be shown."""

    sha256: str
    name: str
    pyramid: Pyramid | None
    histograms: dict[str, Histogram]
    defects: DefectMap | None = None
    """Of a bad-pixel map, which has no histogram worth a look."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What the file and the library say about one master."""

    sha256: str
    cards: tuple[CardRow, ...]
    inputs: tuple[InputRecord, ...]
    history: tuple[tuple[str, str, str], ...]
    maps: tuple[str, ...] = ()
    """Of `REJECTED_PLANES`, those that the file has."""


def read_plane(library: Library, record: MasterRecord, plane: str) -> Plane:
    """Read one plane of a master; of a bad-pixel map where its pixels are.

    Raises
    ------
    FileProblemError
        The file is gone or damaged.
    """
    master = library.open_master(record.sha256)
    if record.kind == BPM:
        masks = [master.image(name) for name in master.detectors]
        pyramid = build_pyramid(masks[0].astype(np.uint16))
        return Plane(record.sha256, plane, pyramid, {}, DefectMap.of(masks))
    data = master.image() if not plane else master.plane(plane)
    if data is None:
        return Plane(record.sha256, plane, None, {})
    data = np.asarray(data, dtype=np.float32)
    pyramid = build_pyramid(data)
    bayer = record.values.get("bayer") or record.key.get("bayer")
    pattern = bayer if isinstance(bayer, str) and not plane else None
    # Means of whole numbers are multiples of a quantum, which bins must not beat with.
    quantum = 1.0 if plane in _COUNTS else mean_quantum(data, record.n_combined)
    counted = {
        colour: replace(histogram, quantum=quantum)
        for colour, histogram in _histograms(data, pattern).items()
    }
    return Plane(record.sha256, plane, pyramid, counted)


def read_papers(library: Library, record: MasterRecord) -> Papers:
    """Read header, inputs and history.

    Raises
    ------
    FileProblemError
        The file is gone or damaged.
    """
    headers = library.cards(record.sha256)
    cards = tuple(CardRow(*card) for card in headers[0][1]) if headers else ()
    history = tuple(
        (f"{d.at:%Y-%m-%d %H:%M}", str(d.what), d.reason) for d in library.history(record.sha256)
    )
    master = library.open_master(record.sha256)
    maps = tuple(m for m in REJECTED_PLANES if master.has_plane(m))
    return Papers(record.sha256, cards, master.inputs, history, maps)


def _histograms(data: NDArray[np.float32], bayer: str | None) -> dict[str, Histogram]:
    return channel_histograms(data, bayer) if bayer else {"": region_histogram(data)}


def unit_of(record: MasterRecord, plane: str) -> str:
    """Return the unit of a plane's values."""
    if plane in _COUNTS:
        return ""
    return unit_text(record.unit)


def axis_of(record: MasterRecord, plane: str) -> str:
    """Return what the axis of a plane's histogram says."""
    unit = unit_of(record, plane)
    if plane == "CNT":
        return "Values kept"
    if plane in REJECTED:
        return f"Values rejected {REJECTED[plane].lower()}"
    if plane == "UNC":
        return f"Uncertainty [{unit}]" if unit else "Uncertainty"
    return f"Level [{unit}]" if unit else f"{kind_title(record.kind)} value"
