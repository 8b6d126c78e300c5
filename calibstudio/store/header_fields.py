"""One reader for each field of a frame's header: cards in, value out, origin and notes kept."""

from __future__ import annotations

import re

from calibstudio.domain.header import LONGEST_EXPOSURE_S
from calibstudio.domain.wording import MINUS, exposure, significant, temperature
from calibstudio.store import header_words as words
from calibstudio.store.header_values import (
    NOT_SET,
    Lookup,
    binning_from_text,
    celsius,
    close,
    degrees,
    note_other_exposures,
    note_others,
    number,
    number_and_unit,
    text,
)


def read_exposure(lookup: Lookup) -> float | None:
    """Exposure in seconds."""
    found = lookup.first_number(words.EXPOSURE)
    if found is not None:
        keyword, value, unit = found
        if unit.lower().startswith("ms"):
            value /= 1000.0
        if not 0 <= value <= LONGEST_EXPOSURE_S:
            lookup.notes.append(f"{keyword} is {significant(value)}: the exposure is unknown.")
            return None
        lookup.came_from("exposure_s", keyword)
        note_other_exposures(lookup, keyword, value, ("EXPTIME", "EXPOSURE", "EXP"))
        return value
    found = lookup.first_number(words.EXPOSURE_US)
    if found is not None and 0 <= found[1] <= 1e6 * LONGEST_EXPOSURE_S:
        lookup.came_from("exposure_s", found[0])
        return found[1] / 1e6
    return None


def read_temperature(lookup: Lookup, name: str, keywords: tuple[str, ...]) -> float | None:
    """A temperature in °C, from numbers or text, Celsius, Fahrenheit or kelvin."""
    for keyword in keywords:
        card = lookup.cards.get(keyword)
        found = None if card is None else number_and_unit(card.value)
        if card is None or found is None:
            continue
        value, how = celsius(*found, card.comment)
        if value is None:
            lookup.notes.append(f"{keyword} is {significant(found[0])}, which is no temperature.")
            continue
        if how:
            lookup.notes.append(
                f"{keyword} is {significant(found[0])} {how}, that is {temperature(value)}."
            )
        lookup.came_from(name, keyword)
        if not how:
            note_others(lookup, keyword, value, keywords, 0.5)
        return value
    return None


def read_setting(lookup: Lookup, name: str, keywords: tuple[str, ...]) -> float | None:
    """A camera setting where -1 and 4294967295 mean that it was not set."""
    found = lookup.first_number(keywords)
    if found is None:
        return None
    keyword, value, _ = found
    if value in NOT_SET:
        lookup.notes.append(
            f"{keyword} is {f'{value:.0f}'.replace('-', MINUS)}, which means not set: unknown."
        )
        return None
    lookup.came_from(name, keyword)
    return value


def read_gains(
    lookup: Lookup, software: str | None, camera: str | None
) -> tuple[float | None, float | None]:
    """Gain setting and e-/ADU: GAIN means the one or the other, by who wrote it.

    Decided in this order: what the card itself says (unit, comment), e-/ADU written beside it,
    the program, the camera, the range, a read noise beside it. Not clear means unknown.
    """
    egain = _egain(lookup)
    found = lookup.first_number(words.GAIN)
    if found is None:
        return read_setting(lookup, "gain", words.ISO), egain
    keyword, value, unit = found
    if value in NOT_SET:
        read_setting(lookup, "gain", (keyword,))
        return read_setting(lookup, "gain", words.ISO), egain
    meaning = _gain_meaning(lookup, keyword, value, unit, egain, software, camera)
    if meaning == "setting":
        lookup.came_from("gain", keyword)
        return value, egain
    if meaning == "e/ADU":
        if egain is None:
            lookup.came_from("egain_e_per_adu", keyword)
            egain = value
        return read_setting(lookup, "gain", words.ISO), egain
    lookup.notes.append(
        f"{keyword} is {significant(value)}: a setting or e-/ADU is not clear, so it is unknown."
    )
    return None, egain


def _egain(lookup: Lookup) -> float | None:
    for keyword in words.EGAIN:
        value = number(lookup.value(keyword))
        if value is None or not 0.0 < value < 1000.0:
            continue
        if keyword in lookup.properties and value >= 20.0:
            # Some writers put the setting where XISF wants electrons.
            continue
        lookup.came_from("egain_e_per_adu", keyword)
        return value
    return None


