"""Filter names that mean the same, and those that only look so."""

from __future__ import annotations

import pytest

from calibstudio.domain.filters import same_filter


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Ha", "H-alpha"),
        ("H_Alpha", "h alpha"),
        ("HA", "Hα"),
        ("L", "Lum"),
        ("Luminance", "lum"),
        ("OIII", "O3"),
        ("SII", "s-ii"),
        ("None", "No Filter"),
        ("HaOIII", "ha oiii"),
        ("r", "r"),
        ("Sloan r'", "sloan r'"),
    ],
)
def test_the_same_filter_in_other_words(a: str, b: str) -> None:
    assert same_filter(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("r", "R"),
        ("g", "G"),
        ("i", "I"),
        ("Ha", "Hb"),
        ("Ha", "HaOIII"),
        ("R", "Red"),
        ("Clear", "None"),
        ("L", "l"),
        ("r'", "r"),
    ],
)
def test_another_filter(a: str, b: str) -> None:
    assert not same_filter(a, b)
