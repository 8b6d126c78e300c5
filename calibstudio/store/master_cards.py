"""The cards of a master file: what is written about a master, and read back from it.

One table connects the words of the product with FITS keywords, so that writing and reading
cannot drift apart. Cards are plain tuples here; `master_fits` turns them into a header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import isfinite

from calibstudio.domain.header import HeaderValue
from calibstudio.domain.kinds import BPM
from calibstudio.domain.master import InputRecord, UsedMaster
from calibstudio.domain.quality import Assessment, Metric
from calibstudio.store.card_writer import ascii_text
from calibstudio.store.codec import key_to_json, utc_text

CardValue = str | int | float | bool
Card = tuple[str, CardValue, str]
"""Keyword, value, comment; ASCII alone."""

WORD_CARDS: dict[str, tuple[str, str]] = {
    "camera": ("INSTRUME", "camera"),
    "serial": ("SERIALNO", "serial number of the camera"),
    "telescope": ("TELESCOP", "telescope"),
    "readout_mode": ("READOUTM", "read-out mode"),
    "gain": ("GAIN", "gain setting of the camera"),
    "egain_e_per_adu": ("EGAIN", "[e-/adu] conversion gain"),
    "offset": ("OFFSET", "offset setting of the camera"),
    "exposure_s": ("EXPTIME", "[s] exposure"),
    "set_temp_c": ("SET-TEMP", "[deg C] set temperature"),
    "sensor_temp_c": ("CCD-TEMP", "[deg C] sensor temperature"),
    "filter": ("FILTER", "filter"),
    "focal_length_mm": ("FOCALLEN", "[mm] focal length"),
    "rotator_deg": ("ROTATANG", "[deg] rotator angle"),
    "pixel_size_um": ("XPIXSZ", "[um] pixel size, binned"),
    "object_name": ("OBJECT", "object"),
}
"""Words whose value is one card of the same type."""

NIGHT = ("NIGHT", "observing night, noon to noon at the site")
_USED_CARDS = {
    "bias": ("CAL_BIAS", "CALBSHA", "CALBKIND"),
    "dark": ("CAL_DARK", "CALDSHA", "CALDKIND"),
    "flat": ("CAL_FLAT", "CALFSHA", "CALFKIND"),
}
_SLOT = {"dark flat": "dark"}
"""A dark flat stands where a dark stands; CALDKIND says what it is."""


@dataclass(frozen=True, slots=True)
class Combined:
    """How the frames were combined, as it was done (not as it was asked for)."""

    combine: str
    reject: str
    low: float | None = None
    high: float | None = None
    normalize: str = "none"
    floor_adu: float | None = None
    """Least sigma of the rule; None where it has none, or another for each detector."""


@dataclass(frozen=True, slots=True)
class MasterContent:
    """Everything a master file says beside its pixels."""

    kind: str
    """Without ``master ``."""
    key: Mapping[str, HeaderValue]
    """Of its group, by JSON word."""
    values: Mapping[str, HeaderValue]
    """The common value of the frames used, or the mean where numbers vary, by JSON word."""
    inputs: tuple[InputRecord, ...]
    combined: Combined
    unit: str
    """BUNIT."""
    bias_subtracted: bool
    dark_subtracted: bool = False
    used: tuple[UsedMaster, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Least and greatest value of numbers that vary."""
    copied: tuple[Card, ...] = ()
    """Other cards on which the frames used agree (site, Bayer offsets, row order)."""
    infobits: int = 0
    bit_meanings: tuple[str, ...] = ()
    """One sentence for each bit, from bit 0."""
    assessment: Assessment = field(default_factory=Assessment)
    recipe: str = "default"
    software: str = ""
    """Program and version."""
    history: tuple[str, ...] = ()
    provenance: str = ""
    """ASCII text from which the master can be made again; empty for none."""

    @property
    def frames(self) -> tuple[InputRecord, ...]:
        """The inputs that were combined."""
        return tuple(record for record in self.inputs if record.used)


def master_cards(content: MasterContent) -> list[Card]:
    """Return the cards of the primary header, without structure and HISTORY."""
    return [
        ("IMAGETYP", f"Master {_title(content.kind)}", "kind of frame"),
        *_value_cards(content),
        *_time_cards(content),
        *_cleaned(content.copied),
        *_combination_cards(content),
        *_algebra_cards(content),
        *_quality_cards(content),
        ("RECIPE", ascii_text(content.recipe), "recipe"),
        ("GROUPKEY", key_to_json(content.key), "what the inputs share"),
        ("CAL_SOFT", ascii_text(content.software), "made by"),
    ]


