"""Master files: written so that any FITS program opens them, and read back from the file alone.

One sensor: the image is in the primary HDU, with ``UNC``, ``CNT`` and where made ``BPM`` behind
it. Several detectors: one image extension each under the input's EXTNAME, with ``X_UNC``,
``X_CNT``, ``X_BPM``. ``INPUTS`` names every frame offered; ``QC`` and ``FINDINGS`` hold the
measurements in full. No wall-clock time is written: the same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan, nan
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import MEANING
from calibstudio.domain.detectors import REJECTED_PLANES, described, plane_name
from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.master import InputRecord, MasterRecord
from calibstudio.domain.quality import Assessment, Metric, Verdict
from calibstudio.store.card_writer import ascii_text
from calibstudio.store.codec import (
    exact_ascii,
    finding_of,
    from_exact_ascii,
    key_from_json,
    utc_text,
    utc_time,
)
from calibstudio.store.fits_cards import BLOCK
from calibstudio.store.header_bytes import read_fits
from calibstudio.store.master_cards import (
    Card,
    Combined,
    MasterContent,
    master_cards,
    normval_cards,
    normval_keyword,
    used_from,
    values_from,
)
from calibstudio.store.pixels import image_names, read_image
from calibstudio.store.plain_texts import row_texts, text_columns
from calibstudio.store.publish import publish_file, sha256_of

_PLANES = ("UNC", "CNT", "BPM", *REJECTED_PLANES)
Rejected = tuple[NDArray[np.uint16], NDArray[np.uint16]]
"""Number of values rejected low and high at each pixel."""
_TABLES = ("INPUTS", "QC", "FINDINGS", "DEFECTS")
_PROVENANCE = "PROVENANCE"
_LINE = 120
_METRIC_TEXTS = ("name", "label", "unit", "why")
_FINDING_TEXTS = ("verdict", "title", "what", "cause", "cure", "metric")


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
    return Written(path, publish_file(path, lambda part: _write(part, content, detectors)))


def _write(path: Path, content: MasterContent, detectors: Sequence[Detector]) -> None:
    single = len(detectors) == 1 and not detectors[0].name
    own = [*_normval_cards(detectors[0]), *detectors[0].cards] if single else []
    hdus = [primary_hdu(content, detectors[0].image if single else None, own)]
    for detector in detectors:
        hdus += _detector_hdus(detector, content.unit, with_image=not single)
    save_hdus(path, content, hdus)


def primary_hdu(content: MasterContent, data: NDArray[Any] | None, own: Sequence[Card]) -> Any:
    """Make the first HDU: what a master says about itself, and its image where it has one."""
    from astropy.io import fits

    hdu = fits.PrimaryHDU(data)
    append_cards(hdu.header, [*master_cards(content), *own])
    for sentence in content.history:
        for line in wrap(ascii_text(sentence), 72, subsequent_indent="  ", break_on_hyphens=False):
            hdu.header.add_history(line)
    return hdu


def save_hdus(path: Path, content: MasterContent, hdus: Sequence[Any]) -> None:
    """Write the HDUs of a master, with its inputs and measurements behind them."""
    from astropy.io import fits

    whole = [*hdus, _inputs_table(content.inputs), *_quality_tables(content.assessment)]
    if content.provenance:
        lines = wrap_exactly(content.provenance)
        whole.append(table_hdu(_PROVENANCE, [("TEXT", "T", None, lines)]))
    for hdu in whole:
        # astropy would write the time of day into these comments.
        hdu.add_checksum(when="of this HDU")
    fits.HDUList(whole).writeto(path, checksum=False)


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


def image_hdu(data: NDArray[Any], name: str) -> Any:
    """Make an image extension. astropy's own ``name`` would be in capitals; names stay as read."""
    from astropy.io import fits

    hdu = fits.ImageHDU(data)
    extname, _, extver = name.partition(",")
    hdu.header["EXTNAME"] = extname
    if extver:
        hdu.header["EXTVER"] = int(extver)
    return hdu


