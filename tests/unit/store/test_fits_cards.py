"""Cards: what the standard says, what writers do instead, and random bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.store.fits_cards import Cards, header_length, parse_value
from tests.helpers.frames import card, header_bytes

DATA = Path(__file__).parents[2] / "data"


def cards_of(*lines: str) -> Cards:
    raw = header_bytes(list(lines))
    found = header_length(raw)
    assert found is not None
    return Cards(raw[: found[0]], ended=found[1])


@pytest.mark.parametrize(
    ("field", "value", "comment"),
    [
        ("                   42 / answer", 42, "answer"),
        ("                 -1.5", -1.5, ""),
        (" 1.28D2 / Fortran", 128.0, "Fortran"),
        ("      9,78E-03", 0.00978, ""),
        (" .5", 0.5, ""),
        ("                    T", True, ""),
        ("                    F / no", False, "no"),
        (" 'LIGHT   '           / type", "LIGHT", "type"),
        (" 'O''Hara / x'  / who", "O'Hara / x", "who"),
        (" 'never closed / x", "never closed / x", ""),
        ("'tight'", "tight", ""),
        (" ''", "", ""),
        (" / nothing", None, "nothing"),
        ("", None, ""),
        (" (1.0, 2.0)", "(1.0, 2.0)", ""),
        (" NaN", "NaN", ""),
        (" 1_000", "1_000", ""),
        (" 00012", 12, ""),
    ],
)
def test_a_value_field_is_read_as_it_was_meant(field: str, value: object, comment: str) -> None:
    parsed = parse_value(field)

    assert parsed.value == value
    assert type(parsed.value) is type(value)
    assert parsed.comment == comment


def test_the_first_of_doubled_keywords_that_says_something_wins() -> None:
    cards = cards_of(card("GAIN", ""), card("GAIN", 120), card("GAIN", 7), card("OFFSET", 3))

    assert cards.value("GAIN") == 120
    assert cards.value("OFFSET") == 3
    assert cards.value("EGAIN") is None


def test_a_long_string_goes_on_in_continue_cards() -> None:
    cards = cards_of(
        card("FILTER", "='not this' "),
        card("LONGSTR", "= 'first &'"),
        "CONTINUE  'second &' / about".ljust(80),
        "CONTINUE  'third' / it".ljust(80),
        card("GAIN", 5),
    )

    assert cards.value("LONGSTR") == "first second third"
    long = cards.get("LONGSTR")
    assert long is not None and long.comment == "about it"
    assert cards.value("GAIN") == 5


def test_hierarch_keywords_keep_their_words() -> None:
    cards = cards_of("HIERARCH ESO DPR TYPE = 'FLAT,SKY' / type".ljust(80), card("GAIN", 5))

    assert cards.value("ESO DPR TYPE") == "FLAT,SKY"
    assert "ESO DPR TYPE" in cards.keywords()


def test_history_is_kept_in_order_and_comments_are_no_values() -> None:
    cards = cards_of(
        "HISTORY Dark subtraction".ljust(80),
        "COMMENT = 'looks like a value'".ljust(80),
        "HISTORY   then flat".ljust(80),
    )

    assert cards.history == ("Dark subtraction", "then flat")


def test_bytes_that_are_no_ascii_do_not_hide_the_rest() -> None:
    latin = b"OBSERVER= 'J\xf6rg    '".ljust(80)
    utf8 = "SITENAME= 'Zürich'".encode().ljust(80)
    raw = header_bytes([card("SIMPLE", True)], end=False) + latin + utf8
    raw += header_bytes([card("GAIN", 120)])

    found = header_length(raw)

    assert found is not None
    cards = Cards(raw[: found[0]])
    assert cards.value("OBSERVER") == "Jörg"
    assert cards.value("SITENAME") == "Zürich"
    assert cards.value("GAIN") == 120


def test_end_is_found_only_where_a_card_begins() -> None:
    raw = header_bytes([card("SIMPLE", True), card("OBJECT", "END    "), card("EXTEND", True)])

    assert header_length(raw) == (240, True)
    assert header_length(raw[:160]) is None


def test_a_header_without_end_stops_where_its_cards_stop() -> None:
    raw = header_bytes([card("SIMPLE", True), card("GAIN", 1)], end=False) + bytes(range(200)) * 30

    assert header_length(raw) == (160, False)


def test_headers_of_one_series_have_one_fingerprint() -> None:
    wanted = frozenset({"GAIN", "FILTER"})
    first = cards_of(card("GAIN", 1), card("DATE-OBS", "2026-01-01"), card("FILTER", "Ha"))
    second = cards_of(card("GAIN", 1), card("DATE-OBS", "2026-01-02"), card("FILTER", "Ha"))
    other = cards_of(card("GAIN", 1), card("DATE-OBS", "2026-01-02"), card("FILTER", "OIII"))

    assert first.fingerprint(wanted) == second.fingerprint(wanted)
    assert first.fingerprint(wanted) != other.fingerprint(wanted)


@pytest.mark.parametrize("path", sorted((DATA / "msumastro_bsd3").glob("*.fit")), ids=str)
def test_real_headers_read_as_astropy_reads_them(path: Path) -> None:
    raw = path.read_bytes()
    found = header_length(raw)
    assert found is not None
    ours = Cards(raw[: found[0]])

    with fits.open(path) as hdus:
        theirs = {
            c.keyword: c.value
            for c in reversed(hdus[0].header.cards)
            if c.keyword not in ("HISTORY", "COMMENT", "")
        }

    assert set(theirs) == set(ours.keywords())
    for keyword, value in theirs.items():
        expected = None if isinstance(value, fits.card.Undefined) else value
        if isinstance(expected, str):
            expected = expected.strip()
        if keyword in ("BZERO", "BSCALE", "BITPIX"):
            continue  # astropy shows them as it will write them
        assert ours.value(keyword) == expected, keyword


@given(st.binary(max_size=8000))
def test_random_bytes_are_cards_or_no_cards_but_never_an_accident(data: bytes) -> None:
    found = header_length(data)
    if found is None:
        return
    cards = Cards(data[: found[0]], ended=found[1])
    for keyword in cards.keywords():
        cards.get(keyword)
    cards.fingerprint(frozenset(cards.keywords()))
    assert isinstance(cards.history, tuple)


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=72), max_size=30))
def test_any_text_behind_a_keyword_is_a_value(texts: list[str]) -> None:
    raw = b"".join(
        (f"KEY{i:<5}=".encode() + t.encode("latin-1"))[:80].ljust(80) for i, t in enumerate(texts)
    )
    cards = Cards(raw)

    assert [k for k in cards.keywords() if k.startswith("KEY")] == [
        f"KEY{i}" for i in range(len(texts))
    ]
    for keyword in cards.keywords():
        assert cards.get(keyword) is not None
