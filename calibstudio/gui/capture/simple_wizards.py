"""The bias and dark wizards: a number, settings, and for darks a list of exposures."""

from __future__ import annotations

import re

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from calibstudio.domain.drafts import BiasDraft, DarkDraft
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.plan import CameraSettings
from calibstudio.domain.wording import count, exposure, temperature
from calibstudio.gui.capture.settings_fields import SettingsFields
from calibstudio.gui.capture.wizard import Page, Wizard
from calibstudio.gui.context import GuiContext
from calibstudio.gui.widgets.buttons import Button, ButtonSize
from calibstudio.gui.widgets.fields import Labelled, NumberField, TextField
from calibstudio.gui.widgets.panels import Card

_NUMBERS = re.compile(r"\d+(?:[.,]\d+)?")


def settings_words(settings: CameraSettings) -> str:
    """Say camera settings in one line: ``gain 100 · offset 50 · −10 °C``."""
    parts = []
    if settings.gain is not None:
        parts.append(f"gain {settings.gain}")
    if settings.offset is not None:
        parts.append(f"offset {settings.offset}")
    if settings.binning > 1:
        parts.append(f"binning {settings.binning}")
    if settings.set_temp_c is not None:
        parts.append(temperature(settings.set_temp_c))
    return " · ".join(parts) or "as the camera is"


class SettingsPage(Page):
    """The camera's settings: they must be those of the lights."""

    def __init__(self, context: GuiContext, draft: BiasDraft | DarkDraft, info: CameraInfo) -> None:
        super().__init__(
            "Camera settings",
            "With which settings?",
            "Calibration frames serve only lights of the same gain, offset, binning and read-out "
            "mode. Darks must also have the temperature of the lights.",
        )
        self._draft = draft
        self.fields = SettingsFields(context.theme, info)
        self.fields.show_settings(draft.settings)
        self.fields.edited.connect(self._on_settings)
        card = Card("Settings")
        card.body.addWidget(self.fields)
        card.setMaximumWidth(720)
        self.body.addWidget(card)

    @Slot(object)
    def _on_settings(self, settings: CameraSettings) -> None:
        self._draft.settings = settings
        self.edited.emit()

    def answer(self) -> str:
        return settings_words(self._draft.settings)