def _detector_hdus(detector: Detector, unit: str, *, with_image: bool) -> list[Any]:
    def named(which: str) -> str:
        return plane_name(detector.name, which)

    hdus = []
    if with_image:
        image = image_hdu(detector.image, detector.name)
        append_cards(image.header, [("BUNIT", unit, "unit of the pixels")])
        append_cards(image.header, [*_normval_cards(detector), *detector.cards])
        hdus.append(image)
    unc = image_hdu(detector.unc, named("UNC"))
    append_cards(unc.header, [("BUNIT", unit, "1 sigma of the pixel of the master")])
    count_type = np.int16 if int(detector.cnt.max(initial=0)) < 2**15 else np.int32
    cnt = image_hdu(detector.cnt.astype(count_type), named("CNT"))
    append_cards(cnt.header, [("BUNIT", "count", "values kept")])
    hdus += [unc, cnt]
    for which, counts in zip(REJECTED_PLANES, detector.rejected or (), strict=False):
        hdu = image_hdu(counts.astype(count_type), named(which))
        append_cards(hdu.header, [("BUNIT", "count", f"values rejected {which[4:].lower()}")])
        hdus.append(hdu)
    if detector.bpm is not None:
        bpm = image_hdu(detector.bpm, named("BPM"))
        append_cards(bpm.header, bit_cards(detector.bpm))
        hdus.append(bpm)
    return hdus


def bit_cards(flags: NDArray[Any]) -> list[Card]:
    """Return what the bits that are set mean: BPM1, BPM2, BPM4, ..."""
    used = int(np.bitwise_or.reduce(flags, axis=None)) if flags.size else 0
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
        texts = {w.upper(): [getattr(m, w) for m in metrics] for w in _METRIC_TEXTS}
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
        said = {w.upper(): [str(getattr(f, w)) for f in findings] for w in _FINDING_TEXTS}
        tables.append(table_hdu("FINDINGS", text_columns(said)))
    return tables


@dataclass(frozen=True, slots=True)
class MasterPixels:
    """The planes of a master file, read when they are asked for."""

    path: Path
    planes: tuple[str, ...]
    """EXTNAMEs of all image HDUs, the primary as an empty name."""

    @property
    def detectors(self) -> tuple[str, ...]:
        """EXTNAMEs of the images; ``("",)`` for one sensor."""
        return tuple(name for name in self.planes if not _is_plane(name, self.planes))

    def image(self, detector: str | None = None) -> NDArray[np.float32]:
        """Return the image of a detector (the first by default), shape (ny, nx), float32."""
        name = self.detectors[0] if detector is None else detector
        return np.asarray(read_image(self.path, name), dtype=np.float32)

    def plane(self, which: str, detector: str | None = None) -> NDArray[Any] | None:
        """Return ``UNC``, ``CNT``, ``BPM``, ``REJ_LOW`` or ``REJ_HIGH``; None for none."""
        name = self.detectors[0] if detector is None else detector
        full = plane_name(name, which)
        return read_image(self.path, full) if full in self.planes else None


def open_pixels(path: Path) -> MasterPixels:
    """Open the planes of a master without reading what it says about itself.

    Raises
    ------
    FileProblemError
        If it cannot be read.
    """
    return MasterPixels(path, image_names(path))


@dataclass(frozen=True)
class MasterFile:
    """A master file: its record at once, its planes when they are asked for."""

    record: MasterRecord
    inputs: tuple[InputRecord, ...]
    detectors: tuple[str, ...]
    """EXTNAMEs of the images; ``("",)`` for one sensor."""
    combined: Combined
    history: tuple[str, ...]
    planes: tuple[str, ...]
    """EXTNAMEs of all image HDUs, the primary as an empty name."""
    normval: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By detector: what the image was divided by."""
    provenance: str = ""
    """How it was made, as `MasterContent.provenance`; empty in files of earlier versions."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.record.path

    def image(self, detector: str | None = None) -> NDArray[np.float32]:
        """Return the image of a detector (the first by default), shape (ny, nx), float32."""
        return MasterPixels(self.path, self.planes).image(detector)

    def has_plane(self, which: str) -> bool:
        """Whether the file has this plane of its first detector."""
        return plane_name(self.detectors[0], which) in self.planes

    def plane(self, which: str, detector: str | None = None) -> NDArray[Any] | None:
        """Return ``UNC``, ``CNT`` or ``BPM`` of a detector; None when the file has none."""
        return MasterPixels(self.path, self.planes).plane(which, detector)

    @cached_property
    def verdict_words(self) -> str:
        """The verdict and the sentence that decides it."""
        finding = self.record.assessment.worst_finding
        return self.record.verdict.value + (f": {finding.what}" if finding else "")


