"""What the panels ask of the equipment, done in the camera's thread."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import quantity
from calibstudio.gui.context import GuiContext
from calibstudio.gui.live.cooler_panel import CoolerPanel
from calibstudio.gui.live.cover_panel import CoverPanel
from calibstudio.gui.live.frame_panel import FilterChange, FramePanel
from calibstudio.gui.live.session import LiveSession
from calibstudio.gui.sheet import ask

WARM_TO_C = 15.0


class EquipmentDesk(QObject):
    """Turns what the panels say into commands for wheel, cooler, cover and lamp."""

    def __init__(self, context: GuiContext, session: LiveSession, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._session = session
        self._window = parent

    def connect_panels(self, frame: FramePanel, cooler: CoolerPanel, cover: CoverPanel) -> None:
        """Listen to these panels."""
        frame.filter_chosen.connect(self._on_filter_chosen)
        cooler.set_point_chosen.connect(self._on_set_point)
        cooler.warm_up_asked.connect(self._on_warm_up_asked)
        cover.cover_asked.connect(self._on_cover_asked)
        cover.brightness_asked.connect(self._on_brightness_asked)

    @Slot(object)
    def _on_filter_chosen(self, change: FilterChange) -> None:
        wheel = self._context.equipment.observatory.wheel
        if wheel is not None:
            self._session.command(
                f"Filter {change.name}", lambda cancel: wheel.move(change.slot, cancel)
            )

    @Slot(float)
    def _on_set_point(self, target_c: float) -> None:
        camera = self._context.equipment.observatory.camera
        self._session.command(
            f"Cool to {quantity(target_c, '°C', 1)}",
            lambda _cancel: camera.set_cooler(on=True, target_c=target_c),
        )

    @Slot()
    def _on_warm_up_asked(self) -> None:
        ask(
            self._context.theme,
            self._window.window(),
            "Warm up the camera?",
            details="The sensor is warmed slowly, then the cooler is switched off. "
            "No frames can be taken meanwhile; cancel it among the background jobs.",
            yes="Warm up",
            no="Keep cooling",
            on_yes=self._warm_up,
        )

    def _warm_up(self) -> None:
        observatory = self._context.equipment.observatory

        def work(ctx: JobContext) -> None:
            from calibstudio.services.cooling import CoolingState, warm_up

            longest = 0.0

            def said(state: CoolingState) -> None:
                nonlocal longest
                left = state.seconds_to_go or 0.0
                longest = max(longest, left)
                done = 1.0 - left / longest if longest > 0 else 0.0
                sensor = quantity(state.sensor_c, "°C", 1) if state.sensor_c is not None else ""
                ctx.progress(min(0.99, done), f"Sensor {sensor}".strip())

            camera, clock = observatory.camera, observatory.clock
            warm_up(camera, clock, ctx.token, to_c=WARM_TO_C, on_state=said)

        job = self._context.camera_jobs.submit("Warm up the camera", work)
        job.failed.connect(self._context.problems.report)

    @Slot(bool)
    def _on_cover_asked(self, open_it: bool) -> None:
        panel = self._context.equipment.observatory.panel
        if panel is not None:
            self._session.command(
                "Open the cover" if open_it else "Close the cover",
                lambda cancel: panel.move_cover(open_it=open_it, cancel=cancel),
            )

    @Slot(int)
    def _on_brightness_asked(self, brightness: int) -> None:
        panel = self._context.equipment.observatory.panel
        if panel is not None:
            self._session.command(
                "Panel lamp", lambda cancel: panel.set_brightness(brightness, cancel)
            )