class CheckPage(Page):
    """The last page: everything once more, then Start."""

    def __init__(self, draft: BiasDraft | DarkDraft) -> None:
        super().__init__(
            "Check and start",
            "Ready?",
            "The telescope must be covered: this camera may have no shutter. A motor cover is "
            "closed by itself; without one you are asked. Every frame is judged as it arrives, "
            "and bad ones are taken again.",
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


class BiasPage(Page):
    """How many bias frames."""

    def __init__(self, context: GuiContext, draft: BiasDraft, info: CameraInfo) -> None:
        super().__init__(
            "Number",
            "How many bias frames?",
            "Fifty make the noise of the master small beside that of one light. "
            f"They take the shortest exposure, {exposure(info.exposure_min_s)}.",
        )
        self._draft = draft
        self.number = NumberField(
            context.theme,
            name="Good frames",
            minimum=1,
            maximum=1000,
            value=draft.count,
            large=True,
        )
        self.exposure = NumberField(
            context.theme,
            name="Exposure",
            unit="s",
            minimum=0.0,
            maximum=60.0,
            decimals=4,
            value=draft.exposure_s,
            trim=True,
        )
        card = Card("Frames")
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.addWidget(Labelled("Good frames", self.number), 0, 0)
        grid.addWidget(Labelled("Exposure", self.exposure), 0, 1)
        card.body.addLayout(grid)
        card.setMaximumWidth(720)
        self.body.addWidget(card)
        self.number.edited.connect(self._on_edited)
        self.exposure.edited.connect(self._on_edited)

    @Slot()
    def _on_edited(self) -> None:
        self._draft.count = round(self.number.value())
        self._draft.exposure_s = self.exposure.value()
        self.edited.emit()

    def answer(self) -> str:
        return count(self._draft.count, "good frame")


class BiasWizard(Wizard):
    """Bias frames."""

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        info = context.equipment.observatory.camera.info
        draft = BiasDraft.for_camera(info)
        super().__init__(context, "New bias frames", draft, parent)
        self.bias = draft
        self.set_pages(
            [
                BiasPage(context, draft, info),
                SettingsPage(context, draft, info),
                CheckPage(draft),
            ]
        )

    def facts(self) -> list[tuple[str, str]]:
        return [
            ("Bias", count(self.bias.count, "good frame")),
            ("Exposure", exposure(self.bias.exposure_s)),
            ("Settings", settings_words(self.bias.settings)),
        ]

    def _start_words(self) -> str:
        return f"Start {count(self.bias.count, 'bias frame')}"


class DarkPage(Page):
    """Which exposures, and how many of each."""

    def __init__(self, context: GuiContext, draft: DarkDraft, info: CameraInfo) -> None:
        super().__init__(
            "Exposures and number",
            "Which exposures?",
            "A dark keeps its bias and serves frames of its own exposure: take those of your "
            "lights. Several exposures are separated by spaces or semicolons.",
        )
        self._draft, self._info = draft, info
        theme = context.theme
        self.exposures = TextField(theme, name="Exposures in seconds")
        self.exposures.setText(_list_text(draft.exposures_s))
        self.number = NumberField(
            theme, name="Good frames of each", minimum=1, maximum=500, value=draft.count, large=True
        )
        self.bias = QCheckBox("Bias frames first")
        self.bias.setChecked(draft.with_bias)
        self.ost = Button(
            theme,
            "Science list (OST)",
            size=ButtonSize.SMALL,
            tip="Half, once, twice and four times the science exposure, and the flats' exposure",
        )
        card = Card("Darks")
        card.add_to_heading(self.ost)
        self._field = Labelled("Exposures [s]", self.exposures, note="for example 60 120 300")
        card.body.addWidget(self._field)
        card.body.addWidget(Labelled("Good frames of each", self.number))
        card.body.addWidget(self.bias)
        card.setMaximumWidth(720)
        self.body.addWidget(card)
        self.exposures.textEdited.connect(self._on_edited)
        self.number.edited.connect(self._on_edited)
        self.bias.clicked.connect(self._on_edited)
        self.ost.clicked.connect(self._on_ost)

    @Slot()
    def _on_edited(self) -> None:
        found = sorted(
            {float(n.replace(",", ".")) for n in _NUMBERS.findall(self.exposures.text())}
        )
        self._draft.exposures_s = tuple(found)
        self._draft.count = round(self.number.value())
        self._draft.with_bias = self.bias.isChecked()
        self._draft.bias_count = self._draft.count
        self._draft.notes = ()
        said = ", ".join(exposure(s) for s in found)
        self._field.set_note(said or "for example 60 120 300")
        self.edited.emit()

    @Slot()
    def _on_ost(self) -> None:
        """The list of the OST workflow, around the longest exposure that is typed."""
        science = max(self._draft.exposures_s, default=5.0)
        made = DarkDraft.ost(self._info, science_s=science, longest_s=max(60.0, 4 * science))
        self.exposures.setText(_list_text(made.exposures_s))
        self.bias.setChecked(True)
        self._on_edited()
        self._draft.notes = made.notes
        self.edited.emit()

    def answer(self) -> str:
        n = len(self._draft.exposures_s)
        return f"{count(n, 'exposure')}, {count(self._draft.count, 'frame')} each"


def _list_text(exposures_s: tuple[float, ...]) -> str:
    return "  ".join(f"{s:g}" for s in exposures_s)


class DarkWizard(Wizard):
    """Darks at several exposures."""

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        info = context.equipment.observatory.camera.info
        draft = DarkDraft.for_camera(info)
        super().__init__(context, "New darks", draft, parent)
        self.dark = draft
        self.set_pages(
            [
                DarkPage(context, draft, info),
                SettingsPage(context, draft, info),
                CheckPage(draft),
            ]
        )

    def facts(self) -> list[tuple[str, str]]:
        exposures = ", ".join(exposure(s) for s in self.dark.exposures_s)
        rows = [("Darks", f"{len(self.dark.exposures_s)} × {count(self.dark.count, 'good frame')}")]
        rows.append(("Exposures", exposures or "none yet"))
        if self.dark.with_bias:
            rows.insert(0, ("Bias", count(self.dark.bias_count, "good frame")))
        rows.append(("Settings", settings_words(self.dark.settings)))
        return rows

    def _start_words(self) -> str:
        n = len(self.dark.exposures_s)
        return f"Start {count(n * self.dark.count, 'dark')}"
