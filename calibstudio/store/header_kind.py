"""What kind of frame it is, whether it is a master, and whether it is calibrated already."""

from __future__ import annotations

import re

from calibstudio.store.fits_cards import CardValue
from calibstudio.store.header_values import Lookup, number, text
from calibstudio.store.header_words import (
    CALIBRATION_STEPS,
    KIND_KEYWORDS,
    KIND_MORE,
    MASTER_COUNTS,
    MASTER_FLAGS,
    NOT_DONE,
    OWN_WORD_KEYWORDS,
    PICTTYPES,
)
from calibstudio.store.kind_words import kind_from_word

_HISTORY_STEPS = (
    (re.compile(r"bias subtract|subtract\w* (?:master )?bias|bias corrected", re.I), "bias"),
    (re.compile(r"dark subtract|subtract\w* (?:master )?dark|dark corrected", re.I), "dark"),
    (
        re.compile(
            r"flat[ -]field(?: \(|ed|ing| correct| divi)|divided by (?:master )?flat"
            r"|flat corrected",
            re.I,
        ),
        "flat",
    ),
    (re.compile(r"ImageCalibration\.masterBias|\bcalibrat\w+ with .*bias", re.I), "bias"),
    (re.compile(r"ImageCalibration\.masterDark|\bcalibrat\w+ with .*dark", re.I), "dark"),
    (re.compile(r"ImageCalibration\.masterFlat|\bcalibrat\w+ with .*flat", re.I), "flat"),
)
_HISTORY_OFF = re.compile(
    r"(?:enabled|file\w*|name|id)\s*[:=]\s*(?:false|no|none|''|\"\")?\s*$", re.I
)
_HISTORY_COUNT = re.compile(r"numberOfImages:\s*(\d+)")
_CALSTAT = {"B": "bias", "D": "dark", "F": "flat"}


def read_kind(lookup: Lookup) -> tuple[str | None, bool]:
    """Return the kind by the cards, and whether a card says master.

    The first card with a word that everybody knows decides; a word that nobody knows only counts
    where no other card knows better, and is then the frame's own kind.
    """
    own: tuple[str, str, bool] | None = None
    decided: tuple[str, str, bool] | None = None
    for keyword in (*KIND_KEYWORDS, *KIND_MORE):
        word = _kind_word(keyword, lookup.value(keyword))
        found = None if word is None else kind_from_word(word)
        if found is None:
            continue
        kind, is_master, is_known = found
        if is_known and decided is None:
            decided = (keyword, kind, is_master)
        elif is_known and decided is not None and kind != decided[1]:
            lookup.notes.append(
                f"{decided[0]} says {decided[1]}, {keyword} says {kind}. {decided[0]} is used."
            )
        elif not is_known and own is None and keyword in OWN_WORD_KEYWORDS:
            own = (keyword, kind, is_master)
    if decided is not None and own is not None:
        lookup.notes.append(
            f"{own[0]} says {own[1]}, which is no kind of frame; {decided[0]} is used."
        )
    chosen = decided or own
    if chosen is None:
        return None, False
    lookup.came_from("kind", chosen[0])
    return chosen[1], chosen[2]


def _kind_word(keyword: str, value: CardValue) -> str | None:
    if keyword in ("PICTTYPE", "CCDSFPT"):
        code = number(value)
        return PICTTYPES.get(int(code)) if code is not None else text(value)
    return text(value)


def master_evidence(lookup: Lookup) -> str | None:
    """Name the card that says that several frames went into this one; None when none does."""
    for keyword in MASTER_COUNTS:
        count = number(lookup.value(keyword))
        if count is not None and count > 1:
            return keyword
    for keyword in MASTER_FLAGS:
        value = lookup.value(keyword)
        if value is True or (keyword == "INTEGRAT" and isinstance(value, str)):
            return keyword
    if lookup.value("IMCMB001") is not None:
        return "IMCMB001"
    for line in lookup.history:
        match = _HISTORY_COUNT.search(line)
        if match is not None and int(match[1]) > 1:
            return "HISTORY"
    return None


def read_calibrated(lookup: Lookup) -> str:
    """Say what was done to the pixels already; empty for a raw frame."""
    done: dict[str, str] = {}
    status = text(lookup.value("CALSTAT"))
    for letter, step in _CALSTAT.items():
        if status is not None and letter in status.upper():
            done.setdefault(step, "CALSTAT")
    for keyword, step in CALIBRATION_STEPS.items():
        value = lookup.value(keyword)
        if value is None or value is False or str(value).strip().upper() in NOT_DONE:
            continue
        if keyword.endswith("CORR") and str(value).strip().upper() != "COMPLETE":
            continue
        done.setdefault(step, keyword)
    for line in lookup.history:
        for pattern, step in _HISTORY_STEPS:
            if pattern.search(line) and not _HISTORY_OFF.search(line):
                done.setdefault(step, "HISTORY")
    if not done:
        return ""
    steps = [s for s in ("bias", "dark", "flat") if s in done]
    verbs = {"bias": "bias taken out", "dark": "dark taken out", "flat": "flat divided out"}
    cards = sorted(set(done.values()))
    return f"{', '.join(verbs[s] for s in steps)} ({', '.join(cards)})"
