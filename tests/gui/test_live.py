"""The Live workspace with the simulated observatory: keys, loop, faults, region, night."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.devices.simulator.faults import Faults
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.equipment import CoverState, Region
from calibstudio.domain.kinds import FrameKind
from calibstudio.gui.context import GuiContext
from calibstudio.gui.live.session import LivePhase
from calibstudio.gui.live.strip import LiveStrip
from calibstudio.gui.live.workspace import LiveWorkspace
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.one_by_one import OneByOne
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.workspaces import WORKSPACES

WAIT_MS = 40_000
"""The simulator compiles its first frame."""


class Live:
    """The window with its Live workspace, and what a test does with it."""

    def __init__(self, qtbot: QtBot, context: GuiContext, window: MainWindow) -> None:
        self.qtbot, self.context, self.window = qtbot, context, window
        workspace = window.workspace
        assert isinstance(workspace, LiveWorkspace)
        self.it = workspace

    @property
    def observatory(self) -> SimulatedObservatory:
        found = self.context.equipment.observatory
        assert isinstance(found, SimulatedObservatory)
        return found

    def activate(self) -> None:
        """The window of the test before may take the activation with it when it goes."""

        def active() -> bool:
            self.window.activateWindow()
            return self.window.isActiveWindow()

        self.qtbot.waitUntil(active)

    def press(self, key: Qt.Key | str) -> None:
        self.activate()
        self.it.picture.view.setFocus()
        self.qtbot.keyClick(self.window, key)

    def expose(self, exposure_s: float) -> None:
        """Type an exposure."""
        self.activate()
        field = self.it.frame_panel.exposure
        field.setFocus()
        field.selectAll()
        self.qtbot.keyClicks(field, f"{exposure_s:g}")
        self.qtbot.keyClick(field, Qt.Key.Key_Return)
        self.it.picture.view.setFocus()

    def take(self) -> None:
        """Take one frame and wait for its numbers."""
        with self.qtbot.waitSignal(self.it.session.numbers_ready, timeout=WAIT_MS):
            self.it.take_one()
        self.wait_idle()

    def wait_idle(self) -> None:
        self.qtbot.waitUntil(lambda: self.it.session.phase is LivePhase.IDLE, timeout=WAIT_MS)

    def wait_plots(self) -> None:
        self.qtbot.waitUntil(lambda: self.it.strip.histogram._profile is not None, timeout=WAIT_MS)


@pytest.fixture
def live(qtbot: QtBot, context: GuiContext) -> Iterator[Live]:
    context.settings.change(first_start_seen=True)
    former = context.equipment.replace(simulated_observatory("tiny", seed=3, cover_open=True))
    former.close()
    window = MainWindow(context, workspaces=WORKSPACES[:1])
    qtbot.addWidget(window)
    window.resize(1600, 900)
    with qtbot.waitSignal(window.first_painted):
        window.show()
    qtbot.waitUntil(lambda: window.workspace is not None)
    context.equipment.start()
    made = Live(qtbot, context, window)
    qtbot.waitUntil(lambda: context.equipment.snapshot.camera is not None)
    made.expose(0.02)
    yield made
    window.close_at_once()


def test_before_the_first_frame_it_says_what_to_press(live: Live) -> None:
    empty = live.it.picture.chips.empty

    assert empty is not None and empty.isVisible()
    assert "Press Space" in empty._sentence.text()


def test_space_takes_one_frame_and_everything_about_it_is_said(live: Live) -> None:
    with live.qtbot.waitSignal(live.it.session.numbers_ready, timeout=WAIT_MS):
        live.press(Qt.Key.Key_Space)
    live.wait_idle()

    taken = live.it.session.newest
    assert taken is not None
    assert taken.frame.request.kind is FrameKind.LIGHT
    rows = {row.name: row.value for row in live.it.strip.statistics.rows}
    assert rows["Maximum"].replace("\u202f", "") == str(taken.frame.data.max())
    assert "Frame 1 · " in live.it.picture.chips.verdict.accessibleName()
    assert "not saved" in live.it.picture.chips.verdict.accessibleName()
    assert live.it.picture.chips.empty is not None
    assert not live.it.picture.chips.empty.isVisible()
    assert live.it.session.count == 1


def test_l_loops_until_pressed_again(live: Live) -> None:
    live.take()
    numbers: list[object] = []
    live.it.session.numbers_ready.connect(numbers.append)

    live.press("l")
    assert live.it.session.phase is LivePhase.LOOP
    assert live.it.foot.loop.text().startswith("Stop")
    assert not live.it.foot.take.isEnabled()
    live.qtbot.waitUntil(lambda: len(numbers) >= 3, timeout=WAIT_MS)
    live.press("l")
    live.wait_idle()

    assert live.it.foot.loop.text() == "Loop"
    assert live.it.foot.take.isEnabled()
    # Plots are drawn a moment after the numbers, one after the other.
    live.qtbot.waitUntil(lambda: live.it.strip.history.count >= 4)


def test_a_loop_follows_the_settings(live: Live) -> None:
    live.it.toggle_loop()
    live.qtbot.waitUntil(lambda: live.it.session.count >= 1, timeout=WAIT_MS)

    live.expose(0.05)
    live.qtbot.waitUntil(
        lambda: (
            live.it.session.newest is not None and live.it.session.newest.frame.exposure_s == 0.05
        ),
        timeout=WAIT_MS,
    )
    live.it.toggle_loop()
    live.wait_idle()


def test_escape_stops_a_long_exposure_soon(live: Live) -> None:
    live.expose(600.0)
    live.press(Qt.Key.Key_Space)
    live.qtbot.waitUntil(lambda: "Exposing" in live.it.picture.chips.busy.text(), timeout=WAIT_MS)

    live.press(Qt.Key.Key_Escape)
    live.qtbot.waitUntil(lambda: live.it.session.phase is LivePhase.IDLE, timeout=3000)

    assert not live.it.picture.chips.busy.isVisible()
    assert not live.it.picture.banner.isVisible()
    live.expose(0.02)
    live.take()


def test_a_lost_camera_is_said_and_tried_again(live: Live) -> None:
    live.take()
    live.observatory.set_faults(Faults(disconnect=True))

    with live.qtbot.waitSignal(
        live.it.session.failed, timeout=WAIT_MS, check_params_cb=lambda error: error is not None
    ):
        live.it.take_one()
    live.wait_idle()

    assert live.it.picture.banner.isVisible()
    assert "stopped answering" in live.it.picture.banner.accessibleName()
    assert "old, " in live.it.picture.chips.verdict.accessibleName()
    live.observatory.set_faults(Faults())
    with live.qtbot.waitSignal(live.it.session.numbers_ready, timeout=WAIT_MS):
        live.qtbot.mouseClick(live.it.picture.banner.button, Qt.MouseButton.LeftButton)
    assert not live.it.picture.banner.isVisible()
    assert "old" not in live.it.picture.chips.verdict.accessibleName()


def test_a_full_disk_is_said_where_the_picture_is(live: Live) -> None:
    live.it.foot.save.click()
    live.observatory.set_faults(Faults(full_disk=True))

    with live.qtbot.waitSignal(
        live.it.session.failed, timeout=WAIT_MS, check_params_cb=lambda error: error is not None
    ):
        live.it.take_one()
    live.wait_idle()

    assert live.it.picture.banner.isVisible()
    assert "the disk is full" in live.it.picture.banner.accessibleName()


@pytest.mark.parametrize("has_region", [True, False])
def test_what_the_statistics_are_of_is_said_once_and_whole(
    qtbot: QtBot, theme: ThemeState, has_region: bool
) -> None:
    strip = LiveStrip(theme, OneByOne())
    qtbot.addWidget(strip)
    strip.resize(1400, 252)
    strip.show()

    strip.set_region_shown(has_region)

    note, scope = strip._statistics_note, strip.scope
    qtbot.waitUntil(lambda: scope.isVisible() is has_region)
    assert note.isVisible() is not has_region
    assert has_region or note.width() >= note.fontMetrics().horizontalAdvance(note.text())


def test_dragging_the_region_changes_the_histogram(live: Live) -> None:
    live.wait_plots()
    live.take()
    view = live.it.picture.view
    view.fit()
    view.show_region(True, Region(100, 100, 200, 100))
    live.qtbot.waitUntil(
        lambda: (
            live.it.strip._part is not None
            and live.it.strip._part.region == Region(100, 100, 200, 100)
        ),
        timeout=WAIT_MS,
    )
    assert view.viewport is not None
    corner = QPointF(*view.viewport.to_screen(300, 200)).toPoint()
    target = QPointF(*view.viewport.to_screen(400, 300)).toPoint()

    live.qtbot.mouseMove(view, corner + QPoint(20, 20))
    live.qtbot.mouseMove(view, corner)
    live.qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=corner)
    live.qtbot.mouseMove(view, target)
    live.qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=target)

    def measured() -> bool:
        part = live.it.strip._part
        return part is not None and part.region == view.region != Region(100, 100, 200, 100)

    live.qtbot.waitUntil(measured, timeout=WAIT_MS)
    part, region = live.it.strip._part, view.region
    assert part is not None and region is not None
    assert part.histograms[""].total == region.width * region.height
    said = f"{region.width} × {region.height}"
    live.qtbot.waitUntil(lambda: said in live.it.strip.histogram._note.text())


def test_the_statistics_may_be_those_of_the_region(live: Live) -> None:
    live.take()
    scope = live.it.strip.scope
    before = live.it.strip.statistics.rows

    live.qtbot.mouseClick(scope._segments[1], Qt.MouseButton.LeftButton)

    assert scope.value is True
    assert "region" in live.it.strip.statistics.rows[0].tip
    live.it.picture.view.show_region(False)
    assert live.it.strip.statistics.rows == before


def test_the_line_shows_its_profile_instead_of_the_histogram(live: Live) -> None:
    live.wait_plots()
    live.take()

    live.qtbot.mouseClick(live.it.picture.tools.line, Qt.MouseButton.LeftButton)
    assert live.it.strip.histogram._title.text() == "Line profile"
    live.qtbot.mouseClick(live.it.picture.tools.line, Qt.MouseButton.LeftButton)

    assert live.it.strip.histogram._title.text() == "Histogram"


def test_keys_of_the_picture_work_from_anywhere_but_text_fields(live: Live) -> None:
    live.take()
    view = live.it.picture.view
    crosshair, clipped = view.shows_crosshair, view.shows_clipped

    for key in "cx":
        live.press(key)
    assert view.shows_crosshair != crosshair and view.shows_clipped != clipped
    live.press("z")
    assert view.zoom_mode == "1:1"
    live.press("+")
    assert view.scale == pytest.approx(1.25)
    live.press("f")
    assert view.zoom_mode == "fit"

    field = live.it.frame_panel.gain
    live.activate()
    field.setFocus()
    live.qtbot.keyClicks(field, "f")
    assert view.zoom_mode == "fit" and field.value() == 100


def test_closing_the_cover_makes_darks_and_teaches_the_bias(live: Live) -> None:
    closed = live.it.cover.cover._segments[1]

    live.qtbot.mouseClick(closed, Qt.MouseButton.LeftButton)
    live.qtbot.waitUntil(
        lambda: live.context.equipment.snapshot.cover is CoverState.CLOSED, timeout=WAIT_MS
    )
    live.take()

    newest = live.it.session.newest
    assert newest is not None
    assert newest.frame.request.kind is FrameKind.DARK
    rows = {row.name: row.value for row in live.it.strip.statistics.rows}
    assert rows["Above bias"] != "not known"


def test_the_lamp_is_switched_and_dimmed(live: Live) -> None:
    live.qtbot.mouseClick(live.it.cover.lamp, Qt.MouseButton.LeftButton)
    live.qtbot.waitUntil(
        lambda: live.context.equipment.snapshot.lamp_brightness == 1024, timeout=WAIT_MS
    )
    live.qtbot.waitUntil(lambda: live.it.cover.brightness.isVisible())
    field = live.it.cover.brightness
    field.selectAll()
    live.qtbot.keyClicks(field, "300")
    live.qtbot.keyClick(field, Qt.Key.Key_Return)

    live.qtbot.waitUntil(
        lambda: live.context.equipment.snapshot.lamp_brightness == 300, timeout=WAIT_MS
    )


def test_another_filter_turns_the_wheel(live: Live) -> None:
    combo = live.it.frame_panel.filter
    combo.setFocus()
    live.qtbot.keyClick(combo, Qt.Key.Key_Down)

    live.qtbot.waitUntil(lambda: live.context.equipment.snapshot.filter_slot == 1, timeout=WAIT_MS)


def test_a_command_during_a_loop_is_done_between_two_frames(live: Live) -> None:
    live.it.toggle_loop()
    live.qtbot.waitUntil(lambda: live.it.session.count >= 1, timeout=WAIT_MS)

    live.it.cooler.set_point_chosen.emit(-5.0)

    live.qtbot.waitUntil(
        lambda: (
            (camera := live.context.equipment.snapshot.camera) is not None and camera.set_c == -5.0
        ),
        timeout=WAIT_MS,
    )
    assert live.it.session.phase is LivePhase.LOOP
    live.it.toggle_loop()
    live.wait_idle()


def test_a_set_point_that_the_cooler_refuses_is_said(live: Live) -> None:
    said: list[object] = []
    live.context.problems.foreseen.connect(said.append)

    live.it.cooler.set_point_chosen.emit(-99.0)

    live.qtbot.waitUntil(lambda: len(said) == 1, timeout=WAIT_MS)
    assert "−99.0" in said[0].message  # type: ignore[attr-defined]


def test_frames_are_kept_in_the_nights_folder_when_asked(live: Live) -> None:
    live.qtbot.mouseClick(
        live.it.foot.save, Qt.MouseButton.LeftButton, pos=QPoint(8, live.it.foot.save.height() // 2)
    )
    assert live.context.settings.current.save_live_frames

    live.take()

    files = list(live.context.settings.current.frames_folder.rglob("*.fits"))
    assert len(files) == 1
    assert files[0].name in live.it.picture.chips.verdict.accessibleName() or (
        "saved as" in live.it.picture.chips.verdict.accessibleName()
    )


def test_a_folder_that_cannot_be_written_is_said(live: Live, tmp_path: object) -> None:
    folder = live.context.settings.current.frames_folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    live.it.session.set_saving(True)

    with live.qtbot.waitSignal(
        live.it.session.failed, timeout=WAIT_MS, check_params_cb=lambda error: error is not None
    ):
        live.it.take_one()
    live.wait_idle()

    assert live.it.picture.banner.isVisible()


def test_other_equipment_brings_other_controls(live: Live) -> None:
    former = live.context.equipment.replace(simulated_observatory("small", seed=3))
    former.close()

    assert live.it.frame_panel.request is not None
    live.expose(0.02)
    live.take()

    newest = live.it.session.newest
    assert newest is not None and newest.frame.data.shape == (1040, 1392)
    assert live.it.picture.view.pyramid is not None
    assert live.it.picture.view.pyramid.shape == (1040, 1392)


def test_a_frame_of_the_former_camera_is_said_to_be_one(live: Live) -> None:
    live.take()
    verdict = live.it.picture.chips.verdict
    assert "former camera" not in verdict.accessibleName()

    live.context.equipment.replace(simulated_observatory("small", seed=3)).close()

    assert "old, of the former camera" in verdict.accessibleName()
    assert not [w for w in live.it.frame_panel.findChildren(QLabel) if "read back" in w.text()]
    live.expose(0.02)
    live.take()
    assert "former camera" not in verdict.accessibleName()


def test_only_the_drawn_region_is_read_out_when_asked(live: Live) -> None:
    live.take()
    live.it.picture.view.show_region(True, Region(100, 60, 200, 120))
    combo = live.it.frame_panel.region
    assert combo.itemText(combo.count() - 1) == "As drawn"

    live.activate()
    combo.setFocus()
    live.qtbot.keyClick(combo, Qt.Key.Key_End)
    for _ in range(2):
        live.take()

        newest = live.it.session.newest
        assert newest is not None
        assert newest.frame.request.region == Region(100, 60, 200, 120)
        assert newest.frame.data.shape == (120, 200)


def test_in_night_all_of_live_is_red_only(
    live: Live, is_red_only: Callable[[QWidget], bool]
) -> None:
    live.wait_plots()
    live.take()

    live.press(Qt.Key.Key_F9)

    assert is_red_only(live.window)
    live.take()
    assert is_red_only(live.window)


def test_a_small_window_has_the_history_as_a_tab(live: Live) -> None:
    live.wait_plots()
    live.window.resize(1366, 768)
    live.take()
    assert not live.it.strip.history.isVisible()

    live.qtbot.mouseClick(live.it.strip.tabs._segments[1], Qt.MouseButton.LeftButton)

    assert live.it.strip.history.isVisible()
    assert live.it.picture.tools.adjust.isVisible()
    live.window.resize(1700, 900)
    assert live.it.strip.history.isVisible() and live.it.strip.statistics.isVisible()


def test_the_picture_alone_and_back_by_escape(live: Live) -> None:
    live.qtbot.mouseClick(live.it.picture.tools.expand, Qt.MouseButton.LeftButton)
    assert not live.it.strip.isVisible() and not live.it.foot.isVisible()

    live.press(Qt.Key.Key_Escape)

    assert live.it.strip.isVisible() and live.it.foot.isVisible()


def test_closing_while_exposing_is_asked_first(live: Live) -> None:
    live.expose(600.0)
    live.it.take_one()

    assert "taking a frame" in live.it.busy_with()
    live.press(Qt.Key.Key_Escape)
    live.wait_idle()
    assert live.it.busy_with() == ""


def test_every_control_has_a_name(live: Live) -> None:
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QDoubleSpinBox, QLineEdit

    nameless = [
        w
        for kind in (QAbstractButton, QComboBox, QDoubleSpinBox, QLineEdit)
        for w in live.it.findChildren(kind)
        if w.isVisible()
        and w.objectName() != "qt_spinbox_lineedit"
        and not (w.accessibleName() or getattr(w, "text", str)())
    ]

    assert nameless == []