def _title(kind: str) -> str:
    return BPM.upper() if kind == BPM else ascii_text(kind).title()


def normval_cards(
    normval: tuple[float, ...], *, by_region: bool = False, unit: str = "adu"
) -> list[Card]:
    """Return NORMVAL, or NORMVAL1, 2, ... by place of the 2x2 cell or by region of a mask."""
    of = f"[{unit}] " if unit else ""
    if len(normval) == 1 and not by_region:
        return [("NORMVAL", normval[0], f"{of}the image was divided by this")]
    places = ("row 0, column 0", "row 0, column 1", "row 1, column 0", "row 1, column 1")
    return [
        (
            normval_keyword(i + 1),
            value,
            f"{of}divisor of " + (f"region {i + 1}" if by_region else f"even/odd {places[i]}"),
        )
        for i, value in enumerate(normval)
    ]


def normval_keyword(number: int) -> str:
    """Return the card of a region or colour: NORMVAL1, NORMVA10."""
    return f"{'NORMVAL'[: 8 - len(str(number))]}{number}"


def range_keyword(keyword: str, end: str) -> str:
    """Return the card for the least or greatest value: ``EXPTIME`` becomes ``EXPTIMIN``."""
    return keyword[:5] + end


def used_cards(used: Iterable[UsedMaster]) -> list[Card]:
    """Return the cards that name the masters that went in, with their hashes.

    A second dark (a dawn series of flats can need two) is CAL_DAR2 with CALDSHA2.
    """
    cards: list[Card] = []
    counts: dict[str, int] = {}
    for master in used:
        slot = _SLOT.get(master.kind, master.kind)
        if slot not in _USED_CARDS:
            continue
        counts[slot] = number = counts.get(slot, 0) + 1
        names = _USED_CARDS[slot]
        if number > 1:
            names = (names[0][:7] + str(number), names[1] + str(number), names[2][:7] + str(number))
        cards += [
            (names[0], ascii_text(master.file), f"{master.kind} that was subtracted"),
            (names[1], master.sha256, "SHA-256 of that file"),
        ]
        if master.kind != slot:
            cards.append((names[2], master.kind, "kind of that file"))
    return cards


def used_from(cards: Mapping[str, object]) -> tuple[UsedMaster, ...]:
    """Read what `used_cards` wrote."""
    used = []
    for slot, names in _USED_CARDS.items():
        for number in range(1, 10):
            file, sha, kind = (
                names
                if number == 1
                else (
                    names[0][:7] + str(number),
                    names[1] + str(number),
                    names[2][:7] + str(number),
                )
            )
            if file not in cards:
                break
            used.append(
                UsedMaster(str(cards.get(kind, slot)), str(cards[file]), str(cards.get(sha, "")))
            )
    return tuple(used)


def values_from(
    cards: Mapping[str, object], key: Mapping[str, HeaderValue], shape: tuple[int, int]
) -> dict[str, HeaderValue]:
    """Read back the values by JSON word; what the key says, it says exactly."""
    values: dict[str, HeaderValue] = {"shape": shape}
    for word, (keyword, _) in WORD_CARDS.items():
        value = cards.get(keyword)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            is_text = word in _TEXTS
            values[word] = str(value) if is_text else float(value)
    night = cards.get(NIGHT[0])
    if isinstance(night, str):
        values["night"] = date.fromisoformat(night)
    binning = (cards.get("XBINNING"), cards.get("YBINNING"))
    if isinstance(binning[0], int) and isinstance(binning[1], int):
        values["binning"] = (binning[0], binning[1])
    return {**values, **key}


_TEXTS = frozenset({"camera", "serial", "telescope", "readout_mode", "filter", "object_name"})


_SETTINGS = frozenset({"gain", "offset"})
"""Whole numbers for most cameras, and other programs expect them so."""