def read_master(path: Path, *, sha256: str | None = None) -> MasterFile:
    """Read a master's record from its file alone.

    Parameters
    ----------
    path
        A master that `write_master` made.
    sha256
        Of the whole file, where the caller knows it; otherwise the file is read through.

    Raises
    ------
    FileProblemError
        The file cannot be read, is damaged, or is no master of this program.
    """
    from astropy.io import fits

    try:
        _check_whole(path)
        digest = sha256 or sha256_of(path)
        with fits.open(path, memmap=False, lazy_load_hdus=True) as hdus:
            return _read(path, digest, hdus)
    except FileProblemError:
        raise
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        if isinstance(error, FileNotFoundError):
            raise FileProblemError(
                f"{path} is not there.", hint="It may have been moved; look for it."
            ) from error
        raise FileProblemError(
            f"{path} cannot be read as a master: {error}.",
            hint="Restore it from a backup, or build it again.",
        ) from error


def _check_whole(path: Path) -> None:
    """Refuse a file that ends too early; astropy would only warn."""
    size = path.stat().st_size
    with path.open("rb") as file:
        damage = read_fits(path, file, size).damage
    if damage or size % BLOCK:
        damage = damage or f"It is cut off: {size} bytes are no whole number of FITS blocks."
        raise FileProblemError(
            f"{path} is damaged. {damage}", hint="Restore it from a backup, or build it again."
        )


def _read(path: Path, digest: str, hdus: Any) -> MasterFile:
    header = hdus[0].header
    cards = dict(header)
    if not str(cards.get("CAL_SOFT", "")).startswith("CalibStudio") or "GROUPKEY" not in cards:
        raise FileProblemError(
            f"{path} is not a master that CalibStudio made.",
            hint="Masters of other programs cannot be filed yet; stack their frames again.",
        )
    images = [h for h in hdus if h.is_image and h.header.get("NAXIS", 0) >= 2]
    planes = image_names(path)
    detectors = MasterPixels(path, planes).detectors
    inputs = _inputs_from(hdus["INPUTS"].data)
    first = images[0].header
    key = key_from_json(cards["GROUPKEY"])
    values = values_from(cards, key, (int(first["NAXIS2"]), int(first["NAXIS1"])))
    axes = [(int(h.header["NAXIS2"]), int(h.header["NAXIS1"])) for h in images]
    shapes = dict(zip(planes, axes, strict=False))
    several = described(detectors, [shapes.get(n) for n in detectors])
    if several is not None:
        values["detectors"] = several
    starts = [r.observed_utc for r in inputs if r.used and r.observed_utc is not None]
    record = MasterRecord(
        sha256=digest,
        path=path,
        kind=str(cards["IMAGETYP"]).lower().removeprefix("master ").strip(),
        key=key,
        n_frames=int(cards["NFRAMES"]),
        n_combined=int(cards["NCOMBINE"]),
        unit=str(cards["BUNIT"]),
        bias_subtracted=bool(cards["BIASSUB"]),
        dark_subtracted=bool(cards["DARKSUB"]),
        observed_first_utc=min(starts, default=None),
        observed_last_utc=max(starts, default=None),
        assessment=_assessment_from(hdus),
        used=used_from(cards),
        recipe=str(cards["RECIPE"]),
        software=str(cards["CAL_SOFT"]),
        values=values,
    )
    return MasterFile(
        record,
        inputs,
        detectors,
        Combined(
            str(cards["COMBTYPE"]),
            str(cards["REJTYPE"]),
            cards.get("REJLOW"),
            cards.get("REJHIGH"),
            str(cards["NORMTYPE"]),
            cards.get("REJFLOOR"),
        ),
        _sentences(str(line) for line in header.get("HISTORY", [])),
        planes,
        {
            name: _normval_from(dict(hdu.header))
            for name, hdu in zip(planes, images, strict=True)
            if name in detectors
        },
        _provenance_from(hdus),
    )


