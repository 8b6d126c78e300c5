"""Master files read back: the record from the file alone, planes when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.detectors import REJECTED_PLANES, described, plane_name
from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.master import InputRecord, MasterRecord
from calibstudio.domain.pixels import RowSource
from calibstudio.domain.quality import Assessment, Metric, Verdict
from calibstudio.store.codec import (
    finding_of,
    from_exact_ascii,
    key_from_json,
    utc_time,
)
from calibstudio.store.fits_cards import BLOCK
from calibstudio.store.header_bytes import read_fits
from calibstudio.store.master_cards import (
    Combined,
    normval_keyword,
    used_from,
    values_from,
)
from calibstudio.store.master_fits import FINDING_TEXTS, METRIC_TEXTS, PROVENANCE
from calibstudio.store.pixels import image_names, open_rows, read_image
from calibstudio.store.plain_texts import row_texts
from calibstudio.store.publish import sha256_of

_PLANES = ("UNC", "CNT", "BPM", *REJECTED_PLANES)


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

    def rows(self, which: str, detector: str) -> RowSource | None:
        """Return a plane of a detector for reading in bands, or with an empty ``which`` its image.

        None where the file has no such plane.
        """
        full = plane_name(detector, which) if which else detector
        return open_rows(self.path, full) if full in self.planes else None


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
    if not any(h.name == PROVENANCE for h in hdus):
        return ""
    return "".join(str(row["TEXT"]).removesuffix("|") for row in hdus[PROVENANCE].data)


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
            texts = row_texts(row, [w.upper() for w in METRIC_TEXTS])
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
        words = [w.upper() for w in FINDING_TEXTS]
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


def check_unchanged(record: MasterRecord) -> None:
    """Refuse a master whose bytes are not those that it was filed with.

    Raises
    ------
    FileProblemError
        It was changed, or cannot be read.
    """
    try:
        same = sha256_of(record.path) == record.sha256
    except OSError as error:
        raise FileProblemError(f"{record.path} cannot be read: {error}.") from error
    if not same:
        raise FileProblemError(
            f"{record.path.name} was changed since it was made.",
            hint="Run calibstudio library verify.",
        )
