"""The twilight wizard: dusk or dawn, filters in the order of the light, level and its clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QRadioButton, QWidget

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CameraInfo, Observatory
from calibstudio.domain.outlook import saturation_adu, step_costs
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    Estimate,
    LevelTarget,
    LevelUnit,
    LightSource,
)
from calibstudio.domain.sun import sun_altitude_deg
from calibstudio.domain.twilight import Twilight, next_twilight
from calibstudio.domain.twilight_outlook import FilterWindow, sky_windows
from calibstudio.domain.wording import EN_DASH, count, duration, exposure, number
from calibstudio.gui.capture.camera_facts import CameraFacts
from calibstudio.gui.capture.check_page import CheckPage
from calibstudio.gui.capture.flat_pages import FilterPage
from calibstudio.gui.capture.framed_table import FramedTable
from calibstudio.gui.capture.page import Page, at_top
from calibstudio.gui.capture.settings_fields import SettingsFields
from calibstudio.gui.capture.wizard import Wizard
from calibstudio.gui.capture.words import settings_words
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.fields import Labelled, NumberField
from calibstudio.gui.widgets.panels import Card
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView
from calibstudio.gui.widgets.text import label
from calibstudio.services.answers import AnswerStore
from calibstudio.services.sky_order import (
    LightOrder,
    in_measured_order,
    light_order,
    measured_e,
)
from calibstudio.services.trained import TrainedStore

CHECK_HINT = (
    "The cover opens when the Sun is low. It waits for the light, follows it from frame to frame, "
    "and says when it is over. Dark flats follow at the exposures that the flats had."
)


class SkyPage(Page):
    """Which end of the night, where the telescope points, and the camera's settings."""

    def __init__(self, context: GuiContext, draft: FlatDraft, info: CameraInfo) -> None:
        super().__init__(
            "Dusk or dawn",
            "Which end of the night?",
            "The sky must be clear: clouds are uneven and change from frame to frame.",
        )
        self._draft = draft
        self.dusk = QRadioButton("Dusk: narrow and blue filters first")
        self.dawn = QRadioButton("Dawn: broad filters first")
        self.dusk.setChecked(draft.twilight is Twilight.DUSK)
        self.dawn.setChecked(draft.twilight is Twilight.DAWN)
        card = Card("Twilight")
        card.body.addWidget(self.dusk)
        card.body.addWidget(self.dawn)
        card.body.addWidget(label(_pointing(context.equipment.observatory), "secondary", wrap=True))
        self.fields = SettingsFields(context.theme, info)
        self.fields.show_settings(draft.settings)
        settings = Card("Camera settings", note="those of the lights")
        settings.body.addWidget(self.fields)
        self.add_columns(at_top(card), at_top(settings))
        for button in (self.dusk, self.dawn):
            button.clicked.connect(self._on_twilight)
        self.fields.edited.connect(self._on_settings)

    @Slot()
    def _on_twilight(self) -> None:
        self._draft.twilight = Twilight.DUSK if self.dusk.isChecked() else Twilight.DAWN
        self.edited.emit()

    @Slot(object)
    def _on_settings(self, settings: CameraSettings) -> None:
        self._draft.settings = settings
        self.edited.emit()

    def answer(self) -> str:
        return str(self._draft.twilight)


def _pointing(observatory: Observatory) -> str:
    if observatory.mount is None:
        return "No mount is connected: point the telescope near the zenith, away from the Sun."
    return (
        "The telescope points 12° from the zenith away from the Sun, moves a little between "
        "frames, and points back at the end."
    )


def _clock(window: FilterWindow, *, end: bool) -> str:
    moment = window.ends if end else window.begins
    return "not tonight" if moment is None else f"{moment:%H:%M} UTC"


def _ahead(moment: datetime, now: datetime) -> str:
    return duration(60.0 * max(1, round((moment - now) / timedelta(minutes=1))))


def _sun(window: FilterWindow) -> str:
    return "" if window.sun_deg is None else f"{number(window.sun_deg, 1)}°"


