"""The flat wizard: light, filters and number, level and what may change, check and start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import Observatory, PanelInfo
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.plan import CapturePlan, Estimate, LightSource, Search
from calibstudio.domain.wording import EN_DASH, count, exposure
from calibstudio.gui.capture.camera_facts import CameraFacts
from calibstudio.gui.capture.check_page import CheckPage
from calibstudio.gui.capture.flat_level_page import LevelPage
from calibstudio.gui.capture.flat_pages import FilterPage, LightPage
from calibstudio.gui.capture.wizard import Wizard
from calibstudio.gui.capture.words import settings_words
from calibstudio.gui.context import GuiContext
from calibstudio.services.answers import AnswerStore
from calibstudio.services.start_values import Outlook, outlook

if TYPE_CHECKING:
    from calibstudio.services.trained import TrainedStore

CHECK_HINT = (
    "The bias level is measured first, then the exposure of each filter is searched and its flats "
    "are taken. Dark flats follow at the exposures found, the fewest that serve. The lamp goes off "
    "whatever happens."
)


def first_draft(context: GuiContext, answers: AnswerStore) -> FlatDraft:
    """Return the answers of last time, or those of an expert, with the filter now in the beam."""
    observatory = context.equipment.observatory
    info = observatory.camera.info
    filters = () if observatory.wheel is None else observatory.wheel.filters
    panel = _panel_info(observatory)
    draft = FlatDraft.for_camera(info, filters, panel)
    now = context.equipment.snapshot.filter_name
    draft.filters = (now,) if now in filters and now is not None else filters[:1]
    draft = answers.recall(
        FlatWizard.name, draft, lambda d: d.problems(info, wheel_filters=filters, panel=panel)
    )
    if draft.light is LightSource.PANEL and draft.brightness is None and panel is not None:
        draft.brightness = max(1, panel.max_brightness // 2)
    return draft


def _panel_info(observatory: Observatory) -> PanelInfo | None:
    return None if observatory.panel is None else observatory.panel.info


class FlatWizard(Wizard):
    """Flats of one or several filters with dark flats."""

    name = "flat"

    def __init__(
        self, context: GuiContext, answers: AnswerStore, parent: QWidget | None = None
    ) -> None:
        observatory = context.equipment.observatory
        info = observatory.camera.info
        self._filters = () if observatory.wheel is None else observatory.wheel.filters
        self._panel = _panel_info(observatory)
        draft = first_draft(context, answers)
        super().__init__(context, "New flats", draft, parent)
        self.flat = draft
        self._trained: TrainedStore | None = None
        self._outlook: Outlook | None = None
        self._facts = CameraFacts(context, self)
        self._facts.changed.connect(self._on_edited)
        self.light = LightPage(context, draft, info, self._panel)
        self.filter = FilterPage(context, draft, self._filters)
        self.level = LevelPage(context, draft, info)
        self.check = CheckPage(context.theme, draft, CHECK_HINT)
        self.set_pages([self.light, self.filter, self.level, self.check])
        self._read_trained(observatory.name)

    def _read_trained(self, rig: str) -> None:
        folder = self.context.data_folder

        def work(ctx: JobContext) -> TrainedStore:
            from calibstudio.services.trained import TrainedStore

            return TrainedStore.for_rig(folder, rig)

        job = self.context.background.submit("Trained flats", work, quiet=True)
        job.succeeded.connect(self._on_trained)
        job.failed.connect(self.context.problems.report)

    @Slot(object)
    def _on_trained(self, trained: TrainedStore) -> None:
        self._trained = trained
        if trained.complaint:
            self.context.toasts.say(trained.complaint, "warn")
        self._on_edited()

    def renew(self) -> None:
        conversion = self._facts.conversion(self.flat.settings)
        is_asked = self._facts.is_known(self.flat.settings)
        now = self.context.equipment.observatory.clock.now()
        self._outlook = outlook(self.flat, self.info, self._trained, conversion, now)
        if self.flat.search is Search.NOTHING:
            self.flat.start_exposures_s = {
                r.filter: r.exposure_s for r in self._outlook.rows if r.is_trained
            }
        self.level.show_outlook(self._outlook, is_read=self._trained is not None, is_asked=is_asked)
        self.filter.worth.show_flats(self.flat.count, self._outlook.electrons, asked=is_asked)

    def problems(self) -> list[str]:
        found = self.flat.problems(
            self.info, wheel_filters=self._filters or None, panel=self._panel
        )
        if self._filters and not self.flat.filters:
            found.append("No filter is ticked. Tick at least one.")
        if self.flat.search is Search.NOTHING and self._trained is None:
            found.append("The trained values are still being read.")
        elif self.flat.search is Search.NOTHING and self._outlook is not None:
            found += [
                f"{name[:1].upper()}{name[1:]} is not trained for these settings. "
                "Search the exposure instead."
                for name in self._outlook.untrained
            ]
        return found

    def _exposures_s(self) -> dict[str, float]:
        return {} if self._outlook is None else self._outlook.exposures_s()

    def estimate(self) -> Estimate:
        return self.flat.estimate(self.info, exposures_s=self._exposures_s())

    def show_costs(self, plan: CapturePlan) -> None:
        self.check.show_plan(plan, self.info, self._exposures_s())

    def facts(self) -> list[tuple[str, str]]:
        flat = self.flat
        n = max(len(flat.filters), 1)
        rows = [("Flats", f"{count(n, 'filter')} × {count(flat.count, 'good frame')}")]
        if flat.filters:
            rows.append(("Filters", ", ".join(flat.filters)))
        if flat.with_dark_flats:
            rows.append(("Dark flats", f"{count(n, 'exposure')} × {count(flat.count, 'frame')}"))
        rows.append(("Level", flat.target.words()))
        rows.append(("Exposure", self._exposure_words()))
        rows.append(("Settings", settings_words(flat.settings)))
        return rows

    def _exposure_words(self) -> str:
        flat = self.flat
        if flat.search is Search.EXPOSURE:
            low, high = flat.limits.exposures(self.info)
            return f"searched, {exposure(low)}{EN_DASH}{exposure(high)}"
        if flat.search is Search.NOTHING:
            return "as trained"
        return exposure(flat.exposure_s)

    def _start_words(self) -> str:
        if not self.flat.filters:
            return f"Start {count(self.flat.count, 'flat')}"
        return f"Start {count(len(self.flat.filters), 'filter')}"
