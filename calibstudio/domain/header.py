"""What a frame says about itself, normalised: one record whatever program wrote the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType

from calibstudio.domain.kinds import kind_word

_EMPTY: Mapping[str, str] = MappingProxyType({})

HeaderValue = str | int | float | tuple[int, ...] | date | datetime
"""Types a normalised value may have."""

LONGEST_EXPOSURE_S = 1e7
"""Four months: a longer exposure is a damaged number."""
FIRST_YEAR, LAST_YEAR = 1900, 2199
"""Frames of other years are damaged dates (and dates near the ends of the calendar overflow)."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The normalised header of one file. ``None`` means unknown, never zero and never equal.

    Field names are the JSON words of the command line; units are in the names.
    """

    path: Path
    kind: str | None = None
    """``bias``, ``dark``, ``flat``, ``dark flat``, ``light`` or the file's own word."""
    is_master: bool = False
    exposure_s: float | None = None
    gain: float | None = None
    """The camera's gain setting (not e-/ADU)."""
    offset: float | None = None
    egain_e_per_adu: float | None = None
    set_temp_c: float | None = None
    sensor_temp_c: float | None = None
    binning: tuple[int, int] | None = None
    """(x, y)."""
    region: tuple[int, int, int, int] | None = None
    """(x, y, width, height) in binned pixels as stored, 0-based."""
    shape: tuple[int, int] | None = None
    """(rows, columns) of the first image."""
    filter: str | None = None
    night: date | None = None
    """Local date from noon to noon at the site."""
    camera: str | None = None
    serial: str | None = None
    readout_mode: str | None = None
    bayer: str | None = None
    """Pattern of the stored rows (offsets and row order applied), as ``RGGB``; None for mono."""
    telescope: str | None = None
    focal_length_mm: float | None = None
    rotator_deg: float | None = None
    observed_utc: datetime | None = None
    """Start of exposure, with zone UTC."""
    object_name: str | None = None
    software: str | None = None
    pixel_size_um: float | None = None
    row_order: str | None = None
    saturation_adu: float | None = None
    """What the header says saturates (SATURATE, DATAMAX), in ADU."""
    unit: str = ""
    """Of the pixels, where it is not ADU: ``e⁻``, ``e⁻/s`` or ``ADU/s``."""
    pedestal_adu: float = 0.0
    """To be added to the stored values to undo a PEDESTAL card."""
    calibrated: str = ""
    """Empty for a raw frame; otherwise what was done to it, in words."""
    images: tuple[str, ...] = ("",)
    """Names of the image HDUs, in order; ``""`` is the primary. Empty: no image in the file."""
    detectors: str | None = None
    """Of a file with several images: which detectors it holds, and their sizes (to compare)."""
    sections: str = ""
    """Where the header says that data and overscan lie; empty when it says nothing."""
    exposures: int = 1
    """Exposures in the file; more than one is a film (SER)."""
    planes: int = 1
    """Colour planes of the first image; raw frames have one."""
    path_kind: str | None = None
    """The kind that the names of file and folders say, where the header says another."""
    path_time: datetime | None = None
    """A date with a time of day in the names, where no card says when the frame was taken; with
    zone UTC where the name says so, else without a zone."""
    damage: str = ""
    """Why the file cannot be stacked although its header was read; empty for a whole file."""
    site_longitude_deg: float | None = None
    """East positive, as the header says it."""
    file_bytes: int = 0
    file_mtime_ns: int = 0
    origin: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """For each field that is set, where it came from: ``EXPTIME card``, ``path``, ``corrected``."""
    notes: tuple[str, ...] = ()
    """Disagreements and surprises, one sentence each."""

    @property
    def kind_word(self) -> str | None:
        """The JSON word for the kind, with ``master `` before it for masters."""
        return None if self.kind is None else kind_word(self.kind, is_master=self.is_master)

    def values(self) -> dict[str, HeaderValue]:
        """Return what is known under its JSON word (see `JSON_WORDS`), in a fixed order."""
        return {
            word: value
            for word in JSON_WORDS
            if (value := getattr(self, word)) is not None and value != ""
        }


JSON_WORDS = (
    "exposure_s",
    "gain",
    "offset",
    "egain_e_per_adu",
    "set_temp_c",
    "sensor_temp_c",
    "binning",
    "region",
    "shape",
    "filter",
    "night",
    "camera",
    "serial",
    "readout_mode",
    "bayer",
    "telescope",
    "focal_length_mm",
    "rotator_deg",
    "observed_utc",
)
"""The words of the command-line contract, in the order they are shown."""


def json_value(value: object) -> object:
    """Turn a header value into what JSON carries: binning ``"1x1"``, ISO dates and times in UTC."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        if len(value) == 2 and all(isinstance(v, int) for v in value):
            return f"{value[0]}x{value[1]}"
        return ",".join(str(v) for v in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value