class ClockPage(Page):
    """The level, the limits of the exposure, and when each filter has its light."""

    def __init__(self, context: GuiContext, draft: FlatDraft, info: CameraInfo) -> None:
        super().__init__(
            "Level and clock",
            "Which level, and within which exposures?",
            "Each exposure is worked out for the moment it begins. Longer ones collect stars, "
            "shorter ones show the shutter.",
        )
        self._draft = draft
        theme = context.theme
        percent = draft.target.value if draft.target.unit is LevelUnit.PERCENT else 50.0
        shortest, longest = draft.limits.exposures(info)
        self.level = NumberField(
            theme, name="Level", unit="%", minimum=5, maximum=85, value=percent, large=True
        )
        self.shortest = NumberField(
            theme, name="Shortest exposure", unit="s", decimals=2, minimum=info.exposure_min_s,
            maximum=info.exposure_max_s, value=shortest, large=True,
        )  # fmt: skip
        self.longest = NumberField(
            theme, name="Longest exposure", unit="s", decimals=2, minimum=info.exposure_min_s,
            maximum=info.exposure_max_s, value=longest, large=True,
        )  # fmt: skip
        level, limits = Card("Level"), Card("Exposure")
        level.body.addWidget(Labelled("Level, of saturation", self.level, note="± 10 %"))
        limits.body.addWidget(Labelled("Shortest", self.shortest))
        limits.body.addWidget(Labelled("Longest", self.longest))
        self.add_columns(at_top(level), at_top(limits), stack_when_compact=False)
        self.model: RecordTableModel[FilterWindow] = RecordTableModel(
            (
                Column("Filter", lambda w: w.filter or "as the wheel is", width=120, strong=True),
                Column("Begins about", lambda w: _clock(w, end=False), align="right", width=140),
                Column("Sun", _sun, align="right", width=80),
                Column("Ends about", lambda w: _clock(w, end=True), align="right", width=140),
                Column("", lambda w: "", width=1),
            ),
            key=lambda w: w.filter,
        )
        table = TableView(theme, self.model, name="Clock of the filters", row_height=32)
        self.clock = FramedTable(theme, "In the order of the light", table, most_rows=8)
        self.body.addWidget(self.clock)
        for field in (self.level, self.shortest, self.longest):
            field.edited.connect(self._on_edited)

    @Slot()
    def _on_edited(self) -> None:
        draft = self._draft
        draft.target = LevelTarget(self.level.value(), LevelUnit.PERCENT, draft.target.tolerance)
        draft.limits = type(draft.limits)(self.shortest.value(), self.longest.value())
        self.edited.emit()

    def show_windows(self, windows: list[FilterWindow], note: str) -> None:
        """Show when each filter has its light, or why that is not known."""
        self.model.set_records(windows)
        self.clock.note.setText(note)
        self.clock.fit()

    def answer(self) -> str:
        low, high = self._draft.limits.shortest_s or 0.0, self._draft.limits.longest_s or 0.0
        return f"{self._draft.target.words()}, {exposure(low)}{EN_DASH}{exposure(high)}"


