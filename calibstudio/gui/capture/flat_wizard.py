"""The flat wizard: light, filters and number, level and what may change, check and start."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QRadioButton, QWidget

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CameraInfo, PanelInfo
from calibstudio.domain.plan import LevelUnit, LightSource, Search
from calibstudio.domain.wording import EN_DASH, count, exposure, number, quantity
from calibstudio.gui.capture.settings_fields import SettingsFields
from calibstudio.gui.capture.simple_wizards import settings_words
from calibstudio.gui.capture.wizard import Page, Wizard
from calibstudio.gui.context import GuiContext
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import Labelled, NumberField
from calibstudio.gui.widgets.panels import Card
from calibstudio.gui.widgets.segmented import SegmentedControl

UNITS = ((LevelUnit.ADU, "ADU"), (LevelUnit.PERCENT, "% of range"), (LevelUnit.ELECTRONS, "e⁻"))
_DEFAULTS = {LevelUnit.ADU: 32000.0, LevelUnit.PERCENT: 50.0, LevelUnit.ELECTRONS: 25000.0}
_SUFFIX = {LevelUnit.ADU: "ADU", LevelUnit.PERCENT: "%", LevelUnit.ELECTRONS: "e⁻"}


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
        self.brightness = NumberField(
            context.theme,
            name="Panel brightness",
            unit=f"of {panel.max_brightness}" if panel is not None and has_lamp else "",
            minimum=1,
            maximum=panel.max_brightness if panel is not None and has_lamp else 1,
            value=draft.brightness or 1,
        )
        self._bright = Labelled("Panel brightness", self.brightness, note="3 s to settle")
        self._bright.setMaximumWidth(260)
        card.body.addWidget(self._bright)
        card.setMaximumWidth(720)
        self.fields = SettingsFields(context.theme, info)
        self.fields.show_settings(draft.settings)
        settings = Card("Camera settings")
        settings.body.addWidget(self.fields)
        settings.setMaximumWidth(720)
        self.body.addWidget(card)
        self.body.addWidget(settings)
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
    def _on_settings(self, settings: object) -> None:
        self._draft.settings = settings  # type: ignore[assignment]  # the signal's one type
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
            "Which filters, and how many flats of each?",
            "Dust and vignetting differ from filter to filter: each needs its own flats.",
        )
        self._draft = draft
        theme = context.theme
        self.boxes: dict[str, QCheckBox] = {}
        card = Card("Filters")
        row = QHBoxLayout()
        row.setSpacing(20)
        for name in filters:
            box = QCheckBox(name)
            box.setChecked(name in draft.filters)
            box.clicked.connect(self._on_edited)
            self.boxes[name] = box
            row.addWidget(box)
        row.addStretch(1)
        if filters:
            card.body.addLayout(row)
            card.setMaximumWidth(720)
            self.body.addWidget(card)
        self.number = NumberField(
            theme, name="Good flats of each", minimum=1, maximum=500, value=draft.count, large=True
        )
        self.darks = QCheckBox("Dark flats at the exposures that the flats end with")
        self.darks.setChecked(draft.with_dark_flats)
        frames = Card("Frames")
        frames.body.addWidget(Labelled("Good flats of each filter", self.number))
        frames.body.addWidget(self.darks)
        frames.setMaximumWidth(720)
        self.body.addWidget(frames)
        self.number.edited.connect(self._on_edited)
        self.darks.clicked.connect(self._on_edited)

    @Slot()
    def _on_edited(self) -> None:
        self._draft.filters = tuple(n for n, box in self.boxes.items() if box.isChecked())
        self._draft.count = round(self.number.value())
        self._draft.with_dark_flats = self.darks.isChecked()
        self.edited.emit()

    def answer(self) -> str:
        n = len(self._draft.filters)
        filters = count(n, "filter") if n else "as the wheel is"
        return f"{filters}, {count(self._draft.count, 'good frame')} each"


class LevelPage(Page):
    """How bright the flats should be, and what may be changed to get there."""

    def __init__(self, context: GuiContext, draft: FlatDraft, info: CameraInfo) -> None:
        super().__init__(
            "Level and exposure",
            "How bright should the flats be?",
            "Half of the range where the camera is linear is right for most. The exposure is "
            "searched with about three test frames for each filter.",
        )
        self._draft, self._info = draft, info
        theme = context.theme
        self.unit = SegmentedControl(
            theme, UNITS, name="Unit of the level", value=draft.target.unit
        )
        self.level = NumberField(
            theme,
            name="Level",
            unit=_SUFFIX[draft.target.unit],
            minimum=0.0,
            maximum=1e6,
            value=draft.target.value,
            large=True,
        )
        self.tolerance = NumberField(
            theme,
            name="Tolerance",
            unit="%",
            minimum=1,
            maximum=50,
            value=100 * draft.target.tolerance,
            large=True,
        )
        self._level = Labelled("Level", self.level)
        self._band = Labelled("Tolerance ±", self.tolerance)
        self.bar = LevelBar(theme, info.max_adu)
        target = Card("Target level")
        target.add_to_heading(self.unit)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._level, 3)
        row.addWidget(self._band, 2)
        target.body.addLayout(row)
        target.body.addWidget(self.bar)
        cards = QHBoxLayout()
        cards.setSpacing(20)
        cards.addWidget(target, 1)
        cards.addWidget(self._make_change(theme, draft, info), 1)
        self.body.addLayout(cards)
        self.unit.chosen.connect(self._on_unit)
        for field in (self.level, self.tolerance, self.shortest, self.longest):
            field.edited.connect(self._on_edited)
        for button in (self.by_exposure, self.by_brightness):
            button.clicked.connect(self._on_edited)
        self._show()

    def _make_change(self, theme: ThemeState, draft: FlatDraft, info: CameraInfo) -> Card:
        card = Card("What may change")
        self.by_exposure = QRadioButton("Search the exposure; the light stays")
        self.by_brightness = QRadioButton("Search the panel brightness; the exposure stays")
        self.by_exposure.setChecked(draft.search is Search.EXPOSURE)
        self.by_brightness.setChecked(draft.search is Search.BRIGHTNESS)
        card.body.addWidget(self.by_exposure)
        card.body.addWidget(self.by_brightness)
        self.shortest = _seconds(theme, "Shortest", draft.limits.shortest_s, info)
        self.longest = _seconds(theme, "Longest", draft.limits.longest_s, info)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.addWidget(
            Labelled("Shortest", self.shortest, note="below, panels and shutters leave bands"), 0, 0
        )
        grid.addWidget(
            Labelled("Longest", self.longest, note="beyond, take a brighter light"), 0, 1
        )
        card.body.addLayout(grid)
        return card

    def opened(self) -> None:
        self.by_brightness.setEnabled(self._draft.light is LightSource.PANEL)
        self.by_exposure.setChecked(self._draft.search is Search.EXPOSURE)
        self._show()

    @Slot(object)
    def _on_unit(self, unit: LevelUnit) -> None:
        self._draft.target = replace(self._draft.target, unit=unit, value=_DEFAULTS[unit])
        self.level.set_unit(_SUFFIX[unit])
        self.level.set_value(_DEFAULTS[unit])
        self._show()
        self.edited.emit()

    @Slot()
    def _on_edited(self) -> None:
        draft = self._draft
        draft.target = replace(
            draft.target, value=self.level.value(), tolerance=self.tolerance.value() / 100
        )
        draft.search = Search.EXPOSURE if self.by_exposure.isChecked() else Search.BRIGHTNESS
        draft.limits = replace(
            draft.limits, shortest_s=self.shortest.value(), longest_s=self.longest.value()
        )
        self._show()
        self.edited.emit()

    def _show(self) -> None:
        """Say what the target means, and draw it on the camera's range."""
        target, top = self._draft.target, float(self._info.max_adu)
        if target.unit is LevelUnit.ELECTRONS:
            self._level.set_note("above the bias; needs e⁻/ADU of the camera")
            self._band.set_note("")
            self.bar.show_target(None)
            return
        adu = target.adu(saturation_adu=top, bias_adu=0.0)
        low, high = target.band_adu(adu)
        share = f"{100 * adu / top:.0f}\u202f% of {number(top)}"
        raw = quantity(adu, "ADU")
        self._level.set_note(share if target.unit is LevelUnit.ADU else f"{raw}, bias included")
        self._band.set_note(f"{number(low)}{EN_DASH}{number(high)} ADU")
        self.bar.show_target((low, adu, high))

    def answer(self) -> str:
        return self._draft.target.words()


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