def _gain_meaning(
    lookup: Lookup,
    keyword: str,
    value: float,
    unit: str,
    egain: float | None,
    software: str | None,
    camera: str | None,
) -> str:
    comment = lookup.comment(keyword)
    if unit.lower().startswith("db") or keyword != "GAIN" or words.SETTING_COMMENT.search(comment):
        return "setting"
    if words.E_PER_ADU_COMMENT.search(comment) or unit.lower().startswith("e"):
        return "e/ADU"
    if egain is not None:
        same = close(value, egain, 1e-6, 1e-4)
        return "e/ADU" if same and not value.is_integer() else "setting"
    if words.AMATEUR_SOFTWARE.search(software or "") or words.AMATEUR_CAMERA.search(camera or ""):
        return "setting"
    if value >= 20.0 or value == 0.0:
        return "setting"
    if value > 0.0 and lookup.first_number(words.READ_NOISE) is not None:
        return "e/ADU"
    return ""


def read_binning(lookup: Lookup) -> tuple[int, int] | None:
    """Binning (x, y)."""
    seen: list[tuple[str, tuple[int, int]]] = []
    for x_word, y_word in words.BINNING_PAIRS:
        x = number(lookup.value(x_word))
        if x is None or not 0 < x <= 64:
            continue
        y = number(lookup.value(y_word))
        seen.append((x_word, (int(x), int(y) if y is not None and 0 < y <= 64 else int(x))))
    for keyword in words.BINNING_WORDS:
        both = binning_from_text(lookup.value(keyword))
        if both is not None:
            seen.append((keyword, both))
    if not seen:
        return None
    keyword, value = seen[0]
    for other, other_value in seen[1:]:
        if other_value != value:
            lookup.notes.append(
                f"{keyword} says {value[0]}x{value[1]}, {other} says "
                f"{other_value[0]}x{other_value[1]}. {keyword} is used."
            )
    lookup.came_from("binning", keyword)
    return value


def read_region(lookup: Lookup, shape: tuple[int, int] | None) -> tuple[int, int, int, int] | None:
    """Region (x, y, width, height) in binned pixels; None where no card says its corner."""
    if shape is None:
        return None
    for x_word, y_word in words.ORIGIN_PAIRS:
        x, y = number(lookup.value(x_word)), number(lookup.value(y_word))
        if x is not None and y is not None and x >= 0 and y >= 0:
            lookup.came_from("region", x_word)
            return round(x), round(y), shape[1], shape[0]
    return None


def read_filter(lookup: Lookup) -> str | None:
    """Filter name as written; a Bayer pattern in FILTER is none."""
    for keyword in words.FILTER:
        value = lookup.value(keyword)
        name = text(value)
        if name is None or (number(value) in NOT_SET) or name.upper() in words.BAYER_PATTERNS:
            continue
        lookup.came_from("filter", keyword)
        return name
    names: list[str] = []
    for keyword in words.FILTER_PAIR:
        name = text(lookup.value(keyword))
        if name is not None and not re.fullmatch(r"-?0*", name):
            names.append(name)
    used = [n for n in names if n.lower().rstrip("0123456789-_") not in words.NO_FILTER]
    if not names:
        return None
    lookup.came_from("filter", words.FILTER_PAIR[0])
    return " + ".join(used) if used else names[0]


def read_bayer(lookup: Lookup, shape: tuple[int, int] | None, *, is_xisf: bool) -> str | None:
    """Pattern of the stored rows: offsets and row order applied; None for mono.

    BAYERPAT is given for the first row of the picture as seen. Rows stored from the bottom up
    therefore start with the row that the pattern's parity gives to the last one (the reading of
    Siril and ASTAP; the ASTAP test patterns are the check). XISF always stores from the top.
    """
    for keyword in (*words.BAYER, *words.FILTER[:1]):
        word = text(lookup.value(keyword))
        if word is None:
            continue
        pattern = word.upper().replace(" ", "")
        if pattern in words.BAYER_PATTERNS:
            lookup.came_from("bayer", keyword)
            return _shifted(lookup, pattern, shape, is_xisf=is_xisf)
        if keyword in ("BAYERPAT", "COLORTYP", "BAYERPATN") and not _is_mono_word(pattern):
            lookup.notes.append(f"{keyword} is {word}, which is no colour pattern known here.")
    return None


def _is_mono_word(word: str) -> bool:
    return word in words.MONO_WORDS or word.startswith(("RAW", "MONO", "Y8", "Y16"))


def _shifted(lookup: Lookup, pattern: str, shape: tuple[int, int] | None, *, is_xisf: bool) -> str:
    x = round(number(lookup.value("XBAYROFF")) or 0.0)
    y = round(number(lookup.value("YBAYROFF")) or 0.0)
    order = text(lookup.value("ROWORDER"))
    is_bottom_up = order is not None and order.upper().startswith("BOTTOM") and not is_xisf
    last = (shape[0] - 1) if shape is not None else 1
    cells = []
    for row in (0, 1):
        seen = (last - row) if is_bottom_up else row
        cells += [pattern[2 * ((seen + y) % 2) + (column + x) % 2] for column in (0, 1)]
    return "".join(cells)