def _provenance_from(hdus: Any) -> str:
    if not any(h.name == _PROVENANCE for h in hdus):
        return ""
    return "".join(str(row["TEXT"]).removesuffix("|") for row in hdus[_PROVENANCE].data)


def _sentences(lines: Iterable[str]) -> tuple[str, ...]:
    """Join lines of HISTORY: one that begins with two spaces goes on with the one before."""
    joined: list[str] = []
    for line in lines:
        if joined and line.startswith("  "):
            joined[-1] += line[1:]
        else:
            joined.append(line)
    return tuple(joined)


def _is_plane(name: str, names: tuple[str, ...]) -> bool:
    """Whether an image is UNC, CNT or BPM of another image of the file."""
    return any(name == plane_name(of, which) for of in names for which in _PLANES)


def _normval_from(cards: Mapping[str, Any]) -> tuple[float, ...]:
    if "NORMVAL" in cards:
        return (float(cards["NORMVAL"]),)
    return tuple(float(cards[k]) for i in range(1, 100) if (k := normval_keyword(i)) in cards)


def _inputs_from(table: Any) -> tuple[InputRecord, ...]:
    def number(value: Any) -> float | None:
        return None if isnan(float(value)) else float(value)

    names = set(table.names)

    def whole(row: Any, name: str) -> int | None:
        return int(row[name]) if name in names and bool(row["USED"]) else None

    return tuple(
        InputRecord(
            file=from_exact_ascii(str(row["FILE"])),
            sha256=str(row["SHA256"]),
            observed_utc=utc_time(str(row["DATE-OBS"])) if str(row["DATE-OBS"]) else None,
            exposure_s=number(row["EXPTIME"]),
            sensor_temp_c=number(row["CCD-TEMP"]),
            level_adu=number(row["LEVEL"]),
            scale=number(row["SCALE"]),
            rejected_fraction=number(row["REJFRAC"]),
            used=bool(row["USED"]),
            reason=row_texts(row, ("REASON",))["REASON"],
            rejected_low=whole(row, "REJLOW"),
            rejected_high=whole(row, "REJHIGH"),
            weight=number(row["WEIGHT"]) if "WEIGHT" in names else None,
        )
        for row in table
    )


def _assessment_from(hdus: Any) -> Assessment:
    metrics, findings = [], []
    names = {h.name for h in hdus}
    if "QC" in names:
        for row in hdus["QC"].data:
            texts = row_texts(row, [w.upper() for w in _METRIC_TEXTS])
            numbers = [float(row[k]) for k in ("VALUE", "WARN", "BAD")]
            value, warn, bad = (None if isnan(n) else n for n in numbers)
            decimals = None if int(row["DECIMALS"]) < 0 else int(row["DECIMALS"])
            verdict = str(row["VERDICT"])
            metrics.append(
                Metric(
                    texts["NAME"],
                    texts["LABEL"],
                    value,
                    texts["UNIT"],
                    Verdict(verdict) if verdict else None,
                    texts["WHY"],
                    warn,
                    bad,
                    decimals,
                )
            )
    if "FINDINGS" in names:
        words = [w.upper() for w in _FINDING_TEXTS]
        findings = [finding_of(row_texts(r, words).values()) for r in hdus["FINDINGS"].data]
    return Assessment(tuple(metrics), tuple(findings))


def header_of(path: Path) -> tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]:
    """Return all headers for display: (EXTNAME, ((keyword, value, comment), ...)) of each HDU.

    Raises
    ------
    FileProblemError
        If the file cannot be read.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            return tuple(
                (
                    "" if i == 0 else str(hdu.name),
                    tuple((c.keyword, str(c.value), c.comment) for c in hdu.header.cards),
                )
                for i, hdu in enumerate(hdus)
            )
    except OSError as error:
        raise FileProblemError(f"{path} cannot be read: {error}.") from error