def _value_cards(content: MasterContent) -> list[Card]:
    cards: list[Card] = []
    for word, (keyword, comment) in WORD_CARDS.items():
        value = content.values.get(word)
        if isinstance(value, str):
            cards.append((keyword, ascii_text(value), comment))
        elif isinstance(value, (int, float)) and isfinite(value):
            if word in _SETTINGS and float(value).is_integer():
                value = int(value)
            varies = word in content.ranges
            cards.append((keyword, value, f"{comment}{', mean' if varies else ''}"))
            if word == "pixel_size_um":
                cards.append(("YPIXSZ", value, comment))
        if word in content.ranges:
            least, greatest = content.ranges[word]
            cards.append((range_keyword(keyword, "MIN"), least, f"least {keyword}"))
            cards.append((range_keyword(keyword, "MAX"), greatest, f"greatest {keyword}"))
    binning, region = content.values.get("binning"), content.values.get("region")
    if isinstance(binning, tuple):
        cards += [("XBINNING", binning[0], "binning"), ("YBINNING", binning[1], "binning")]
    if isinstance(region, tuple):
        cards.append(("XORGSUBF", region[0], "first column on the sensor, binned pixels"))
        cards.append(("YORGSUBF", region[1], "first row on the sensor, binned pixels"))
    night = content.values.get("night")
    if isinstance(night, date):
        cards.append((NIGHT[0], night.isoformat(), NIGHT[1]))
    return cards


def _time_cards(content: MasterContent) -> list[Card]:
    """DATE-OBS of the first, DATE-END of the last, and the range of starts in MJD as KPF."""
    starts = [r.observed_utc for r in content.frames if r.observed_utc is not None]
    if not starts:
        return []
    ends = [
        r.observed_utc + timedelta(seconds=r.exposure_s or 0.0)
        for r in content.frames
        if r.observed_utc is not None
    ]
    first, last = min(starts), max(starts)
    middle = first + (last - first) / 2
    return [
        ("DATE-OBS", utc_text(first), "UTC start of the first exposure"),
        ("DATE-END", utc_text(max(ends)), "UTC end of the last exposure"),
        ("MINMJD", _mjd(first), "[d] start of the first exposure"),
        ("MAXMJD", _mjd(last), "[d] start of the last exposure"),
        ("MIDMJD", _mjd(middle), "[d] middle of the two"),
    ]


_MJD_ZERO = date(1858, 11, 17)


def _mjd(moment: datetime) -> float:
    """Modified Julian date, UTC, to the microsecond."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return (moment.date() - _MJD_ZERO).days + (moment - midnight) / timedelta(days=1)


def _combination_cards(content: MasterContent) -> list[Card]:
    how = content.combined
    cards: list[Card] = [
        ("NFRAMES", len(content.inputs), "frames offered"),
        ("NCOMBINE", len(content.frames), "frames used"),
        ("COMBTYPE", how.combine, "how values become one"),
        ("REJTYPE", how.reject, "rule of rejection"),
    ]
    if how.low is not None:
        cards.append(("REJLOW", how.low, "its lower limit"))
    if how.high is not None:
        cards.append(("REJHIGH", how.high, "its upper limit"))
    if how.floor_adu is not None:
        cards.append(("REJFLOOR", how.floor_adu, "[adu] its least sigma: noise of one frame"))
    cards.append(("NORMTYPE", how.normalize, "how frames were brought to one level"))
    return cards


def _algebra_cards(content: MasterContent) -> list[Card]:
    comment = "" if content.unit else "dimensionless"
    return [
        ("BUNIT", content.unit, comment or "unit of the pixels"),
        ("BIASSUB", content.bias_subtracted, "is the bias out?"),
        ("DARKSUB", content.dark_subtracted, "is the dark signal out?"),
        *used_cards(content.used),
    ]


def _quality_cards(content: MasterContent) -> list[Card]:
    cards: list[Card] = [("INFOBITS", content.infobits, "detectors with too few kept values")]
    cards += [
        (f"BIT{i:02d}", ascii_text(text), f"meaning of bit {i}")
        for i, text in enumerate(content.bit_meanings)
    ]
    cards.append(("QCFLAG", content.assessment.verdict.value, "GOOD, WARN or BAD"))
    number = 0
    for metric in content.assessment.metrics:
        if metric.value is not None and isfinite(metric.value):
            number += 1
            cards.append((f"QCM{number:03d}", float(metric.value), _metric_comment(metric)))
    return cards


def _metric_comment(metric: Metric) -> str:
    unit = f" [{ascii_text(metric.unit)}]" if metric.unit else ""
    verdict = f" {metric.verdict.value}" if metric.verdict is not None else ""
    return f"{metric.name}{unit}{verdict}"


def _cleaned(cards: Iterable[Card]) -> list[Card]:
    return [
        (keyword, ascii_text(value) if isinstance(value, str) else value, ascii_text(text))
        for keyword, value, text in cards
    ]