def read_focal_length(lookup: Lookup) -> float | None:
    """Focal length in mm; written in mm or m."""
    for keyword in words.FOCAL_LENGTH:
        card = lookup.cards.get(keyword)
        found = None if card is None else number_and_unit(card.value)
        if card is None or found is None or not 0.0 < found[0] < 1e6:
            continue
        value, unit = found
        said = f"{unit} {card.comment}"
        is_metres = value < 10.0 or (keyword == "FLENGTH" and value < 100.0)
        if words.MILLIMETRES.search(said):
            is_metres = False
        elif words.METRES.search(said) or unit.lower() == "m":
            is_metres = True
        lookup.came_from("focal_length_mm", keyword)
        return round(value * 1000.0, 6) if is_metres else value
    return None


def read_rotator(lookup: Lookup) -> float | None:
    """Rotator angle, 0 to 360 degrees."""
    found = lookup.first_number(words.ROTATOR)
    if found is None:
        return None
    lookup.came_from("rotator_deg", found[0])
    return found[1] % 360.0


def read_longitude(lookup: Lookup) -> float | None:
    """The site's longitude as the header says it, east positive, in degrees."""
    for keyword in words.LONGITUDE:
        value = degrees(lookup.value(keyword))
        if value is not None and -360.0 <= value <= 360.0:
            return (value + 180.0) % 360.0 - 180.0
    return None


def read_saturation(lookup: Lookup) -> float | None:
    """Level in ADU that the header says saturates.

    DATAMAX is the brightest pixel of the picture for some programs: only a full scale counts.
    """
    found = lookup.first_number(words.SATURATION)
    if found is not None and found[1] > 0:
        lookup.came_from("saturation_adu", found[0])
        return found[1]
    value = number(lookup.value("DATAMAX"))
    if value is not None and value in {float(2**bits - 1) for bits in range(8, 17)}:
        lookup.came_from("saturation_adu", "DATAMAX")
        return value
    return None


def read_pedestal(lookup: Lookup, software: str | None) -> float:
    """What must be added to the stored values to undo a PEDESTAL card.

    SBFITSEXT: "add this count to each pixel value to get to a zero-based ADU". PixInsight writes
    what it added.
    """
    value = number(lookup.value("PEDESTAL"))
    if value is None or value == 0.0:
        return 0.0
    lookup.came_from("pedestal_adu", "PEDESTAL")
    was_added = value > 0 and (
        "pixinsight" in (software or "").lower()
        or words.ADDED_PEDESTAL.search(lookup.comment("PEDESTAL")) is not None
    )
    undo = -value if was_added else value
    lookup.notes.append(
        f"PEDESTAL is {significant(value)}: {significant(undo)} ADU are added to undo it."
    )
    return undo


def read_pixel_size(lookup: Lookup) -> float | None:
    """Pixel size in µm, as stored (binned)."""
    found = lookup.first_number(words.PIXEL_SIZE)
    if found is None or found[1] <= 0:
        return None
    lookup.came_from("pixel_size_um", found[0])
    # Some observatories write metres.
    return found[1] * 1e6 if found[1] < 1e-3 else found[1]


def read_text(lookup: Lookup, name: str, keywords: tuple[str, ...]) -> str | None:
    """Words of the first card that has some."""
    for keyword in keywords:
        value = text(lookup.value(keyword))
        if value is not None:
            lookup.came_from(name, keyword)
            return value
    return None


def shown(name: str, value: object) -> str:
    """Write a field's value as a sentence does."""
    if isinstance(value, float):
        if name == "exposure_s":
            return exposure(value)
        return temperature(value) if name.endswith("temp_c") else significant(value)
    if isinstance(value, tuple):
        return "x".join(str(v) for v in value)
    return str(value)


_ELECTRONS = frozenset(
    {"e", "e-", "el", "electron", "electrons", "photoelectron", "photoelectrons"}
)
_COUNTS = frozenset({"adu", "count", "counts", "dn", "ct"})
_PER_SECOND = ("/s", "/sec", "/second", " s-1", " s^-1", " s**-1", "*s^-1", "*s**-1")


def read_unit(lookup: Lookup) -> str:
    """Unit of the pixels where it is electrons or a rate; empty for ADU, counts and the unsaid."""
    for keyword in words.UNIT:
        value = lookup.value(keyword)
        if not isinstance(value, str) or not value.strip():
            continue
        text = " ".join(value.lower().replace(" / ", "/").split())
        end = next((e for e in _PER_SECOND if text.endswith(e)), "")
        word = text.removesuffix(end).strip()
        unit = "ADU" if word in _COUNTS else "e\u207b" if word in _ELECTRONS else ""
        if not unit or (unit == "ADU" and not end):
            return ""
        lookup.came_from("unit", keyword)
        return f"{unit}/s" if end else unit
    return ""
