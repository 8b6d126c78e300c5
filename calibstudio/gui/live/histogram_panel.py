"""The histogram of the region, or the profile along the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from calibstudio.domain.equipment import Region
from calibstudio.domain.wording import TIMES
from calibstudio.gui.live.parts import HeadBar
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize
from calibstudio.gui.widgets.panels import ground
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.text import ElidedLabel, label
from calibstudio.imaging.display_numbers import Profile
from calibstudio.services.live_measure import LiveNumbers, RegionNumbers

if TYPE_CHECKING:
    from calibstudio.gui.picture.plots import HistogramPlot, ProfilePlot


class HistogramPanel(QWidget):
    """Pixels by level in the region that lies over the picture."""

    def __init__(self, theme: ThemeState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._numbers: LiveNumbers | None = None
        self._part: RegionNumbers | None = None
        self._histogram: HistogramPlot | None = None
        self._profile: ProfilePlot | None = None
        self._compact = False
        self._title = label("Histogram", "subheading", tone="text")
        self._note = ElidedLabel("", "caption")
        self.scale = SegmentedControl(
            theme, ((False, "Lin"), (True, "Log")), name="Scale of the pixels", value=True
        )
        self.zoom = Button(
            theme, "Whole range", ButtonKind.FLAT, size=ButtonSize.SMALL,
            tip="Between the bulk of the pixels and the camera's whole range",
        )  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        bar = HeadBar(theme)
        bar.row.addWidget(self._title)
        bar.row.addWidget(self._note, 1)
        bar.row.addWidget(self.scale)
        bar.row.addWidget(self.zoom)
        column.addWidget(bar)
        self._stack = QStackedLayout()
        self._stack.addWidget(ground("plot"))
        column.addLayout(self._stack, 1)
        self.scale.chosen.connect(self._on_scale_chosen)
        self.zoom.clicked.connect(self._on_zoom_clicked)

    @property
    def plot(self) -> HistogramPlot | None:
        """The histogram, once plots can be made."""
        return self._histogram

    def set_plot(self, histogram: HistogramPlot) -> None:
        """Take the histogram, once plots can be made."""
        self._histogram = histogram
        histogram.set_compact(self._compact)
        self._stack.addWidget(histogram)
        self._stack.setCurrentWidget(histogram)
        self._draw()

    def set_profile_plot(self, profile: ProfilePlot) -> None:
        """Take the profile, once plots can be made."""
        self._profile = profile
        self._stack.addWidget(profile)

    def set_compact(self, compact: bool) -> None:
        """Shorter words."""
        self._compact = compact
        if self._histogram is not None:
            self._histogram.set_compact(compact)
        self._say()

    def show_numbers(self, numbers: LiveNumbers, part: RegionNumbers) -> None:
        """Show the histogram of a frame's region."""
        self._numbers, self._part = numbers, part
        self._say()
        self._draw()

    def show_profile(self, profile: Profile | None) -> None:
        """Show the profile along the line; None goes back to the histogram."""
        if self._profile is None or self._histogram is None:
            return
        self._profile.set_profile(profile)
        on = profile is not None
        self._stack.setCurrentWidget(self._profile if on else self._histogram)
        self._title.setText("Line profile" if on else "Histogram")
        self.scale.setVisible(not on)
        self.zoom.setVisible(not on)
        if profile is not None:
            self._note.setText(f"{profile.distance_px[-1]:.0f} px long")
        else:
            self._say()

    def _say(self) -> None:
        if self._part is not None:
            self._note.setText(region_text(self._part.region, short=self._compact))

    def _draw(self) -> None:
        numbers, part, plot = self._numbers, self._part, self._histogram
        if numbers is None or part is None or plot is None:
            return
        from calibstudio.gui.picture.plots import NoiseBounds, histogram_marks

        zones = numbers.zones
        bounds = None
        if zones is not None and numbers.bias_adu is not None:
            bounds = NoiseBounds(numbers.bias_adu, zones.read_noise_adu, zones.shot_noise_adu)
        median = part.statistics.median if part.statistics is not None else None
        marks = histogram_marks(
            bias_adu=numbers.bias_adu, median_adu=median, saturation_adu=numbers.saturation_adu
        )
        plot.set_histograms(
            part.histograms,
            full=(0.0, numbers.saturation_adu * 1.02),
            bounds=bounds,
            marks=marks,
        )

    @Slot(object)
    def _on_scale_chosen(self, log: object) -> None:
        if self._histogram is not None:
            self._histogram.set_log(bool(log))

    @Slot()
    def _on_zoom_clicked(self) -> None:
        if self._histogram is not None:
            self._histogram.zoom_to_data(not self._histogram.is_zoomed)
            self.zoom.setText("Whole range" if self._histogram.is_zoomed else "Zoom to data")


def region_text(region: Region | None, *, short: bool = False) -> str:
    """Say which part is measured."""
    if region is None:
        return "whole frame"
    size = f"region {region.width} {TIMES} {region.height}"
    return size if short else f"{size} px at {region.x}, {region.y}"
