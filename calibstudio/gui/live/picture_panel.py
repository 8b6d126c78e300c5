"""Tool row, picture, chips, and the banner that says why no frame comes."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.quality import Assessment
from calibstudio.domain.wording import number, utc_clock
from calibstudio.gui.live.session import ExposureClock, LivePicture, Taken
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.toolbar import PictureToolbar
from calibstudio.gui.picture.view import PictureView
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.verdict import kind_of

EMPTY = "No frame yet. Press Space to take one."
BUSY_FROM_S = 0.7
"""Shorter exposures are over before a line about them could be read."""


class PicturePanel(QWidget):
    """The newest frame, large.

    Signals
    -------
    cancel_asked()
        Cancel was pressed beside what is under way.
    try_again_asked()
        Try again was pressed in the banner.
    """

    cancel_asked = Signal()
    try_again_asked = Signal()

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._taken: Taken | None = None
        self.view = PictureView(theme)
        self.tools = PictureToolbar(theme, self.view)
        self.chips = PictureChips(theme, self.view)
        self.banner = Banner(
            theme, "bad", "", action="Try again", on_action=self._on_try_again, closable=True
        )
        self.banner.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.tools)
        column.addWidget(self.view, 1)
        self.view.show_crosshair(True)
        self.view.show_region(True)
        self.chips.show_empty("live", EMPTY)
        self.chips.cancelled.connect(self.cancel_asked)

    def show_picture(self, picture: LivePicture) -> None:
        """Show a frame; its verdict comes later."""
        self._taken = picture.taken
        self.chips.hide_empty()
        self.view.set_picture(picture.pyramid)
        self.chips.show_counts(picture.pyramid)
        self.chips.show_verdict("", self._what())

    def show_assessment(self, assessment: Assessment, *, bias_adu: float | None) -> None:
        """Say how good the frame is."""
        frame = self._taken.frame if self._taken is not None else None
        conversion = frame.conversion if frame is not None else None
        self.chips.set_unit(
            "ADU",
            bias_adu=bias_adu,
            e_per_adu=conversion.e_per_adu if conversion is not None else None,
        )
        worst = assessment.worst_finding
        text = self._what()
        if worst is not None:
            text = f"{text} · {worst.what}"
        self.chips.show_verdict(kind_of(assessment.verdict), text)

    def show_error(self, error: Exception | None) -> None:
        """Say why no frame comes; None: they come again."""
        if error is None:
            self.banner.hide()
            self.chips.mark_old("")
            return
        hint = error.hint if isinstance(error, CalibStudioError) else "The details are in the log."
        self.banner.set_text("bad", str(error), hint)
        self.banner.show()
        if self._taken is not None:
            self.chips.mark_old(f"{self._taken.at:%H:%M:%S}")

    def mark_former(self) -> None:
        """Say that the frame that is shown is of a camera that was connected before."""
        if self._taken is not None:
            self.chips.mark_old("of the former camera")

    def show_clock(self, clock: ExposureClock | None) -> None:
        """Say how far the exposure is."""
        if clock is None:
            self.chips.done()
        elif clock.is_waiting:
            self.chips.show_busy("Waiting for the camera", None)
        elif clock.exposure_s + clock.readout_s < BUSY_FROM_S:
            self.chips.done()
        elif clock.is_reading:
            self.chips.show_busy("Reading out", None)
        else:
            self.chips.show_busy(exposing_text(clock), clock.elapsed_s / clock.exposure_s)

    def close_down(self) -> None:
        """Stop the picture's workers."""
        self.view.close_down()

    def _what(self) -> str:
        taken = self._taken
        if taken is None:
            return ""
        kept = "not saved" if taken.path is None else f"saved as {taken.path.name}"
        return f"Frame {taken.number} · {utc_clock(taken.at)} · {kept}"

    @Slot()
    def _on_try_again(self) -> None:
        self.try_again_asked.emit()


def exposing_text(clock: ExposureClock) -> str:
    """Say how far an exposure is: ``Exposing 84 of 120 s``."""
    decimals = 0 if clock.exposure_s >= 10 else 1
    done = min(clock.elapsed_s, clock.exposure_s)
    return f"Exposing {number(done, decimals)} of {number(clock.exposure_s, decimals)}\u202fs"