class LevelBar(QWidget):
    """The camera's range with the accepted band on it."""

    def __init__(self, theme: ThemeState, max_adu: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._top = theme, float(max_adu)
        self._band: tuple[float, float, float] | None = None
        self.setFixedHeight(64)
        self.setAccessibleName("Target level on the camera's range")

    def show_target(self, band: tuple[float, float, float] | None) -> None:
        """Show (lowest, target, highest) in ADU; None for a target that is not in ADU yet."""
        self._band = band
        if band is not None:
            low, target, high = (number(v) for v in band)
            self.setAccessibleDescription(f"{low} to {high} ADU around {target}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = self._theme.tokens
        painter = QPainter(self)
        width = self.width() - 2
        box = QRectF(1, 22, width, 18)
        painter.setFont(self._theme.font(12))
        painter.fillRect(box, QColor(t.ctl_hover))
        guard = box.left() + 0.9 * width
        painter.fillRect(
            QRectF(guard, box.top(), box.right() - guard, box.height()), QColor(t.bad_bg)
        )
        painter.setPen(QPen(QColor(t.bad), 1.5))
        painter.drawLine(round(guard), 20, round(guard), 42)
        right = int(Qt.AlignmentFlag.AlignRight)
        painter.drawText(QRectF(0, 0, guard + 60, 18), right, "saturates")
        painter.setPen(QColor(t.text3))
        painter.drawText(QRectF(1, 44, 80, 18), 0, "0")
        painter.drawText(QRectF(1, 44, width, 18), right, f"{number(self._top)} ADU")
        if self._band is None:
            return
        low, target, high = (box.left() + min(v / self._top, 1.0) * width for v in self._band)
        painter.fillRect(QRectF(low, box.top(), high - low, box.height()), QColor(t.selection))
        painter.setPen(QPen(QColor(t.accent), 1))
        painter.drawRect(QRectF(low, box.top(), high - low, box.height() - 1))
        painter.setPen(QPen(QColor(t.text), 2))
        painter.drawLine(round(target), 18, round(target), 44)
        painter.setPen(QColor(t.text))
        centre = int(Qt.AlignmentFlag.AlignHCenter)
        painter.drawText(QRectF(target - 60, 0, 120, 18), centre, "target")


class FlatCheckPage(Page):
    """The last page: everything once more, then Start."""

    def __init__(self, draft: FlatDraft) -> None:
        super().__init__(
            "Check and start",
            "Ready?",
            "The bias level is measured first, then the exposure of each filter is searched, then "
            "its flats are taken: each is judged, and one that drifted out of the band is taken "
            "again. Dark flats follow at the exposures found. The lamp goes off whatever happens.",
        )
        self._draft = draft
        self.build = QCheckBox("Build, judge and file the masters when the frames are taken")
        self.build.setChecked(draft.build_masters)
        self.build.clicked.connect(self._on_build)
        self.body.addWidget(self.build)

    @Slot()
    def _on_build(self) -> None:
        self._draft.build_masters = self.build.isChecked()
        self.edited.emit()

    def answer(self) -> str:
        return "masters are built" if self._draft.build_masters else "frames only"


class FlatWizard(Wizard):
    """Flats of one or several filters with dark flats."""

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        observatory = context.equipment.observatory
        info = observatory.camera.info
        wheel, panel = observatory.wheel, observatory.panel
        filters = () if wheel is None else wheel.filters
        self._panel = None if panel is None else panel.info
        draft = FlatDraft.for_camera(info, filters, self._panel)
        now = context.equipment.snapshot.filter_name
        draft.filters = (now,) if now in filters and now is not None else filters[:1]
        super().__init__(context, "New flats", draft, parent)
        self.flat = draft
        self._filters = filters
        self.set_pages(
            [
                LightPage(context, draft, info, self._panel),
                FilterPage(context, draft, filters),
                LevelPage(context, draft, info),
                FlatCheckPage(draft),
            ]
        )

    def problems(self) -> list[str]:
        found = self.flat.problems(
            self.info, wheel_filters=self._filters or None, panel=self._panel
        )
        if self._filters and not self.flat.filters:
            found.append("No filter is ticked. Tick at least one.")
        return found

    def facts(self) -> list[tuple[str, str]]:
        flat = self.flat
        n = max(len(flat.filters), 1)
        rows = [("Flats", f"{count(n, 'filter')} × {count(flat.count, 'good frame')}")]
        if flat.filters:
            rows.append(("Filters", ", ".join(flat.filters)))
        if flat.with_dark_flats:
            rows.append(("Dark flats", f"{count(n, 'exposure')} × {count(flat.count, 'frame')}"))
        rows.append(("Level", flat.target.words()))
        if flat.search is Search.EXPOSURE:
            low, high = flat.limits.exposures(self.info)
            rows.append(("Exposure", f"searched, {exposure(low)}{EN_DASH}{exposure(high)}"))
        else:
            rows.append(("Exposure", exposure(flat.exposure_s)))
        rows.append(("Settings", settings_words(flat.settings)))
        return rows

    def _start_words(self) -> str:
        return f"Start {count(max(len(self.flat.filters), 1), 'filter')}"
