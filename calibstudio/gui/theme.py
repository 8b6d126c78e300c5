"""The three themes: tokens, palette, fonts, and the state that says which one is shown.

Every colour in the program is a token of `Tokens`. Night is red only: every pixel is (R, 0, 0).
The palette and the style sheet are set before the first window shows, so that no window is ever
seen in another theme, not for one frame.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from calibstudio.gui.resources import resource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SYSTEM_FAMILIES = {"win32": "Segoe UI", "darwin": ".AppleSystemUIFont"}
"""The family of the system, where the system has one that suits."""
BUNDLED_FAMILY = "Inter CalibStudio"
"""Elsewhere Inter, which comes with the program under a name of its own: an Inter that is
installed there with other outlines would be mixed with it, weight by weight."""
BUNDLED = ("Regular", "Medium", "SemiBold", "Bold")
FALLBACKS = ("Inter", "Noto Sans", "DejaVu Sans", "sans-serif")


@dataclass(frozen=True, slots=True)
class Tokens:
    """All colours and weights of one theme. Colours are ``#RRGGBB``."""

    name: str
    is_night: bool
    bg: str
    plot: str
    panel: str
    card: str
    ctl: str
    ctl_hover: str
    line: str
    line2: str
    edge: str
    text: str
    text2: str
    text3: str
    disabled: str
    accent: str
    focus: str
    primary: str
    primary_hover: str
    primary_edge: str
    on_primary: str
    selection: str
    good: str
    good_bg: str
    warn: str
    warn_bg: str
    bad: str
    bad_bg: str
    info: str
    info_bg: str
    running: str
    bar: str
    """Fill of progress bars."""
    series1: str
    series2: str
    series3: str
    grid: str
    axis: str
    band: str
    """Ground and edges of limit bands in plots."""
    picture_max: int
    """Brightest value a picture is shown with."""
    weight_shift: int = 0
    """Added to every font weight: red on black needs heavier letters."""
    caption_px: int = 12

    def color(self, token: str) -> QColor:
        """Return a token as a colour; also takes ``#RRGGBB``."""
        return QColor(token if token.startswith("#") else getattr(self, token))

    def hex(self, token: str) -> str:
        """Return a token as ``#RRGGBB``."""
        return token if token.startswith("#") else str(getattr(self, token))


DARK = Tokens(
    name="dark",
    is_night=False,
    bg="#0B0D10",
    plot="#0B0D10",
    panel="#12151A",
    card="#191D23",
    ctl="#21262E",
    ctl_hover="#2B323B",
    line="#272D35",
    line2="#424B57",
    edge="#646E7B",
    text="#E3E6EA",
    text2="#AEB6C1",
    text3="#929BA8",
    disabled="#59616C",
    accent="#74B4F4",
    focus="#74B4F4",
    primary="#2B69AB",
    primary_hover="#3374B9",
    primary_edge="#2B69AB",
    on_primary="#FFFFFF",
    selection="#1A3049",
    good="#4CC7A4",
    good_bg="#10251F",
    warn="#EDB741",
    warn_bg="#2A220F",
    bad="#FF8270",
    bad_bg="#2E1714",
    info="#A7B9CF",
    info_bg="#171D25",
    running="#74B4F4",
    bar="#74B4F4",
    series1="#74B4F4",
    series2="#E3A0C8",
    series3="#C8C37E",
    grid="#1D2229",
    axis="#929BA8",
    band="#4CC7A4",
    picture_max=236,
)

LIGHT = Tokens(
    name="light",
    is_night=False,
    bg="#EEF0F3",
    plot="#FFFFFF",
    panel="#FFFFFF",
    card="#F7F8FA",
    ctl="#FFFFFF",
    ctl_hover="#E8ECF1",
    line="#D5DAE0",
    line2="#8A94A0",
    edge="#8A94A0",
    text="#15191E",
    text2="#434C57",
    text3="#5C6672",
    disabled="#9AA3AE",
    accent="#1D5FA8",
    focus="#1D5FA8",
    primary="#1D5FA8",
    primary_hover="#174F8D",
    primary_edge="#1D5FA8",
    on_primary="#FFFFFF",
    selection="#D7E6F7",
    good="#0B6B50",
    good_bg="#DDF1EA",
    warn="#7A5200",
    warn_bg="#FBEBC8",
    bad="#B3261A",
    bad_bg="#FADFDB",
    info="#46566B",
    info_bg="#E8ECF1",
    running="#1D5FA8",
    bar="#1D5FA8",
    series1="#1D5FA8",
    series2="#A23A7E",
    series3="#6B6410",
    grid="#E4E8EC",
    axis="#5C6672",
    band="#0B6B50",
    picture_max=255,
)

