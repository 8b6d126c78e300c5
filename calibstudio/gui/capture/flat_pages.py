"""The flat wizard's first pages: the light, and the filters with the number of frames."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QRadioButton

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CameraInfo, PanelInfo
from calibstudio.domain.plan import CameraSettings, LightSource, Search
from calibstudio.domain.wording import count, number
from calibstudio.gui.capture.page import Page, at_top
from calibstudio.gui.capture.settings_fields import SettingsFields
from calibstudio.gui.capture.worth import WorthCard
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.fields import Labelled, NumberField
from calibstudio.gui.widgets.panels import Card

FILTERS_A_ROW = 4


class LightPage(Page):
    """Where the light comes from, and the camera's settings."""

    def __init__(
        self,
        context: GuiContext,
        draft: FlatDraft,
        info: CameraInfo,
        panel: PanelInfo | None,
    ) -> None:
        super().__init__(
            "Light source",
            "Where does the light come from?",
            "It must be even over the whole opening, and steady while the flats are taken.",
        )
        self._draft, self._panel = draft, panel
        has_lamp = panel is not None and panel.has_lamp
        name = panel.name if panel is not None else "no panel is connected"
        self.panel = QRadioButton(f"A panel that CalibStudio switches: {name}")
        self.panel.setEnabled(has_lamp)
        self.lamp = QRadioButton("A steady light that you switch: dome screen, tablet, lit wall")
        self.panel.setChecked(draft.light is LightSource.PANEL)
        self.lamp.setChecked(draft.light is LightSource.LAMP)
        card = Card("Light")
        card.body.addWidget(self.panel)
        card.body.addWidget(self.lamp)
        most = panel.max_brightness if panel is not None and has_lamp else 1
        self.brightness = NumberField(
            context.theme,
            name="Panel brightness",
            unit=f"of {most}" if has_lamp else "",
            minimum=1,
            maximum=most,
            value=draft.brightness or 1,
            large=True,
        )
        self._bright = Labelled("Panel brightness", self.brightness, note="3 s to settle")
        self._bright.setMaximumWidth(260)
        card.body.addWidget(self._bright)
        self.fields = SettingsFields(context.theme, info)
        self.fields.show_settings(draft.settings)
        settings = Card("Camera settings", note="those of the lights")
        settings.body.addWidget(self.fields)
        self.add_columns(at_top(card), at_top(settings))
        for button in (self.panel, self.lamp):
            button.clicked.connect(self._on_light)
        self.brightness.edited.connect(self._on_light)
        self.fields.edited.connect(self._on_settings)
        self._show_brightness()

    def _show_brightness(self) -> None:
        self._bright.setVisible(self._draft.light is LightSource.PANEL)

    @Slot()
    def _on_light(self) -> None:
        on_panel = self.panel.isChecked()
        self._draft.light = LightSource.PANEL if on_panel else LightSource.LAMP
        self._draft.brightness = round(self.brightness.value()) if on_panel else None
        if not on_panel and self._draft.search is Search.BRIGHTNESS:
            self._draft.search = Search.EXPOSURE
        self._show_brightness()
        self.edited.emit()

    @Slot(object)
    def _on_settings(self, settings: CameraSettings) -> None:
        self._draft.settings = settings
        self.edited.emit()

    def answer(self) -> str:
        if self._draft.light is LightSource.PANEL and self._panel is not None:
            return f"{self._panel.name}, {number(self._draft.brightness or 0)}"
        return "a light that you switch"


class FilterPage(Page):
    """Which filters, in the wheel's order, and how many flats of each."""

    def __init__(self, context: GuiContext, draft: FlatDraft, filters: tuple[str, ...]) -> None:
        super().__init__(
            "Filters and number",
            "Which filters, and how many flats of each?" if filters else "How many flats?",
            "Dust and vignetting differ from filter to filter: each needs its own flats.",
        )
        self._draft = draft
        self.boxes: dict[str, QCheckBox] = {}
        for name in filters:
            box = QCheckBox(name)
            box.setChecked(name in draft.filters)
            box.clicked.connect(self._on_edited)
            self.boxes[name] = box
        self.number = NumberField(
            context.theme,
            name="Good flats of each",
            minimum=1,
            maximum=500,
            value=draft.count,
            large=True,
        )
        self.darks = QCheckBox("Dark flats at the exposures that the flats end with")
        self.darks.setChecked(draft.with_dark_flats)
        frames = Card("Frames")
        frames.body.addWidget(Labelled("Good flats of each filter", self.number))
        frames.body.addWidget(self.darks)
        frames.body.addStretch(1)
        if filters:
            self.add_columns(self._make_filters(filters), frames, stack_when_compact=False)
        else:
            self.body.addWidget(frames)
        self.worth = WorthCard(context.theme, tall=True)
        self.body.addWidget(self.worth)
        self.number.edited.connect(self._on_edited)
        self.darks.clicked.connect(self._on_edited)

    def _make_filters(self, filters: tuple[str, ...]) -> Card:
        is_sky = self._draft.light is LightSource.SKY
        note = "in the order of the light" if is_sky else "taken in this order"
        card = self._filters = Card("Filters", note=note)
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(6)
        for i, name in enumerate(filters):
            grid.addWidget(self.boxes[name], i // FILTERS_A_ROW, i % FILTERS_A_ROW)
        grid.setColumnStretch(FILTERS_A_ROW, 1)
        card.body.addLayout(grid)
        card.body.addStretch(1)
        return card

    def say_order(self, why: str) -> None:
        """Say where the order of the light comes from."""
        if self.boxes:
            self._filters.set_note(why)

    @Slot()
    def _on_edited(self) -> None:
        self._draft.filters = tuple(n for n, box in self.boxes.items() if box.isChecked())
        self._draft.count = round(self.number.value())
        self._draft.with_dark_flats = self.darks.isChecked()
        self.edited.emit()

    def answer(self) -> str:
        if not self.is_answered():
            return "no filter yet"
        n = len(self._draft.filters)
        filters = count(n, "filter") if n else "as the wheel is"
        return f"{filters}, {count(self._draft.count, 'good frame')} each"

    def is_answered(self) -> bool:
        return bool(self._draft.filters) or not self.boxes

    def set_compact(self, compact: bool) -> None:
        super().set_compact(compact)
        self.worth.set_compact(compact)
