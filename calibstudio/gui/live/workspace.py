"""Live: big preview, its numbers, and the equipment beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from calibstudio.domain.equipment import ExposureRequest, Observatory, Region
from calibstudio.domain.night import night_of
from calibstudio.domain.wording import exposure
from calibstudio.gui.context import GuiContext
from calibstudio.gui.equipment_state import EquipmentSnapshot
from calibstudio.gui.live.cooler_panel import CoolerPanel
from calibstudio.gui.live.cover_panel import CoverPanel
from calibstudio.gui.live.desk import EquipmentDesk
from calibstudio.gui.live.foot import LiveFoot, expectation, loop_text
from calibstudio.gui.live.frame_panel import FramePanel
from calibstudio.gui.live.picture_panel import PicturePanel
from calibstudio.gui.live.session import LivePhase, LivePicture, LiveSession
from calibstudio.gui.live.strip import LiveStrip
from calibstudio.gui.one_by_one import OneByOne
from calibstudio.gui.picture.tools import Line
from calibstudio.gui.widgets.panels import ground, scrolled
from calibstudio.gui.widgets.splitter import Splitter
from calibstudio.gui.widgets.text import label
from calibstudio.gui.widgets.workspace import Workspace
from calibstudio.imaging.display_numbers import line_profile
from calibstudio.services.live_measure import LiveNumbers

SIDE_PX, COMPACT_SIDE_PX, TOUCH_SIDE_PX = 364, 316, 404
STRIP_PX, COMPACT_STRIP_PX = 252, 172
STATISTICS_PX = 330
CLOCK_MS = 100
"""How often a running exposure is shown."""
WARM_TO_C = 15.0


class _PlotLoader(QObject):
    """Imports pyqtgraph in a thread of its own: 0.7 s that the window does not wait for.

    Signals
    -------
    loaded(module)
        `calibstudio.gui.picture.plots`, in the GUI thread.
    """

    loaded = Signal(object)

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._load, name="plots", daemon=True).start()

    def _load(self) -> None:
        from calibstudio.gui.picture import plots

        try:
            self.loaded.emit(plots)
        except RuntimeError:
            return  # the window is gone


class LiveWorkspace(Workspace):
    """Takes frames and shows them; see the module's panels for what each part does."""

    def __init__(self, context: GuiContext, parent: QWidget | None = None) -> None:
        super().__init__(context, "Live", parent)
        self._loop_began_at = (0, 0)
        self.session = LiveSession(context, self)
        self.picture = PicturePanel(self.theme)
        self._updates = OneByOne(self)
        self.strip = LiveStrip(self.theme, self._updates)
        self.frame_panel = FramePanel(self.theme)
        self.cooler = CoolerPanel(self.theme)
        self.cover = CoverPanel(self.theme)
        self.foot = LiveFoot(self.theme)
        self._night = label("", "small", tone="text2")
        self.add_header_action(self._night)
        self.desk = EquipmentDesk(context, self.session, self)
        self._loader = _PlotLoader(self)
        self._clock = QTimer(self)
        self._clock.setInterval(CLOCK_MS)
        self._build()
        self._connect()
        self._on_observatory(context.equipment.observatory)
        for show in self._status_shown(context.equipment.snapshot).values():
            show()
        self.on_compact(False)
        self.session.prepare()
        self._loader.start()

    # Building

    def _build(self) -> None:
        self._columns = Splitter("live-side", sizes=(1480, SIDE_PX))
        self._rows = Splitter("live-strip", Qt.Orientation.Vertical, sizes=(700, STRIP_PX))
        self._rows.addWidget(self.picture)
        self._rows.addWidget(self.strip)
        self._rows.setStretchFactor(0, 1)
        self._columns.addWidget(self._rows)
        self._columns.addWidget(self._make_side())
        self._columns.setStretchFactor(0, 1)
        self.body.addWidget(self._columns, 1)

    def _make_side(self) -> QFrame:
        self._side = ground("panel")
        column = QVBoxLayout(self._side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        parts = QWidget()
        inner = QVBoxLayout(parts)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(0)
        for part in (self.frame_panel, self.cooler, self.cover):
            inner.addWidget(part)
        inner.addStretch(1)
        column.addWidget(scrolled(parts), 1)
        column.addWidget(self.foot)
        self._side.setMinimumWidth(COMPACT_SIDE_PX)
        return self._side

    def _connect(self) -> None:
        session, equipment = self.session, self.context.equipment
        session.changed.connect(self._on_session_changed)
        session.picture_ready.connect(self._on_picture)
        session.numbers_ready.connect(self._on_numbers)
        session.region_ready.connect(self.strip.show_part)
        session.failed.connect(self.picture.show_error)
        self._clock.timeout.connect(self._on_clock)
        self.theme.changed.connect(self._on_theme_changed)
        self._loader.loaded.connect(self._on_plots_loaded)
        equipment.status_changed.connect(self._on_status)
        equipment.observatory_changed.connect(self._on_observatory)
        self.frame_panel.request_changed.connect(self._on_request)
        self.desk.connect_panels(self.frame_panel, self.cooler, self.cover)
        self.foot.take_asked.connect(self.take_one)
        self.foot.loop_asked.connect(self.toggle_loop)
        self.foot.saving_chosen.connect(self._on_saving_chosen)
        self.picture.cancel_asked.connect(session.stop)
        self.picture.try_again_asked.connect(session.try_again)
        self.picture.tools.expanded.connect(self._on_expanded)
        self.picture.view.region_changed.connect(self._on_region)
        self.picture.view.line_changed.connect(self._on_line)
        self._register_keys()

    def _register_keys(self) -> None:
        view = self.picture.view
        self.on("take-one", self.take_one)
        self.on("primary", self.take_one)
        self.on("loop", self.toggle_loop)
        self.on("cancel", self._on_escape)
        self.on("fit", view.fit)
        self.on("one-to-one", view.one_to_one)
        self.on("zoom-in", view.zoom_in)
        self.on("zoom-out", view.zoom_out)
        self.on("crosshair", lambda: view.show_crosshair(not view.shows_crosshair))
        self.on("clipped", lambda: view.show_clipped(not view.shows_clipped))

    # What the operator may ask for

    @Slot()
    def take_one(self) -> None:
        """Take one frame; nothing while frames are being taken."""
        self.session.take_one()

    @Slot()
    def toggle_loop(self) -> None:
        """Take one frame after the other, or stop."""
        if self.session.phase is LivePhase.LOOP:
            self.session.stop()
        elif self.session.phase is LivePhase.IDLE:
            self._loop_began_at = (self.session.count, self.session.skipped)
            self.session.start_loop()

    def shown(self) -> None:
        self.picture.view.setFocus()
        self.strip.renew()

    def busy_with(self) -> str:
        if self.session.phase is LivePhase.IDLE:
            return ""
        return "Live is taking a frame. It is lost when the program closes."

    def close_down(self) -> None:
        self._clock.stop()
        self._updates.forget()
        self.session.close_down()
        self.picture.close_down()

    def on_compact(self, compact: bool) -> None:
        for part in (self.frame_panel, self.cooler, self.cover):
            part.set_compact(compact)
        self.foot.set_compact(compact)
        self.strip.set_compact(compact)
        self.picture.tools.set_compact(compact)
        side = COMPACT_SIDE_PX if compact else SIDE_PX
        if self.theme.sizes.touch:
            side = TOUCH_SIDE_PX
        strip = COMPACT_STRIP_PX if compact else STRIP_PX
        self._side.setMinimumWidth(side)
        self._columns.suggest((max(400, self.width() - side), side))
        self._rows.suggest((max(300, self.height() - strip), strip))

    @Slot()
    def _on_theme_changed(self) -> None:
        """Controls for fingers need more room."""
        self.on_compact(self.is_compact)

    # Facts from the session

    @Slot()
    def _on_session_changed(self) -> None:
        phase = self.session.phase
        self.foot.show_phase(phase)
        if phase is LivePhase.IDLE:
            self._clock.stop()
        else:
            self._clock.start()
        self._on_clock()

    @Slot()
    def _on_clock(self) -> None:
        clock = self.session.exposure_clock()
        self.picture.show_clock(clock)
        if self.session.phase is LivePhase.LOOP:
            self.foot.show_to_go(clock)
            began, skipped = self._loop_began_at
            taken = self.session.count - began
            self.foot.say(loop_text(taken, self.session.skipped - skipped))
        elif self.session.phase is LivePhase.IDLE:
            self._say_expectation()

    @Slot(object)
    def _on_picture(self, picture: LivePicture) -> None:
        taken = picture.taken
        self.picture.show_picture(picture)
        self._updates.later(
            "read back", lambda: self.frame_panel.show_read_back(taken.frame, taken.at)
        )
        if self.picture.view.line is not None:
            self._on_line(self.picture.view.line)

    @Slot(object)
    def _on_numbers(self, numbers: LiveNumbers) -> None:
        self.picture.show_assessment(numbers.assessment, bias_adu=numbers.bias_adu)
        self.strip.show_numbers(numbers)

    # Facts from the equipment

    @Slot(object)
    def _on_observatory(self, observatory: Observatory) -> None:
        self._updates.forget()  # they are of the equipment that was connected before
        self.picture.mark_former()
        camera = observatory.camera.info.name.removeprefix("Simulated ")
        if observatory.is_simulated:
            self.set_subtitle(f"{observatory.name} · {camera}")
        else:
            self.set_subtitle(f"{observatory.optics.telescope} + {camera}")
        self.frame_panel.set_observatory(observatory)
        self.cooler.set_camera(observatory.camera.info)
        self.cover.set_panel(observatory.panel.info if observatory.panel is not None else None)

    @Slot(object)
    def _on_status(self, snapshot: EquipmentSnapshot) -> None:
        for name, show in self._status_shown(snapshot).items():
            self._updates.later(name, show)

    def _status_shown(self, snapshot: EquipmentSnapshot) -> dict[str, Callable[[], None]]:
        """What shows a reading of the equipment, by name."""
        history = self.context.equipment.temperature_history
        return {
            "frame": lambda: self.frame_panel.show_snapshot(snapshot),
            "cooler": lambda: self.cooler.show_snapshot(snapshot, history),
            "cover": lambda: self.cover.show_snapshot(snapshot),
            "words": lambda: self._say_status(snapshot),
        }

    def _say_status(self, snapshot: EquipmentSnapshot) -> None:
        self._say_night(snapshot)
        if self.session.phase is LivePhase.IDLE:
            self._say_expectation()

    def _say_night(self, snapshot: EquipmentSnapshot) -> None:
        site = self.context.settings.current.site or self.context.equipment.observatory.site
        night = night_of(snapshot.utc, site=site)
        parts = [f"Night of {night.isoformat()}"]
        request = self.frame_panel.request
        if request is not None:
            what = exposure(request.exposure_s)
            if snapshot.filter_name:
                what = f"{what}, filter {snapshot.filter_name}"
            parts.append(what)
        text = " · ".join(parts)
        if text != self._night.text():
            self._night.setText(text)

    def _say_expectation(self) -> None:
        request = self.frame_panel.request
        if request is not None:
            readout = self.context.equipment.observatory.camera.info.readout_s
            self.foot.say(expectation(request, readout, self.context.equipment.snapshot))

    # What the panels ask for

    @Slot(object)
    def _on_request(self, request: ExposureRequest) -> None:
        self.session.set_request(request)
        if self.session.phase is LivePhase.IDLE:
            self._say_expectation()

    @Slot(bool)
    def _on_saving_chosen(self, on: bool) -> None:
        self.session.set_saving(on)
        if on != self.context.settings.current.save_live_frames:
            self.context.settings.change(save_live_frames=on)

    # What the picture's tools say

    @Slot(object)
    def _on_region(self, region: Region | None) -> None:
        self.session.set_region(region)
        self.strip.set_region_shown(region is not None)
        # A region of a part of the sensor or of a binned frame is none of the sensor.
        taken = self.session.newest
        request = taken.frame.request if taken is not None else None
        whole = request is not None and request.region is None and request.binning == 1
        self.frame_panel.set_drawn_region(region if whole else None)

    @Slot(object)
    def _on_line(self, line: Line | None) -> None:
        pyramid = self.picture.view.pyramid
        if line is None or pyramid is None:
            self.strip.histogram.show_profile(None)
            return
        self.strip.histogram.show_profile(
            line_profile(pyramid.full, line.x0, line.y0, line.x1, line.y1)
        )

    @Slot(bool)
    def _on_expanded(self, on: bool) -> None:
        self._side.setVisible(not on)
        self.strip.setVisible(not on)

    def _on_escape(self) -> None:
        """Stop what is under way, else leave the picture alone on the screen."""
        if self.session.phase is not LivePhase.IDLE:
            self.session.stop()
        elif self.picture.tools.expand.isChecked():
            self.picture.tools.expand.setChecked(False)

    @Slot(object)
    def _on_plots_loaded(self, plots: Any) -> None:
        """Make the plots, one at each turn of the event loop."""
        theme = self.theme
        makers = (
            lambda: self.strip.histogram.set_plot(plots.HistogramPlot(theme)),
            lambda: self.strip.history.set_plot(plots.SeriesPlot(theme)),
            lambda: self.cooler.set_plot(plots.TemperaturePlot(theme)),
            lambda: self.strip.histogram.set_profile_plot(plots.ProfilePlot(theme)),
        )
        for make in makers:
            QTimer.singleShot(0, self, make)
