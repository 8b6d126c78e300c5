"""What a series of frames shares is remembered by its bytes: nothing else may decide about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibstudio.store import header_record
from calibstudio.store.fits_cards import Card, CardValue
from calibstudio.store.header_record import Source
from calibstudio.store.header_values import Lookup
from calibstudio.store.header_words import LASTING, VOLATILE, WANTED


class Recorder:
    """Cards that remember what they were asked for."""

    def __init__(self, value: CardValue) -> None:
        self.asked: set[str] = set()
        self._value = value

    def get(self, keyword: str, /) -> Card | None:
        self.asked.add(keyword)
        return None if self._value is None else Card(self._value)


@pytest.mark.parametrize("value", [None, "", 0, 1, -1, 1.5, True, "RGGB", "Dark", "2026-01-01"])
def test_only_cards_of_the_fingerprint_decide_about_lasting_values(value: CardValue) -> None:
    cards = Recorder(value)

    header_record._read_lasting(Source(Path("x.fits"), Lookup(cards), (4, 6), ("",)))

    assert cards.asked <= LASTING
    assert len(cards.asked) > 30


@pytest.mark.parametrize("value", [None, "", 1.5, "2026-01-01T01:02:03"])
def test_every_card_that_is_asked_for_is_known(value: CardValue) -> None:
    cards = Recorder(value)

    header_record.header_record(Source(Path("x.fits"), Lookup(cards), (4, 6), ("",)), None)

    assert cards.asked <= WANTED


def test_lasting_and_volatile_cards_are_apart() -> None:
    assert not LASTING & VOLATILE
    assert {"DATE-OBS", "CCD-TEMP", "UT", "JD"} <= VOLATILE
    assert {"EXPTIME", "GAIN", "FILTER", "SET-TEMP", "NAXIS1", "XBAYROFF"} <= LASTING
