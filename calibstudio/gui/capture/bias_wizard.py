"""The bias wizard, and the page of camera settings that the covered wizards share."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from calibstudio.domain.drafts import BiasDraft
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import CameraSettings, CapturePlan
from calibstudio.domain.wording import count, exposure
from calibstudio.gui.capture.camera_facts import CameraFacts
from calibstudio.gui.capture.check_page import CheckPage
from calibstudio.gui.capture.page import Page, at_top
from calibstudio.gui.capture.settings_fields import SettingsFields
from calibstudio.gui.capture.wizard import Wizard
from calibstudio.gui.capture.words import put_into, settings_words
from calibstudio.gui.capture.worth import WorthCard
from calibstudio.gui.context import GuiContext
from calibstudio.gui.forms.ui_bias_page import Ui_BiasPage
from calibstudio.gui.widgets.fields import NumberField
from calibstudio.gui.widgets.panels import Card
from calibstudio.services.answers import AnswerStore

SETTINGS_WIDTH = 720


class HasSettings(Protocol):
    """A draft with camera settings."""

    settings: CameraSettings


class SettingsPage(Page):
    """The camera's settings: they must be those of the lights."""

    def __init__(
        self,
        context: GuiContext,
        draft: HasSettings,
        info: CameraInfo,
        *,
        without_matrix: bool = False,
        like: str = "lights",
    ) -> None:
        """``like`` names the frames that the settings must be those of."""
        hint = (
            f"Calibration frames serve only {like} of the same gain, offset, binning and read-out "
            f"mode. Frames with dark current must also have the temperature of the {like}."
        )
        super().__init__("Camera settings", "With which settings?", hint)
        self._draft = draft
        self.fields = SettingsFields(context.theme, info, without_matrix=without_matrix)
        self.fields.edited.connect(self._on_settings)
        card = Card("Settings")
        card.body.addWidget(self.fields)
        card.setMaximumWidth(SETTINGS_WIDTH)
        self.body.addWidget(card)
        self.opened()

    def opened(self) -> None:
        # Another page may have changed them: temperatures of darks, settings of flats on disk.
        self.fields.show_settings(self._draft.settings)

    @Slot(object)
    def _on_settings(self, settings: CameraSettings) -> None:
        self._draft.settings = settings
        self.edited.emit()

    def answer(self) -> str:
        return settings_words(self._draft.settings)


class BiasPage(Page):
    """How many bias frames."""

    def __init__(self, context: GuiContext, draft: BiasDraft, info: CameraInfo) -> None:
        super().__init__(
            "Number",
            "How many bias frames?",
            "Fifty make the noise of the master small beside that of one light.",
        )
        self._draft = draft
        theme = context.theme
        self.number = NumberField(
            theme, name="Good frames", minimum=1, maximum=1000, value=draft.count, large=True
        )
        self.exposure = NumberField(
            theme,
            name="Exposure",
            unit="s",
            minimum=0.0,
            maximum=60.0,
            decimals=4,
            value=draft.exposure_s,
            large=True,
            trim=True,
        )
        frames = QWidget()
        form = Ui_BiasPage()
        form.setupUi(frames)
        put_into(form.frame_count, self.number)
        put_into(form.exposure, self.exposure)
        form.frame_count_label.setBuddy(self.number)
        form.exposure_label.setBuddy(self.exposure)
        form.exposure_note.setText(f"the shortest is {exposure(info.exposure_min_s)}")
        self.worth = WorthCard(theme, tall=True)
        self.add_columns(at_top(frames), self.worth)
        self.number.edited.connect(self._on_edited)
        self.exposure.edited.connect(self._on_edited)

    @Slot()
    def _on_edited(self) -> None:
        self._draft.count = round(self.number.value())
        self._draft.exposure_s = self.exposure.value()
        self.edited.emit()

    def answer(self) -> str:
        return count(self._draft.count, "good frame")

    def set_compact(self, compact: bool) -> None:
        super().set_compact(compact)
        self.worth.set_compact(compact)


class BiasWizard(Wizard):
    """Bias frames."""

    name = "bias"

    def __init__(
        self, context: GuiContext, answers: AnswerStore, parent: QWidget | None = None
    ) -> None:
        info = context.equipment.observatory.camera.info
        draft = BiasDraft.for_camera(info)
        draft = answers.recall(self.name, draft, lambda d: d.problems(info))
        super().__init__(context, "New bias frames", draft, parent)
        self.bias = draft
        self._facts = CameraFacts(context, self)
        self._facts.changed.connect(self._on_edited)
        self.number = BiasPage(context, draft, info)
        self.check = CheckPage(context.theme, draft)
        self.set_pages([self.number, SettingsPage(context, draft, info), self.check])

    def renew(self) -> None:
        said = self._facts.conversion(self.bias.settings)
        read_noise = said.read_noise_e if said is not None else None
        self.number.worth.show_covered(self.bias.count, read_noise)

    def show_costs(self, plan: CapturePlan) -> None:
        self.check.show_plan(plan, self.info)

    def facts(self) -> list[tuple[str, str]]:
        return [
            ("Bias", count(self.bias.count, "good frame")),
            ("Exposure", exposure(self.bias.exposure_s)),
            ("Settings", settings_words(self.bias.settings)),
        ]

    def _start_words(self) -> str:
        return f"Start {count(self.bias.count, 'bias frame')}"
