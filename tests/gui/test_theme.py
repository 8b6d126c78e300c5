"""Tokens, palette, fonts and the pictures' colours."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QFontInfo, QFontMetrics, QPalette
from PySide6.QtWidgets import QApplication, QLabel

from calibstudio.gui.theme import (
    DARK,
    LIGHT,
    NIGHT,
    THEMES,
    ThemeState,
    Tokens,
    dimmed,
    image_lut,
)
from calibstudio.gui.theme_qss import stylesheet
from calibstudio.gui.widgets.text import label
from calibstudio.services.settings import cache_folder

AA = 4.5


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """Contrast of WCAG 2."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
@pytest.mark.parametrize("ink", ["text", "text2", "text3", "accent", "good", "warn", "bad", "info"])
@pytest.mark.parametrize("ground", ["panel", "bg", "card", "ctl", "selection"])
def test_every_text_passes_aa_on_every_ground(t: Tokens, ink: str, ground: str) -> None:
    assert contrast(t.hex(ink), t.hex(ground)) >= AA


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_tags_and_the_filled_button_pass_aa(t: Tokens) -> None:
    for kind in ("good", "warn", "bad", "info"):
        assert contrast(t.hex(kind), t.hex(f"{kind}_bg")) >= AA
    assert contrast(t.on_primary, t.primary) >= AA
    assert contrast(t.edge, t.panel) >= 3.0  # an input can be seen


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=lambda t: t.name)
def test_contrast_numbers_are_those_of_the_token_table(t: Tokens) -> None:
    table = {
        "dark": {"text": 14.6, "text2": 8.9, "text3": 6.5, "accent": 8.3, "good": 8.7, "bad": 7.6},
        "light": {"text": 17.7, "text2": 8.7, "text3": 5.8, "accent": 6.5, "good": 6.5, "bad": 6.5},
    }
    for token, value in table[t.name].items():
        assert contrast(t.hex(token), t.panel) == pytest.approx(value, abs=0.06)


@pytest.mark.parametrize("percent", [40, 73, 100])
def test_night_tokens_are_red_only_and_dim_with_brightness(percent: int) -> None:
    t = dimmed(NIGHT, percent)

    for f in fields(t):
        value = getattr(t, f.name)
        if isinstance(value, str) and value.startswith("#"):
            assert value.endswith("0000")
            assert int(value[1:3], 16) <= round(204 * percent / 100)
    assert t.picture_max == round(178 * percent / 100)


def test_pictures_in_night_are_red_and_bright_ones_stay_below_a_mean_of_70() -> None:
    for mean in (0.05, 0.3, 0.5, 0.9):
        lut = image_lut(NIGHT, mean)
        picture = np.clip(np.random.default_rng(1).normal(mean, 0.05, 100_000), 0, 1)

        shown = lut[np.rint(picture * 255).astype(int)]

        assert lut.shape == (256, 3)
        assert lut.dtype == np.uint8
        assert lut[:, 1:].max() == 0
        assert lut[:, 0].max() == 178
        assert (np.diff(lut[:, 0].astype(int)) >= 0).all()
        assert shown[:, 0].mean() <= 70


def test_pictures_by_day_are_grey_and_rise_from_black() -> None:
    lut = image_lut(DARK)

    assert (lut[:, 0] == lut[:, 1]).all()
    assert lut[0].tolist() == [0, 0, 0]
    assert lut[-1, 0] == DARK.picture_max


def test_a_change_of_theme_is_complete_when_it_is_announced(
    qapp: QApplication, theme: ThemeState
) -> None:
    seen = []
    theme.changed.connect(
        lambda t: seen.append((t.name, qapp.palette().color(QPalette.ColorRole.Window).name()))
    )

    theme.set_theme("night")
    theme.set_theme("night")
    theme.toggle_night()

    assert seen == [("night", NIGHT.panel.lower()), ("dark", DARK.panel.lower())]


def test_night_goes_back_to_the_theme_of_the_day(theme: ThemeState) -> None:
    theme.set_theme("light")

    theme.toggle_night()
    theme.toggle_night()

    assert theme.name == "light"


def test_night_brightness_keeps_its_limits(theme: ThemeState) -> None:
    theme.set_theme("night")

    theme.set_night_brightness(5)

    assert theme.night_brightness == 40
    assert theme.tokens.text == "#520000"


def test_an_unknown_theme_is_refused(theme: ThemeState) -> None:
    with pytest.raises(ValueError, match="sepia"):
        theme.set_theme("sepia")


def test_figures_have_one_width_and_captions_are_never_below_12(theme: ThemeState) -> None:
    metrics = QFontMetrics(theme.font(13))

    assert metrics.horizontalAdvance("1111") == metrics.horizontalAdvance("0000")
    assert theme.font(9).pixelSize() == 12
    theme.set_theme("night")
    assert theme.font(12).pixelSize() == 13
    assert theme.font(14).weight() == 500


def test_roles_of_labels_have_the_sizes_of_the_type_scale(qtbot: object, theme: ThemeState) -> None:
    sizes = {"caption": 12, "small": 13, "body": 14, "title": 18, "question": 20, "count": 28}

    for role, px in sizes.items():
        made: QLabel = label("1111", role)
        made.ensurePolished()
        assert QFontInfo(made.font()).pixelSize() == px
        wide = made.fontMetrics().horizontalAdvance("0000")
        assert made.fontMetrics().horizontalAdvance("1111") == wide


def test_pictures_of_the_style_sheet_are_kept_and_without_a_cache_made_elsewhere(
    theme: ThemeState,
) -> None:
    kept = cache_folder() / "look"

    def pictures() -> list[Path]:
        sheet = stylesheet(theme.tokens, theme.sizes)
        return [Path(path) for path in re.findall(r"url\(\"?([^\")]+)", sheet)]

    inside = pictures()
    assert inside and {path.parent for path in inside} == {kept}
    assert all(path.read_bytes().startswith(b"<svg") for path in inside)

    shutil.rmtree(kept)
    kept.write_bytes(b"")  # no folder can be made here
    elsewhere = pictures()
    assert [path.name for path in elsewhere] == [path.name for path in inside]
    assert all(path.parent != kept and path.is_file() for path in elsewhere)


def test_the_palette_has_no_colour_of_the_system_left(theme: ThemeState) -> None:
    for name in THEMES:
        theme.set_theme(name)
        allowed = {
            QColor(getattr(theme.tokens, f.name)).rgb()
            for f in fields(theme.tokens)
            if str(getattr(theme.tokens, f.name)).startswith("#")
        }
        palette = theme.palette()
        for group in (
            QPalette.ColorGroup.Active,
            QPalette.ColorGroup.Inactive,
            QPalette.ColorGroup.Disabled,
        ):
            for role in QPalette.ColorRole:
                if role in (QPalette.ColorRole.NoRole, QPalette.ColorRole.NColorRoles):
                    continue
                assert palette.color(group, role).rgb() in allowed, (name, group, role)