NIGHT = Tokens(
    name="night",
    is_night=True,
    bg="#000000",
    plot="#000000",
    panel="#070000",
    card="#0D0000",
    ctl="#150000",
    ctl_hover="#200000",
    line="#260000",
    line2="#4A0000",
    edge="#660000",
    text="#CC0000",
    text2="#BC0000",
    text3="#A60000",
    disabled="#5C0000",
    accent="#CC0000",
    focus="#CC0000",
    primary="#2E0000",
    primary_hover="#3A0000",
    primary_edge="#CC0000",
    on_primary="#CC0000",
    selection="#2A0000",
    good="#BC0000",
    good_bg="#070000",
    warn="#CC0000",
    warn_bg="#140000",
    bad="#CC0000",
    bad_bg="#1E0000",
    info="#BC0000",
    info_bg="#0D0000",
    running="#CC0000",
    bar="#9A0000",
    series1="#CC0000",
    series2="#A60000",
    series3="#700000",
    grid="#190000",
    axis="#A60000",
    band="#5C0000",
    picture_max=178,
    weight_shift=100,
    caption_px=13,
)

THEMES = {t.name: t for t in (DARK, NIGHT, LIGHT)}


def dimmed(tokens: Tokens, percent: int) -> Tokens:
    """Return night tokens with every red scaled to so many percent; other themes unchanged."""
    if not tokens.is_night or percent >= 100:
        return tokens
    changed: dict[str, str | int] = {"picture_max": round(tokens.picture_max * percent / 100)}
    for f in fields(tokens):
        value = getattr(tokens, f.name)
        if isinstance(value, str) and value.startswith("#"):
            changed[f.name] = f"#{round(int(value[1:3], 16) * percent / 100):02X}0000"
    return replace(tokens, **changed)  # type: ignore[arg-type]  # keys are names of its fields


def image_lut(tokens: Tokens, mean: float = 0.25) -> NDArray[np.uint8]:
    """Return the 256 colours that a picture is shown with.

    Parameters
    ----------
    tokens
        The theme's tokens, ``theme.tokens``.
    mean
        Mean of the stretched picture, 0 to 1. In the night theme a bright picture gets a gamma
        that keeps its mean red near 60 (at full night brightness); other themes ignore it.

    Returns
    -------
    array of uint8, shape (256, 3)
        Red, green, blue. In night green and blue are 0 and red is at most 178.
    """
    import numpy as np

    level = np.linspace(0.0, 1.0, 256)
    lut = np.zeros((256, 3), dtype=np.uint8)
    if tokens.is_night:
        gamma = float(np.log(0.34) / np.log(min(mean, 0.98))) if mean > 0.36 else 0.8
        lut[:, 0] = np.rint(level**gamma * tokens.picture_max)
    else:
        lut[:] = np.rint(level * tokens.picture_max).astype(np.uint8)[:, None]
    return lut


@dataclass(frozen=True, slots=True)
class Sizes:
    """Heights and gaps in pixels at 100 %. Touch mode makes everything a finger wide."""

    touch: bool = False
    toolbar: int = 28
    control: int = 32
    primary: int = 44
    table_row: int = 28
    table_header: int = 30
    list_row: int = 34
    gap: int = 8


NORMAL_SIZES = Sizes()
TOUCH_SIZES = Sizes(
    touch=True,
    toolbar=44,
    control=44,
    primary=44,
    table_row=44,
    table_header=44,
    list_row=44,
    gap=12,
)


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    """Families for all text, the first that is there counts."""
    system = SYSTEM_FAMILIES.get(sys.platform)
    if system is not None:
        return (system, *FALLBACKS)
    for weight in BUNDLED:
        QFontDatabase.addApplicationFont(str(resource(f"fonts/Inter-{weight}.ttf")))
    return (BUNDLED_FAMILY, *FALLBACKS)


