"""The flat wizard's question of brightness: the level, what may change, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import LevelUnit, LightSource, Search
from calibstudio.domain.quality import Finding, Verdict
from calibstudio.domain.wording import EN_DASH, count, number, quantity
from calibstudio.gui.capture.level_bar import LevelBar
from calibstudio.gui.capture.page import Page
from calibstudio.gui.capture.start_table import StartSheet, StartTable
from calibstudio.gui.capture.worth import WorthCard
from calibstudio.gui.context import GuiContext
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import Labelled, NumberField
from calibstudio.gui.widgets.panels import Card
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.gui.widgets.verdict import VerdictCard
from calibstudio.services.start_values import Outlook, stale_words

UNITS = ((LevelUnit.ADU, "ADU"), (LevelUnit.PERCENT, "% of range"), (LevelUnit.ELECTRONS, "e⁻"))
_SUFFIX = {LevelUnit.ADU: "ADU", LevelUnit.PERCENT: "%", LevelUnit.ELECTRONS: "e⁻"}
_DEFAULTS = {LevelUnit.ADU: 32000.0, LevelUnit.PERCENT: 50.0, LevelUnit.ELECTRONS: 25000.0}


class LevelPage(Page):
    """How bright the flats should be, and what may be changed to get there."""

    def __init__(self, context: GuiContext, draft: FlatDraft, info: CameraInfo) -> None:
        super().__init__(
            "Level and exposure",
            "How bright should the flats be?",
            "Half of the range where the camera is linear is right for most.",
        )
        self._draft, self._info = draft, info
        self._outlook: Outlook | None = None
        theme = self._theme = context.theme
        self.add_columns(
            self._make_target(theme), self._make_change(theme), stack_when_compact=False
        )
        self.say_below()
        self.table = StartTable(theme)
        self.body.addWidget(self.table)
        self.worth = WorthCard(theme)
        self.search = Card("What the search does")
        self._search_words = label("", "secondary", wrap=True)
        self.search.body.addWidget(self._search_words)
        self.search.body.addStretch(1)
        self.stale = VerdictCard(theme)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.stale, 0, Qt.AlignmentFlag.AlignTop)
        column.addWidget(self.search, 1)
        self.add_columns(self.worth, side)
        self.table.edit.clicked.connect(self._on_edit_table)
        self._connect()
        self._show_change()

    def _make_target(self, theme: ThemeState) -> Card:
        target = self._draft.target
        self.unit = SegmentedControl(theme, UNITS, name="Unit of the level", value=target.unit)
        self.level = NumberField(
            theme,
            name="Level",
            unit=_SUFFIX[target.unit],
            minimum=0.0,
            maximum=1e6,
            value=target.value,
            large=True,
        )
        self.tolerance = NumberField(
            theme,
            name="Tolerance",
            unit="%",
            minimum=1,
            maximum=50,
            value=100 * target.tolerance,
            large=True,
        )
        self._level = Labelled("Level", self.level)
        self._band = Labelled("Tolerance ±", self.tolerance)
        self.bar = LevelBar(theme, self._info.max_adu)
        card = Card("Target level")
        card.add_to_heading(self.unit)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._level, 3, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._band, 2, Qt.AlignmentFlag.AlignTop)
        card.body.addLayout(row)
        card.body.addWidget(self.bar)
        card.body.addStretch(1)
        return card

    def _make_change(self, theme: ThemeState) -> Card:
        draft, info = self._draft, self._info
        card = Card("What may change")
        self.by_exposure = QRadioButton("Search the exposure")
        self.by_brightness = QRadioButton("Search the panel brightness")
        self.replay = QRadioButton("Replay the trained values")
        self._choices = {
            Search.EXPOSURE: self.by_exposure,
            Search.BRIGHTNESS: self.by_brightness,
            Search.NOTHING: self.replay,
        }
        self._said: dict[Search, ElidedLabel] = {}
        for search, button in self._choices.items():
            row = QHBoxLayout()
            row.setSpacing(10)
            self._said[search] = ElidedLabel("", "small", tone="text2")
            row.addWidget(button)
            row.addWidget(self._said[search], 1)
            card.body.addLayout(row)
        self.shortest = _seconds(theme, "Shortest", draft.limits.shortest_s, info)
        self.longest = _seconds(theme, "Longest", draft.limits.longest_s, info)
        self.exposure = _seconds(theme, "Exposure", draft.exposure_s, info)
        banding = "below, the shutter shades" if info.has_shutter else "below, panels leave bands"
        self._shortest = Labelled("Shortest", self.shortest, note=banding)
        self._longest = Labelled("Longest", self.longest, note="beyond, take a brighter light")
        self._exposure = Labelled("Exposure", self.exposure, note="of every filter")
        fields = QHBoxLayout()
        fields.setSpacing(12)
        for field in (self._shortest, self._longest, self._exposure):
            fields.addWidget(field, 1, Qt.AlignmentFlag.AlignTop)
        card.body.addLayout(fields)
        card.body.addStretch(1)
        return card

    def _connect(self) -> None:
        self.unit.chosen.connect(self._on_unit)
        for field in (self.level, self.tolerance, self.shortest, self.longest, self.exposure):
            field.edited.connect(self._on_edited)
        for button in self._choices.values():
            button.clicked.connect(self._on_edited)

    def opened(self) -> None:
        self._show_change()

    @Slot(object)
    def _on_unit(self, unit: LevelUnit) -> None:
        """Say the same level in another unit, as far as it is known; else the usual one."""
        before, value = self._outlook, _DEFAULTS[unit]
        if before is not None and unit is LevelUnit.ADU and before.target_adu is not None:
            value = float(round(before.target_adu, -1))
        elif before is not None and unit is LevelUnit.PERCENT and before.target_adu is not None:
            value = float(round(100 * before.target_adu / before.saturation_adu))
        elif before is not None and unit is LevelUnit.ELECTRONS and before.electrons is not None:
            value = float(round(before.electrons, -2))
        self._draft.target = replace(self._draft.target, unit=unit, value=value)
        self.level.set_unit(_SUFFIX[unit])
        self.level.set_value(value)
        self.edited.emit()

    @Slot()
    def _on_edited(self) -> None:
        draft = self._draft
        draft.target = replace(
            draft.target, value=self.level.value(), tolerance=self.tolerance.value() / 100
        )
        draft.search = next(s for s, button in self._choices.items() if button.isChecked())
        draft.limits = replace(
            draft.limits, shortest_s=self.shortest.value(), longest_s=self.longest.value()
        )
        draft.exposure_s = self.exposure.value()
        if draft.search is not Search.EXPOSURE:
            draft.start_exposures_s = {}
        self._show_change()
        self.edited.emit()

    @Slot()
    def _on_edit_table(self) -> None:
        StartSheet(self._theme, self.window(), self.table.rows, self._info, self._on_typed).open()

    def _on_typed(self, typed: Mapping[str, float]) -> None:
        self._draft.start_exposures_s = dict(typed)
        self.edited.emit()

    # Showing

    def show_outlook(self, outlook: Outlook, *, is_read: bool, is_asked: bool) -> None:
        """Show what the answers lead to: table, curve, bar, and values that are old."""
        self._outlook = outlook
        self.table.show_outlook(outlook, self._draft, is_read=is_read)
        self.worth.show_flats(self._draft.count, outlook.electrons, asked=is_asked)
        self._show_level(outlook, is_asked=is_asked)
        self._show_search(outlook)
        self._show_change()

    def _show_level(self, outlook: Outlook, *, is_asked: bool) -> None:
        """Say what the target means, and draw it on the camera's range."""
        target, top = self._draft.target, outlook.saturation_adu
        if outlook.target_adu is None:
            unknown = "the camera does not say what an ADU is worth" if is_asked else "asking…"
            self._level.set_note(unknown)
            self._band.set_note("")
            self.bar.show_target(None, saturation_adu=top, bias_adu=outlook.bias_adu)
            return
        adu = outlook.target_adu
        low, high = target.band_adu(adu)
        parts = []
        if target.unit is not LevelUnit.ADU:
            parts.append(quantity(adu, "ADU"))
        if target.unit is not LevelUnit.PERCENT:
            parts.append(f"{100 * adu / top:.0f}\u202f% of {number(top)}")
        if target.unit is not LevelUnit.ELECTRONS and outlook.electrons is not None:
            parts.append(f"{quantity(outlook.electrons / 1000, 'ke⁻', 1)} per pixel")
        self._level.set_note(" · ".join(parts))
        self._band.set_note(f"{number(low)}{EN_DASH}{number(high)} ADU")
        band = (low, adu, high)
        self.bar.show_target(band, saturation_adu=top, bias_adu=outlook.bias_adu)

    def _show_change(self) -> None:
        """Enable what is possible and say why the rest is not."""
        draft, outlook = self._draft, self._outlook
        on_panel = draft.light is LightSource.PANEL
        self.by_brightness.setEnabled(on_panel)
        untrained = () if outlook is None else outlook.untrained
        self.replay.setEnabled(outlook is not None and not untrained)
        dial = "" if draft.brightness is None else f" at {number(draft.brightness)}"
        said = {
            Search.EXPOSURE: f"panel stays{dial}" if on_panel else "the light stays",
            Search.BRIGHTNESS: "exposure stays" if on_panel else "only a panel can be dimmed",
            Search.NOTHING: "no test frames; every frame is still judged"
            if not untrained
            else f"not trained: {', '.join(untrained)}",
        }
        for search, words in said.items():
            self._said[search].setText(words)
            self._choices[search].setChecked(search is draft.search)
        by_brightness = draft.search is Search.BRIGHTNESS
        self._exposure.setVisible(by_brightness)
        self._shortest.setVisible(draft.search is Search.EXPOSURE)
        self._longest.setVisible(draft.search is Search.EXPOSURE)
        self.table.edit.setEnabled(draft.search is Search.EXPOSURE)

    def _show_search(self, outlook: Outlook) -> None:
        """Say what the search does with old and missing values."""
        stale = outlook.stale
        self.stale.setVisible(bool(stale))
        self.search.setVisible(not stale)
        if stale:
            oldest = max(stale, key=lambda r: r.days or 0)
            days = count(oldest.days or 0, "day")
            name = f"{oldest.filter} start value" if oldest.filter else "the start value"
            self.stale.show_finding(
                Finding(
                    Verdict.WARN,
                    f"{name} is {days} old",
                    stale_words(oldest),
                    "the lamp may have dimmed since. The search starts there and corrects itself; "
                    "one or two more test frames.",
                    "none needed. The new value replaces the old one after this run.",
                )
            )
            return
        self._search_words.setText(_search_sentence(self._draft.search, outlook))

    def answer(self) -> str:
        return self._draft.target.words()


def _search_sentence(search: Search, outlook: Outlook) -> str:
    if search is Search.NOTHING:
        return (
            "Every filter is taken with the exposure that was found before. A frame that leaves "
            "the tolerance is set aside with its reason and taken again."
        )
    if search is Search.BRIGHTNESS:
        return (
            "The panel is dimmed or brightened until the level is reached; every frame has the "
            "same exposure, so one set of dark flats serves all filters."
        )
    first = "The bias level is measured first. "
    if outlook.untrained:
        return (
            f"{first}{', '.join(outlook.untrained)}: nothing was found before with these settings. "
            "The search starts at the exposure above and takes 3 to 5 test frames; what it finds "
            "is kept for the next time."
        )
    return (
        f"{first}The search starts at the trained exposures, so one or two test frames are "
        "enough. A lamp that drifts is followed from frame to frame."
    )


def _seconds(theme: ThemeState, name: str, value: float | None, info: CameraInfo) -> NumberField:
    """A field for an exposure that the camera can do."""
    return NumberField(
        theme,
        name=name,
        unit="s",
        value=value or 0.0,
        minimum=info.exposure_min_s,
        maximum=info.exposure_max_s,
        decimals=3,
        trim=True,
    )