class TwilightWizard(Wizard):
    """Flats of the twilight sky through several filters."""

    name = "twilight"

    def __init__(
        self, context: GuiContext, answers: AnswerStore, parent: QWidget | None = None
    ) -> None:
        observatory = context.equipment.observatory
        info = observatory.camera.info
        self._filters = () if observatory.wheel is None else observatory.wheel.filters
        draft = FlatDraft.for_sky(info, self._filters)
        draft = answers.recall(
            self.name, draft, lambda d: d.problems(info, wheel_filters=self._filters)
        )
        draft.light = LightSource.SKY
        if observatory.site is not None:
            draft.twilight = next_twilight(observatory.clock.now(), observatory.site)
        super().__init__(context, "New twilight flats", draft, parent)
        self.flat = draft
        self._facts = CameraFacts(context, self)
        self._facts.changed.connect(self._on_edited)
        self._trained = TrainedStore.for_rig(context.data_folder, observatory.name)
        self.sky = SkyPage(context, draft, info)
        self.filter = FilterPage(context, draft, self._filters)
        self.clock = ClockPage(context, draft, info)
        self.check = CheckPage(context.theme, draft, CHECK_HINT)
        self.set_pages([self.sky, self.filter, self.clock, self.check])

    def made_plan(self) -> CapturePlan:
        return in_measured_order(self.draft.plan(self.info), self._trained)

    def _order(self) -> LightOrder:
        flat = self.flat
        return light_order(flat.filters, flat.twilight, flat.settings, self._trained)

    def renew(self) -> None:
        windows, note = self._windows()
        self.filter.say_order(self._order().why)
        self.clock.show_windows(windows, note)
        conversion = self._facts.conversion(self.flat.settings)
        self.filter.worth.show_flats(
            self.flat.count, self._signal_e(), asked=conversion is not None
        )

    def _signal_e(self) -> float | None:
        conversion = self._facts.conversion(self.flat.settings)
        if conversion is None:
            return None
        top = saturation_adu(self.info, 0.0, conversion)
        return (
            self.flat.target.adu(saturation_adu=top, bias_adu=0.0, e_per_adu=conversion.e_per_adu)
            * conversion.e_per_adu
        )

    def _windows(self) -> tuple[list[FilterWindow], str]:
        observatory = self.context.equipment.observatory
        site, signal_e = observatory.site, self._signal_e()
        names = self._order().filters or ("",)
        plain = [FilterWindow(name, None, None, None) for name in names]
        if site is None:
            return plain, "No site is set in the rig"
        if signal_e is None or self.info.pixel_size_um is None:
            return plain, "What an ADU is worth is not known"
        now = observatory.clock.now()
        try:
            found = sky_windows(
                names, self.flat.twilight, now=now, site=site, optics=observatory.optics,
                pixel_um=self.info.pixel_size_um * self.flat.settings.binning,
                signal_e=signal_e, limits_s=self.flat.limits.exposures(self.info),
                measured_e=self._measured_e(),
            )  # fmt: skip
        except ValueError:
            return plain, "Aperture and focal length are not set in the rig"
        sun = number(sun_altitude_deg(now, site), 1)
        first = found[0].begins
        wait = "" if first is None or first <= now else f"; begins in {_ahead(first, now)}"
        return found, f"Now {now:%H:%M} UTC, Sun {sun}°{wait}; estimated, test frames tell"

    def _measured_e(self) -> dict[str, float]:
        conversion = self._facts.conversion(self.flat.settings)
        if conversion is None:
            return {}
        return measured_e(self._trained, self.flat.settings, conversion.e_per_adu)

    def problems(self) -> list[str]:
        found = self.flat.problems(self.info, wheel_filters=self._filters or None)
        if self._filters and not self.flat.filters:
            found.append("No filter is ticked. Tick at least one.")
        return found

    def estimate(self) -> Estimate:
        """What it costs, the waiting for the light of each filter included."""
        plain = self.flat.estimate(self.info)
        costs = {c.step.filter or "": c.seconds for c in step_costs(self._flats(), self.info)}
        now = self.context.equipment.observatory.clock.now()
        ends = now
        for window in self.clock.model.records:
            begins = ends if window.begins is None else max(ends, window.begins)
            ends = begins + timedelta(seconds=costs.get(window.filter, 0.0))
        waited = (ends - now) / timedelta(seconds=1) - sum(costs.values())
        waiting_s = max(0.0, waited)
        return replace(plain, seconds=plain.seconds + waiting_s, waiting_s=waiting_s)

    def _flats(self) -> CapturePlan:
        return replace(self.flat, with_dark_flats=False).plan(self.info)

    def show_costs(self, plan: CapturePlan) -> None:
        self.check.show_plan(plan, self.info)

    def facts(self) -> list[tuple[str, str]]:
        flat = self.flat
        n = max(len(flat.filters), 1)
        rows = [
            ("Twilight", str(flat.twilight)),
            ("Flats", f"{count(n, 'filter')} × {count(flat.count, 'good frame')}"),
        ]
        if flat.filters:
            order = self._order()
            rows.append(("Order", ", ".join(order.filters)))
            rows.append(("Ordered", order.why))
        if flat.with_dark_flats:
            rows.append(("Dark flats", "the fewest that serve"))
        rows.append(("Level", flat.target.words()))
        rows.append(("Settings", settings_words(flat.settings)))
        return rows

    def _start_words(self) -> str:
        if not self.flat.filters:
            return f"Start {count(self.flat.count, 'flat')}"
        return f"Start {count(len(self.flat.filters), 'filter')}"
