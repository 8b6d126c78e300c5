"""Master files: written so that any FITS program opens them.

One sensor: the image is in the primary HDU, with ``UNC``, ``CNT`` and where made ``BPM`` behind
it. Several detectors: one image extension each under the input's EXTNAME, with ``X_UNC``,
``X_CNT``, ``X_BPM``. ``INPUTS`` names every frame offered; ``QC`` and ``FINDINGS`` hold the
measurements in full. No wall-clock time is written: the same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import MEANING
from calibstudio.domain.detectors import REJECTED_PLANES, plane_name
from calibstudio.domain.master import InputRecord
from calibstudio.domain.planes import bands
from calibstudio.domain.quality import Assessment
from calibstudio.store.card_writer import ascii_text
from calibstudio.store.codec import (
    exact_ascii,
    utc_text,
)
from calibstudio.store.fits_units import ImageUnit, image_unit, write_units
from calibstudio.store.master_cards import (
    Card,
    MasterContent,
    master_cards,
    normval_cards,
)
from calibstudio.store.plain_texts import text_columns
from calibstudio.store.publish import publish_file

Rejected = tuple[NDArray[np.uint16], NDArray[np.uint16]]
"""Number of values rejected low and high at each pixel."""
PROVENANCE = "PROVENANCE"
_LINE = 120
METRIC_TEXTS = ("name", "label", "unit", "why")
FINDING_TEXTS = ("verdict", "title", "what", "cause", "cure", "metric")


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """The planes of one detector, all of one shape (ny, nx)."""

    name: str
    """EXTNAME; empty for the only sensor, whose image is in the primary HDU."""
    image: NDArray[np.float32]
    unc: NDArray[np.float32]
    cnt: NDArray[np.uint16]
    bpm: NDArray[np.uint8] | None = None
    """Bits of `Defect`; None when there is no such pixel."""
    normval: tuple[float, ...] = ()
    """What the image was divided by: empty, one, or one for each place of the 2x2 cell."""
    by_region: bool = False
    """``normval`` is of the regions of a mask."""
    normval_unit: str = "adu"
    cards: tuple[Card, ...] = ()
    """Cards of this extension's own."""
    rejected: Rejected | None = None
    """Where the recipe asks for these planes."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where a master is, and whether it was there before."""

    path: Path
    new: bool
    sha256: str
    """Of its bytes."""


def publish_units(path: Path, units: Sequence[Any]) -> Written:
    """Write units as a file, or find that it is already there with the same bytes."""
    digests: list[str] = []
    new = publish_file(path, lambda part: digests.append(write_units(part, units)))
    return Written(path, new, digests[0])


def write_master(path: Path, content: MasterContent, detectors: Sequence[Detector]) -> Written:
    """Write a master, or find that it is already there with the same bytes.

    Raises
    ------
    WriteProblemError
        The disk is full, there is no permission, or the name is taken by other content.
    ValueError
        Without detectors, or with planes of different shapes (a programming error).
    """
    if not detectors or any(
        plane.shape != d.image.shape for d in detectors for plane in (d.unc, d.cnt)
    ):
        raise ValueError("a master needs detectors whose planes have one shape")
    single = len(detectors) == 1 and not detectors[0].name
    own = [*_normval_cards(detectors[0]), *detectors[0].cards] if single else []
    units = [primary_unit(content, detectors[0].image if single else None, own)]
    for detector in detectors:
        units += _detector_units(detector, content.unit, with_image=not single)
    return publish_units(path, with_tables(content, units))


def primary_unit(content: MasterContent, data: NDArray[Any] | None, own: Sequence[Card]) -> Any:
    """Make the first unit: what a master says about itself, and its image where it has one."""
    from astropy.io import fits

    hdu = fits.PrimaryHDU() if data is None else image_unit(data, primary=True)
    append_cards(hdu.header, [*master_cards(content), *own])
    for sentence in content.history:
        for line in wrap(ascii_text(sentence), 72, subsequent_indent="  ", break_on_hyphens=False):
            hdu.header.add_history(line)
    return hdu


def with_tables(content: MasterContent, units: Sequence[Any]) -> list[Any]:
    """Return the units of a master with its inputs and measurements behind them."""
    whole = [*units, _inputs_table(content.inputs), *_quality_tables(content.assessment)]
    if content.provenance:
        lines = wrap_exactly(content.provenance)
        whole.append(table_hdu(PROVENANCE, [("TEXT", "T", None, lines)]))
    return whole


def _normval_cards(detector: Detector) -> list[Card]:
    return normval_cards(detector.normval, by_region=detector.by_region, unit=detector.normval_unit)


def wrap_exactly(text: str) -> list[str]:
    """Cut text into lines of a table, each closed with ``|``: FITS drops spaces at the end."""
    return [f"{text[i : i + _LINE]}|" for i in range(0, len(text), _LINE)]


def append_cards(header: Any, cards: Sequence[Card]) -> None:
    """Add cards; a keyword that is there already is left as it is, the first one wins."""
    for keyword, value, comment in cards:
        if keyword not in header:
            room = 80 - 33 if not isinstance(value, str) else max(0, 80 - 15 - len(value))
            header.append((keyword, value, comment[:room]), end=True)


