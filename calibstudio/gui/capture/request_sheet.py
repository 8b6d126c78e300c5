"""Asking for calibration frames: one small form, with what the rig used last."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QGridLayout, QWidget

from calibstudio.domain.drafts import BiasDraft
from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind, kind_title
from calibstudio.domain.needs import USUAL_FRAMES
from calibstudio.domain.plan import CameraSettings
from calibstudio.domain.requests import (
    HIGHEST_PRIORITY,
    USUAL_PRIORITY,
    RequestWish,
    checked,
)
from calibstudio.domain.run_config import CameraWish
from calibstudio.domain.wording import number
from calibstudio.gui.capture.settings_fields import SettingsFields
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.buttons import ButtonKind
from calibstudio.gui.widgets.fields import ComboField, Labelled, NumberField
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import label, set_tone
from calibstudio.services.answers import AnswerStore

KINDS = (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT, FrameKind.DARK_FLAT)
EXPOSURES_S = {FrameKind.DARK: 300.0, FrameKind.DARK_FLAT: 1.0}
NOTES = {
    FrameKind.BIAS: "At the camera's shortest exposure, covered.",
    FrameKind.DARK: "Covered. The exposure is that of your lights.",
    FrameKind.FLAT: "At half of the saturation, with their dark flats; the exposure is searched.",
    FrameKind.DARK_FLAT: "Covered. The exposure is that of flats that were taken before.",
}


class RequestSheet(Sheet):
    """The form. ``on_wish`` gets what was asked for, and its priority."""

    def __init__(
        self,
        context: GuiContext,
        answers: AnswerStore,
        parent: QWidget,
        on_wish: Callable[[RequestWish, int], object],
    ) -> None:
        super().__init__(context.theme, "New request", parent, width=560)
        self._on_wish = on_wish
        observatory = context.equipment.observatory
        self._info: CameraInfo = observatory.camera.info
        draft = answers.recall(
            "request", BiasDraft.for_camera(self._info), lambda d: d.problems(self._info)
        )
        self._settings: CameraSettings = draft.settings
        theme = context.theme
        self.kind = SegmentedControl(
            theme, [(k, kind_title(k)) for k in KINDS], name="Kind of frame", tall=True
        )
        self.number = NumberField(theme, name="Good frames", minimum=1, maximum=10_000)
        self.exposure = NumberField(
            theme, name="Exposure", unit="s", maximum=86_400, decimals=4, trim=True
        )
        wheel = observatory.wheel
        names = () if wheel is None else wheel.filters
        self.filter = ComboField(
            theme, [("", "As the wheel stands"), *((n, n) for n in names)], name="Filter"
        )
        self.priority = NumberField(
            theme, name="Priority", value=USUAL_PRIORITY, maximum=HIGHEST_PRIORITY, step=10
        )
        self.fields = SettingsFields(theme, self._info)
        self.fields.show_settings(self._settings)
        self._note = label("", "secondary", wrap=True)
        self._build()
        self.kind.chosen.connect(lambda _kind: self._show_kind())
        self.fields.edited.connect(self._on_settings)
        self.add_button("Cancel", self.reject)
        self.add_button("Add to the queue", self.add, ButtonKind.PRIMARY)
        self._show_kind()

    def _build(self) -> None:
        self.body.addWidget(self.kind)
        self.body.addWidget(self._note)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(12)
        grid.addWidget(Labelled("Good frames", self.number), 0, 0)
        self._exposure = Labelled("Exposure", self.exposure)
        self._filter = Labelled("Filter", self.filter)
        grid.addWidget(self._exposure, 0, 1)
        grid.addWidget(self._filter, 0, 1)
        note = f"0 to {number(HIGHEST_PRIORITY)}, the highest first"
        grid.addWidget(Labelled("Priority", self.priority, note=note), 1, 0)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self.body.addLayout(grid)
        self.body.addWidget(label("Camera settings", "subheading"))
        self.body.addWidget(self.fields)

    @property
    def chosen_kind(self) -> FrameKind:
        """The kind that is on."""
        value = self.kind.value
        return value if isinstance(value, FrameKind) else FrameKind.BIAS

    def _show_kind(self) -> None:
        kind = self.chosen_kind
        self.number.set_value(USUAL_FRAMES[kind])
        self._exposure.setVisible(kind in EXPOSURES_S)
        self._filter.setVisible(kind is FrameKind.FLAT)
        if kind in EXPOSURES_S:
            self.exposure.set_value(EXPOSURES_S[kind])
        self._note.setText(NOTES[kind])
        set_tone(self._note, "")

    def _on_settings(self, settings: CameraSettings) -> None:
        self._settings = settings

    def wish(self) -> RequestWish:
        """Return what is asked for.

        Raises
        ------
        UsageError
            It makes no sense.
        """
        kind, s = self.chosen_kind, self._settings
        return checked(
            RequestWish(
                kind,
                round(self.number.value()),
                self.exposure.value() if kind in EXPOSURES_S else None,
                str(self.filter.value or "") if kind is FrameKind.FLAT else "",
                CameraWish(s.gain, s.offset, s.readout_mode, s.binning, set_temp_c=s.set_temp_c),
            )
        )

    def add(self) -> None:
        """Put it into the queue."""
        try:
            wish = self.wish()
        except UsageError as error:
            self._note.setText(f"{error} {error.hint}".strip())
            set_tone(self._note, "bad")
            return
        self.accept()
        self._on_wish(wish, round(self.priority.value()))