class ThemeState(QObject):
    """Which theme is shown, and everything that follows from it.

    Signals
    -------
    changed(Tokens)
        Another theme, another night brightness or another size is shown now; palette, fonts and
        style sheet are already those of the new one.
    """

    changed = Signal(object)

    def __init__(
        self,
        name: str = "dark",
        *,
        night_brightness: int = 100,
        touch: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._name = name if name in THEMES else "dark"
        self._day_name = self._name if self._name != "night" else "dark"
        self._brightness = min(max(night_brightness, 40), 100)
        self._sizes = TOUCH_SIZES if touch else NORMAL_SIZES
        self._tokens = dimmed(THEMES[self._name], self._brightness)
        self._fonts: dict[tuple[int, int], QFont] = {}
        self._app: QApplication | None = None

    @property
    def tokens(self) -> Tokens:
        """Colours of the theme that is shown."""
        return self._tokens

    @property
    def name(self) -> str:
        """``dark``, ``night`` or ``light``."""
        return self._name

    @property
    def night_brightness(self) -> int:
        """Percent, 40 to 100."""
        return self._brightness

    @property
    def sizes(self) -> Sizes:
        """Heights and gaps: normal, or for fingers."""
        return self._sizes

    def attach(self, app: QApplication) -> None:
        """Style the application; call before the first window shows."""
        self._app = app
        app.setStyle("Fusion")
        self._apply()

    @Slot(str)
    def set_theme(self, name: str) -> None:
        """Show ``dark``, ``night`` or ``light``."""
        if name not in THEMES:
            raise ValueError(f"unknown theme {name!r}")
        if name != self._name:
            self._name = name
            if name != "night":
                self._day_name = name
            self._renew()

    @Slot()
    def toggle_night(self) -> None:
        """Go to the night theme, or back to the theme of the day."""
        self.set_theme(self._day_name if self._name == "night" else "night")

    @Slot(int)
    def set_night_brightness(self, percent: int) -> None:
        """Scale all red of the night theme, 40 to 100 percent."""
        percent = min(max(int(percent), 40), 100)
        if percent != self._brightness:
            self._brightness = percent
            if self._name == "night":
                self._renew()

    @Slot(bool)
    def set_touch(self, on: bool) -> None:
        """Make controls a finger wide, or normal."""
        if on != self._sizes.touch:
            self._sizes = TOUCH_SIZES if on else NORMAL_SIZES
            self._renew()

    def color(self, token: str) -> QColor:
        """Return a token of the theme that is shown, as a colour."""
        return self._tokens.color(token)

    def font(self, px: int = 14, weight: int = 400) -> QFont:
        """Return the interface's font, with figures of equal width.

        ``px`` 12 caption, 13 table, 14 body, 18 title and key value, 20 question, 28 count;
        ``weight`` 400, 500 or 600. Night makes it heavier, and captions a pixel larger.
        """
        kept = self._fonts.get((px, weight))
        if kept is None:
            kept = self._fonts[px, weight] = QFont()
            kept.setFamilies(list(_families()))
            kept.setPixelSize(max(px, self._tokens.caption_px))
            kept.setWeight(QFont.Weight(weight + self._tokens.weight_shift))
            kept.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
            kept.setFeature(QFont.Tag("tnum"), 1)
        return QFont(kept)

    def palette(self) -> QPalette:
        """Return the palette of the theme that is shown."""
        return _palette(self._tokens)

    def _renew(self) -> None:
        self._tokens = dimmed(THEMES[self._name], self._brightness)
        self._fonts.clear()
        self._apply()
        self.changed.emit(self._tokens)

    def _apply(self) -> None:
        if self._app is None:
            return
        from calibstudio.gui.theme_qss import stylesheet

        self._app.setFont(self.font())
        self._app.setPalette(self.palette())
        self._app.setStyleSheet(stylesheet(self._tokens, self._sizes))


def _palette(t: Tokens) -> QPalette:
    """Fill every role of every group, so that nothing is left to the system's colours."""
    role = QPalette.ColorRole
    colors = {
        role.Window: t.panel,
        role.WindowText: t.text,
        role.Base: t.bg,
        role.AlternateBase: t.card,
        role.ToolTipBase: t.card,
        role.ToolTipText: t.text,
        role.PlaceholderText: t.text3,
        role.Text: t.text,
        role.Button: t.ctl,
        role.ButtonText: t.text,
        role.BrightText: t.text,
        role.Light: t.line2,
        role.Midlight: t.line,
        role.Mid: t.line,
        role.Dark: t.bg,
        role.Shadow: t.bg,
        role.Highlight: t.selection,
        role.HighlightedText: t.text,
        role.Accent: t.accent,
        role.Link: t.accent,
        role.LinkVisited: t.accent,
    }
    palette = QPalette()
    for r, color in colors.items():
        palette.setColor(r, QColor(color))
    off = QPalette.ColorGroup.Disabled
    for r in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText, role.Link):
        palette.setColor(off, r, QColor(t.disabled))
    palette.setColor(off, role.Highlight, QColor(t.ctl))
    palette.setColor(off, role.Accent, QColor(t.disabled))
    return palette