def named_unit(data: NDArray[Any], name: str, dtype: Any = None) -> ImageUnit:
    """Make an image extension. astropy's own ``name`` would be in capitals; names stay as read."""
    unit = image_unit(data, dtype)
    extname, _, extver = name.partition(",")
    unit.header["EXTNAME"] = extname
    if extver:
        unit.header["EXTVER"] = int(extver)
    return unit


def _detector_units(detector: Detector, unit: str, *, with_image: bool) -> list[Any]:
    def named(which: str) -> str:
        return plane_name(detector.name, which)

    units = []
    if with_image:
        image = named_unit(detector.image, detector.name)
        append_cards(image.header, [("BUNIT", unit, "unit of the pixels")])
        append_cards(image.header, [*_normval_cards(detector), *detector.cards])
        units.append(image)
    unc = named_unit(detector.unc, named("UNC"))
    append_cards(unc.header, [("BUNIT", unit, "1 sigma of the pixel of the master")])
    most = max(int(detector.cnt[rows].max(initial=0)) for rows in bands(detector.cnt))
    count_type = np.int16 if most < 2**15 else np.int32
    cnt = named_unit(detector.cnt, named("CNT"), count_type)
    append_cards(cnt.header, [("BUNIT", "count", "values kept")])
    units += [unc, cnt]
    for which, counts in zip(REJECTED_PLANES, detector.rejected or (), strict=False):
        plane = named_unit(counts, named(which), count_type)
        append_cards(plane.header, [("BUNIT", "count", f"values rejected {which[4:].lower()}")])
        units.append(plane)
    if detector.bpm is not None:
        bpm = named_unit(detector.bpm, named("BPM"))
        append_cards(bpm.header, bit_cards(detector.bpm))
        units.append(bpm)
    return units


def bit_cards(flags: NDArray[Any]) -> list[Card]:
    """Return what the bits that are set mean: BPM1, BPM2, BPM4, ..."""
    used = 0
    for rows in bands(flags):
        used |= int(np.bitwise_or.reduce(flags[rows], axis=None, initial=0))
    return [
        (f"BPM{int(bit)}", text, f"meaning of bit {int(bit).bit_length() - 1}")
        for bit, text in MEANING.items()
        if used & bit
    ]


def table_hdu(name: str, columns: Sequence[tuple[str, str, str | None, Sequence[Any]]]) -> Any:
    """Make a table of (name, format, unit, values).

    Texts get the width they need: ``T`` is ASCII already, ``A`` is escaped where it is not.
    """
    from astropy.io import fits

    made = []
    for title, form, unit, values in columns:
        if form in ("A", "T"):
            texts = [str(v) if form == "T" else exact_ascii(str(v)) for v in values]
            width = max([1, *(len(t) for t in texts)])
            made.append(fits.Column(title, f"{width}A", array=np.array(texts, dtype=f"S{width}")))
        else:
            made.append(fits.Column(title, form, unit=unit, array=np.array(values)))
    return fits.BinTableHDU.from_columns(made, name=name)


def _inputs_table(inputs: Sequence[InputRecord]) -> Any:
    def numbers(name: str) -> list[float]:
        return [nan if (v := getattr(r, name)) is None else float(v) for r in inputs]

    times = ["" if r.observed_utc is None else utc_text(r.observed_utc) for r in inputs]
    return table_hdu(
        "INPUTS",
        [
            ("FILE", "A", None, [r.file for r in inputs]),
            ("SHA256", "A", None, [r.sha256 for r in inputs]),
            ("DATE-OBS", "A", None, times),
            ("EXPTIME", "D", "s", numbers("exposure_s")),
            ("CCD-TEMP", "D", "deg C", numbers("sensor_temp_c")),
            ("LEVEL", "D", "adu", numbers("level_adu")),
            ("SCALE", "D", None, numbers("scale")),
            ("REJFRAC", "D", None, numbers("rejected_fraction")),
            ("REJLOW", "K", None, [r.rejected_low or 0 for r in inputs]),
            ("REJHIGH", "K", None, [r.rejected_high or 0 for r in inputs]),
            ("WEIGHT", "D", None, numbers("weight")),
            ("USED", "L", None, [r.used for r in inputs]),
            *text_columns({"REASON": [r.reason for r in inputs]}),
        ],
    )


def _quality_tables(assessment: Assessment) -> list[Any]:
    metrics, findings = assessment.metrics, assessment.findings
    tables = []
    if metrics:
        texts = {w.upper(): [getattr(m, w) for m in metrics] for w in METRIC_TEXTS}
        name, label, unit, why, *exact = text_columns(texts)
        columns: list[tuple[str, str, str | None, Sequence[Any]]] = [
            name,
            label,
            ("VALUE", "D", None, [nan if m.value is None else m.value for m in metrics]),
            unit,
            ("VERDICT", "A", None, [m.verdict or "" for m in metrics]),
            why,
            ("WARN", "D", None, [nan if m.warn is None else m.warn for m in metrics]),
            ("BAD", "D", None, [nan if m.bad is None else m.bad for m in metrics]),
            ("DECIMALS", "J", None, [-1 if m.decimals is None else m.decimals for m in metrics]),
            *exact,
        ]
        tables.append(table_hdu("QC", columns))
    if findings:
        said = {w.upper(): [str(getattr(f, w)) for f in findings] for w in FINDING_TEXTS}
        tables.append(table_hdu("FINDINGS", text_columns(said)))
    return tables
