"""The picture view under real mouse, wheel and theme: values, zoom, tools, marks, red only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.domain.equipment import Region
from calibstudio.gui.picture.chips import PictureChips
from calibstudio.gui.picture.geometry import Orientation, Viewport
from calibstudio.gui.picture.newest import NewestWorker
from calibstudio.gui.picture.toolbar import PictureToolbar, parsed_number
from calibstudio.gui.picture.tools import Line
from calibstudio.gui.picture.view import PictureView, PixelValue
from calibstudio.gui.theme import ThemeState
from calibstudio.imaging.display import build_pyramid
from calibstudio.imaging.display_stretch import Curve, Stretch
from tests.gui.conftest import pixels

SHAPE = (90, 140)


def ramp() -> NDArray[np.uint16]:
    """Every pixel has a value of its own: 200 y + x."""
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    return (200 * y + x).astype(np.uint16)


@pytest.fixture
def view(qtbot: QtBot, theme: ThemeState) -> Iterator[PictureView]:
    made = PictureView(theme)
    qtbot.addWidget(made)
    made.resize(420, 300)
    made.show()
    yield made
    made.close_down()


def show(qtbot: QtBot, view: PictureView, data: NDArray[np.uint16], **more: float) -> None:
    """Show a frame and wait until it is sharp."""
    with qtbot.waitSignal(view.picture_shown, timeout=5000):
        view.set_picture(build_pyramid(data, **more))
    wait_sharp(qtbot, view)


def wait_sharp(qtbot: QtBot, view: PictureView) -> None:
    qtbot.waitUntil(lambda: view.is_sharp, timeout=5000)


def at_pixel(view: PictureView, x: float, y: float) -> QPoint:
    """The screen point over the middle of a pixel."""
    assert view.viewport is not None
    px, py = view.viewport.to_screen(x + 0.5, y + 0.5)
    return QPoint(round(px - 0.5), round(py - 0.5))


def hover(qtbot: QtBot, view: PictureView, at: QPoint) -> None:
    """Move the mouse there; from elsewhere, or nothing moves."""
    qtbot.mouseMove(view, at + QPoint(9, 9))
    qtbot.mouseMove(view, at)


def turn_wheel(view: PictureView, at: QPoint, steps: int) -> None:
    event = QWheelEvent(
        QPointF(at), view.mapToGlobal(QPointF(at)), QPoint(), QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def drag(qtbot: QtBot, view: PictureView, start: QPoint, end: QPoint) -> None:
    hover(qtbot, view, start)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(view, (start + end) / 2)
    qtbot.mouseMove(view, end)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)


# Geometry


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_coordinates_are_where_numpy_puts_the_pixels(turns: int, mirrored: bool) -> None:
    frame = np.arange(15).reshape(3, 5)
    orientation = Orientation(turns, mirrored)

    seen = orientation.apply(frame)

    assert seen.shape == orientation.shape((3, 5))
    for y in range(3):
        for x in range(5):
            u, v = orientation.forward(x + 0.5, y + 0.5, (3, 5))
            assert seen[int(v), int(u)] == frame[y, x]
            assert orientation.backward(u, v, (3, 5)) == (x + 0.5, y + 0.5)
    assert np.array_equal(orientation.flipped().apply(frame), seen[:, ::-1])
    assert np.array_equal(orientation.turned().apply(frame), np.rot90(seen, -1))


def test_zoom_keeps_the_point_under_the_cursor() -> None:
    viewport = Viewport((4000, 6000), 1480, 700).fit_width()
    before = viewport.from_screen(400, 300)

    after = viewport.zoomed(2.0, (400, 300)).from_screen(400, 300)

    assert after == pytest.approx(before)


def test_a_picture_is_never_lost_beside_the_widget() -> None:
    viewport = Viewport((1000, 1000), 500, 500).zoomed(1.0)

    far = viewport.panned(1e6, -1e6)

    seen = far.visible()
    assert (seen.left, seen.top, seen.right, seen.bottom) == (0.0, 500.0, 500.0, 1000.0)


# Values under the cursor


@pytest.mark.parametrize("scale", [0.7, 1.0, 2.5, 16.0])
@pytest.mark.parametrize("turned", ["", "flip", "rotate", "rotate flip rotate"])
def test_the_value_under_the_cursor_is_that_of_the_pixel(
    qtbot: QtBot, view: PictureView, scale: float, turned: str
) -> None:
    show(qtbot, view, ramp())
    for step in turned.split():
        getattr(view, step)()
    view.zoom_to(scale)
    seen: list[PixelValue] = []
    view.cursor_moved.connect(seen.append)

    for x, y in ((70, 45), (68, 44), (72, 47)):
        hover(qtbot, view, at_pixel(view, x, y))

        if scale > 1.0:
            assert seen[-1] == PixelValue(x, y, float(200 * y + x))
        else:
            # A screen point may lie over two pixels here: the neighbour may be hit.
            assert abs(seen[-1].x - x) <= 1 and abs(seen[-1].y - y) <= 1
            assert seen[-1].value == 200 * seen[-1].y + seen[-1].x


def test_there_is_no_value_beside_the_picture(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.fit()

    assert view.value_at(1, 1) is None or view.viewport is not None
    view.zoom_to(0.5)
    assert view.value_at(2, 2) is None


# What is on the screen


def test_enlarged_pixels_have_the_grey_of_their_value(qtbot: QtBot, view: PictureView) -> None:
    frame = np.tile(np.array([[0, 1000], [2000, 3000]], np.uint16), (20, 20))
    view.set_stretch(Stretch(Curve.LINEAR, 0.0, 3000.0))
    view.show_clipped(False)
    show(qtbot, view, frame)
    view.zoom_to(20.0)
    wait_sharp(qtbot, view)

    rgb = pixels(view)

    for x, y in ((19, 19), (20, 19), (19, 20), (20, 20)):
        place = at_pixel(view, x, y)
        grey = round(round(255 * float(frame[y, x]) / 3000) / 255 * 236)
        assert abs(int(rgb[place.y(), place.x(), 0]) - grey) <= 1
        assert len(set(rgb[place.y(), place.x()].tolist())) == 1


def test_clipped_pixels_are_red_and_blue_until_switched_off(
    qtbot: QtBot, view: PictureView, theme: ThemeState
) -> None:
    frame = np.full(SHAPE, 1000, np.uint16)
    frame[40, 60], frame[50, 70] = 65535, 0
    show(qtbot, view, frame, saturation=65535)
    view.zoom_to(8.0)
    wait_sharp(qtbot, view)
    red, blue = theme.color("bad").getRgb()[:3], theme.color("accent").getRgb()[:3]

    marked = pixels(view)
    high, low = at_pixel(view, 60, 40), at_pixel(view, 70, 50)
    view.show_clipped(False)
    plain = pixels(view)

    assert tuple(marked[high.y(), high.x()]) == red
    assert tuple(marked[low.y(), low.x()]) == blue
    assert tuple(plain[high.y(), high.x()]) == (236, 236, 236)
    assert tuple(plain[low.y(), low.x()]) == (0, 0, 0)


def test_zoom_and_pan_paint_at_once_from_what_there_is(
    qtbot: QtBot, view: PictureView, monkeypatch: pytest.MonkeyPatch
) -> None:
    view.set_stretch(Stretch(Curve.LINEAR, 0.0, 100.0))
    show(qtbot, view, np.full((600, 900), 90, np.uint16))
    monkeypatch.setattr(view._renderer, "ask", lambda work: None)  # the worker never answers

    view.zoom_to(0.9)
    view.set_viewport(view.viewport.panned(-300, -100))  # type: ignore[union-attr]

    assert not view.is_sharp
    centre = pixels(view)[100:200, 150:250, 0]
    assert (centre > 200).all()


def test_night_is_red_at_once_and_stays_red(
    qtbot: QtBot, view: PictureView, theme: ThemeState, is_red_only: Callable[[QWidget], bool]
) -> None:
    frame = ramp()
    frame[10:20, 10:20], frame[30:40, 30:40] = 65535, 0
    view.show_crosshair(True)
    view.show_region(True)
    view.show_line(True)
    show(qtbot, view, frame, saturation=65535)

    theme.set_theme("night")

    assert is_red_only(view)
    wait_sharp(qtbot, view)
    assert is_red_only(view)


def test_in_night_saturated_and_zero_differ_by_their_pattern(
    qtbot: QtBot, view: PictureView, theme: ThemeState
) -> None:
    theme.set_theme("night")
    frame = np.full(SHAPE, 1000, np.uint16)
    frame[40:60, 40:60], frame[40:60, 80:100] = 65535, 0
    show(qtbot, view, frame, saturation=65535)
    view.zoom_to(3.0)
    wait_sharp(qtbot, view)

    red = pixels(view)[..., 0]

    high, low = at_pixel(view, 50, 50), at_pixel(view, 90, 50)
    full = red[high.y() - 5 : high.y() + 5, high.x() - 5 : high.x() + 5]
    chequered = red[low.y() - 5 : low.y() + 5, low.x() - 5 : low.x() + 5]
    assert (full == 204).all()
    assert set(np.unique(chequered)) == {0, 204}


def test_a_bright_picture_is_dimmed_in_night(
    qtbot: QtBot, view: PictureView, theme: ThemeState
) -> None:
    theme.set_theme("night")
    view.set_stretch(Stretch(Curve.LINEAR, 0.0, 40000.0))
    show(qtbot, view, np.full(SHAPE, 36000, np.uint16))
    view.fit()
    wait_sharp(qtbot, view)

    rgb = pixels(view)

    assert rgb[..., 0].max() <= 178
    assert rgb[150, 210, 0] <= 75


@pytest.mark.parametrize(("name", "most"), [("night", 70), ("dark", 85)])
def test_a_saturated_picture_is_marked_without_blinding(
    qtbot: QtBot, view: PictureView, theme: ThemeState, name: str, most: int
) -> None:
    theme.set_theme("dark")
    show(qtbot, view, np.full(SHAPE, 65535, np.uint16), saturation=65535)
    view.fit()
    wait_sharp(qtbot, view)

    theme.set_theme(name)

    red, green, _ = pixels(view)[150, 210]
    assert 40 <= red <= most and green < red
    wait_sharp(qtbot, view)
    assert tuple(pixels(view)[150, 210][:2]) == (red, green)


def test_pixels_without_a_value_are_shown_as_such(
    qtbot: QtBot, view: PictureView, theme: ThemeState
) -> None:
    master = np.full(SHAPE, 1.0, np.float32)
    master[40:50, 60:70] = np.nan

    with qtbot.waitSignal(view.picture_shown, timeout=5000):
        view.set_data(master)
    view.zoom_to(4.0)
    wait_sharp(qtbot, view)

    place = at_pixel(view, 65, 45)
    assert tuple(pixels(view)[place.y(), place.x()]) == theme.color("line2").getRgb()[:3]
    found = view.value_at(place.x(), place.y())
    assert found is not None and np.isnan(found.value)


def test_a_picture_that_was_taken_back_does_not_come_late(qtbot: QtBot, view: PictureView) -> None:
    view.set_data(ramp())
    view.set_data(None)

    qtbot.waitUntil(lambda: not view._maker.is_busy)
    QApplication.sendPostedEvents()

    assert view.pyramid is None


# Zoom and pan


def test_the_wheel_zooms_about_the_cursor(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.zoom_to(4.0)
    at = QPoint(300, 80)
    before = view.value_at(at.x(), at.y())
    scales: list[float] = []
    view.zoom_changed.connect(scales.append)

    turn_wheel(view, at, 3)

    assert scales == [pytest.approx(4.0 * 1.25**3)]
    assert view.value_at(at.x(), at.y()) == before


def test_dragging_moves_the_picture_with_the_hand(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.zoom_to(8.0)
    held = view.value_at(200, 150)

    drag(qtbot, view, QPoint(200, 150), QPoint(240, 120))

    assert view.value_at(240, 120) == held


def test_arrow_keys_move_the_picture(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.zoom_to(8.0)
    before = view.value_at(200, 150)

    qtbot.keyClick(view, Qt.Key.Key_Right)

    after = view.value_at(200, 150)
    assert before is not None and after is not None
    assert (after.x - before.x, after.y - before.y) == (8, 0)


def test_fit_width_and_one_to_one_say_what_they_are(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())

    view.fit()
    assert view.zoom_mode == "fit"
    assert view.scale == pytest.approx(420 / 140)
    view.one_to_one()
    assert (view.zoom_mode, view.scale) == ("1:1", 1.0)
    view.fit_width()
    view.resize(700, 300)
    assert view.zoom_mode == "width"
    assert view.scale == pytest.approx(5.0)


def test_the_next_frame_keeps_zoom_and_place(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.zoom_to(6.0)
    viewport = view.viewport

    show(qtbot, view, ramp()[::-1].copy())

    assert view.viewport == viewport


def test_limits_by_hand_stay_for_the_next_frame_and_auto_follows_again(
    qtbot: QtBot, view: PictureView
) -> None:
    show(qtbot, view, ramp())

    view.set_limits(100.0, 900.0)
    show(qtbot, view, (ramp() // 2).astype(np.uint16))
    assert (view.stretch.black, view.stretch.white) == (100.0, 900.0)

    view.set_curve(Curve.AUTO)
    assert view.stretch.white > 5000


# Tools


def test_dragging_inside_the_region_moves_it(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.fit()
    view.show_region(True, Region(40, 30, 40, 20))
    seen: list[Region] = []
    view.region_changed.connect(seen.append)

    drag(qtbot, view, at_pixel(view, 60, 40), at_pixel(view, 70, 45))

    assert seen[-1] == view.region == Region(50, 35, 40, 20)


@pytest.mark.parametrize("turned", ["", "flip", "rotate"])
def test_dragging_a_corner_resizes_the_region(qtbot: QtBot, view: PictureView, turned: str) -> None:
    show(qtbot, view, ramp())
    view.resize(420, 420)
    if turned:
        getattr(view, turned)()
    view.fit()
    view.show_region(True, Region(40, 30, 40, 20))
    assert view.viewport is not None
    corner = QPointF(*view.viewport.to_screen(80, 50)).toPoint()
    target = QPointF(*view.viewport.to_screen(90, 60)).toPoint()

    drag(qtbot, view, corner, target)

    assert view.region is not None
    assert (view.region.x, view.region.y) == (40, 30)
    assert abs(view.region.width - 50) <= 1 and abs(view.region.height - 30) <= 1


def test_a_region_stays_on_the_picture(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.fit()
    view.show_region(True, Region(10, 10, 40, 20))

    drag(qtbot, view, at_pixel(view, 30, 20), QPoint(-200, -200))

    assert view.region == Region(0, 0, 40, 20)


def test_the_ends_of_the_line_can_be_dragged(qtbot: QtBot, view: PictureView) -> None:
    show(qtbot, view, ramp())
    view.fit()
    view.show_line(True, Line(30.5, 40.5, 100.5, 40.5))

    drag(qtbot, view, at_pixel(view, 100, 40), at_pixel(view, 120, 60))

    assert view.line is not None
    assert (view.line.x0, view.line.y0) == (30.5, 40.5)
    assert (view.line.x1, view.line.y1) == (
        pytest.approx(120.5, abs=0.6),
        pytest.approx(60.5, abs=0.6),
    )


# Tool row and chips


@pytest.fixture
def bench(
    qtbot: QtBot, theme: ThemeState
) -> Iterator[tuple[PictureView, PictureToolbar, PictureChips]]:
    area = QWidget()
    qtbot.addWidget(area)
    column = QVBoxLayout(area)
    view = PictureView(theme)
    tools = PictureToolbar(theme, view)
    chips = PictureChips(theme, view)
    column.addWidget(tools)
    column.addWidget(view, 1)
    area.resize(1200, 500)
    area.show()
    yield view, tools, chips
    view.close_down()


def test_typing_white_stretches_by_hand(
    qtbot: QtBot, bench: tuple[PictureView, PictureToolbar, PictureChips]
) -> None:
    view, tools, _ = bench
    show(qtbot, view, ramp())

    tools.white.selectAll()
    qtbot.keyClicks(tools.white, "12 000,0")
    qtbot.keyClick(tools.white, Qt.Key.Key_Return)

    assert view.stretch.white == 12000.0
    assert view.is_by_hand
    assert tools.white.text() == "12\u202f000"


def test_up_and_down_step_a_limit(
    qtbot: QtBot, bench: tuple[PictureView, PictureToolbar, PictureChips]
) -> None:
    view, tools, _ = bench
    show(qtbot, view, ramp())
    view.set_limits(100.0, 1100.0)

    qtbot.keyClick(tools.black, Qt.Key.Key_Up)

    assert view.stretch.black == 110.0


@pytest.mark.parametrize(
    ("text", "value"), [("1 070", 1070.0), ("−0,5", -0.5), ("4\u202f260", 4260.0), ("x", 7.0)]
)
def test_numbers_are_read_as_people_write_them(text: str, value: float) -> None:
    assert parsed_number(text, 7.0) == value


def test_the_tool_row_shows_how_the_view_is_set(
    qtbot: QtBot, bench: tuple[PictureView, PictureToolbar, PictureChips]
) -> None:
    view, tools, _ = bench
    show(qtbot, view, ramp())

    qtbot.mouseClick(tools.crosshair, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(tools.line, Qt.MouseButton.LeftButton)
    view.fit()

    assert view.shows_crosshair and tools.crosshair.isChecked()
    assert view.line is not None and tools.line.isChecked()
    assert tools.zoom.value == "fit"
    view.set_curve(Curve.LOG)
    assert tools.curve.value is Curve.LOG


def test_the_value_chip_says_place_value_and_electrons(
    qtbot: QtBot, bench: tuple[PictureView, PictureToolbar, PictureChips]
) -> None:
    view, _, chips = bench
    show(qtbot, view, np.full((50, 12000), 1226, np.uint16))
    chips.set_unit("ADU", e_per_adu=0.25, bias_adu=502.0)
    view.zoom_to(4.0)
    view.set_viewport(view.viewport.panned(-1e6, 0))  # type: ignore[union-attr]

    hover(qtbot, view, QPoint(600, 200))

    assert "1226\u202fADU" in chips.value.text()
    assert "(181\u202fe⁻ above bias)" in chips.value.text()
    assert "x\u202f11\u202f" in chips.value.text()


def test_a_master_of_ratios_is_said_with_four_digits(
    qtbot: QtBot, bench: tuple[PictureView, PictureToolbar, PictureChips]
) -> None:
    _, _, chips = bench
    chips.set_unit("", decimals=None)

    runs = chips.value_runs(PixelValue(1, 2, 0.98765))

    assert runs[1][0] == "0.9877"


def test_a_long_verdict_ends_before_the_busy_chip(
    qtbot: QtBot, bench: tuple[PictureView, PictureToolbar, PictureChips]
) -> None:
    _, _, chips = bench
    chips.show_busy("Exposing 84 of 120 s", 0.7)

    chips.show_verdict("bad", "Frame 37 · " + "very long reasons " * 20)

    assert chips.verdict.geometry().right() < chips.busy.geometry().left()


def test_cancel_beside_the_exposure_asks_to_stop(
    qtbot: QtBot, bench: tuple[PictureView, PictureToolbar, PictureChips]
) -> None:
    _, _, chips = bench
    chips.show_busy("Exposing 84 of 120 s", 0.7)

    with qtbot.waitSignal(chips.cancelled, timeout=1000):
        qtbot.mouseClick(chips.busy.cancel, Qt.MouseButton.LeftButton)


# The worker


def test_only_the_newest_question_is_answered(qtbot: QtBot) -> None:
    worker = NewestWorker("test")
    gate = threading.Event()
    answers: list[int] = []
    worker.done.connect(answers.append)

    worker.ask(lambda: (gate.wait(5), 1)[1])
    for k in (2, 3, 4):
        worker.ask(lambda k=k: k)
    gate.set()
    qtbot.waitUntil(lambda: len(answers) == 2, timeout=5000)

    assert answers == [1, 4]
    assert worker.replaced == 2
    worker.close()


def test_an_error_is_told_and_the_next_question_still_answered(qtbot: QtBot) -> None:
    worker = NewestWorker("test")

    with qtbot.waitSignal(worker.failed, timeout=5000) as failed:
        worker.ask(lambda: 1 // 0)
    with qtbot.waitSignal(worker.done, timeout=5000) as done:
        worker.ask(lambda: 7)

    assert isinstance(failed.args[0], ZeroDivisionError)
    assert done.args == [7]
    worker.close()


def test_after_closing_nothing_is_answered(qtbot: QtBot) -> None:
    worker = NewestWorker("test")
    worker.close()
    answers: list[int] = []
    worker.done.connect(answers.append)

    worker.ask(lambda: 1)

    assert not worker.is_busy
    assert answers == []


@pytest.mark.parametrize("touch", [False, True])
@pytest.mark.parametrize("width", [900, 1060, 1500])
def test_nothing_in_the_row_of_tools_is_squeezed(
    qtbot: QtBot, theme: ThemeState, touch: bool, width: int
) -> None:
    theme.set_touch(touch)
    view = PictureView(theme)
    qtbot.addWidget(view)
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1600, 200)
    tools = PictureToolbar(theme, view, parent=window)
    tools.set_compact(width < 1000)

    tools.setGeometry(0, 0, width, 60)
    window.show()

    assert tools.black.isVisible() != tools.adjust.isVisible()
    for part in (tools.curve, tools.zoom):
        assert part.width() >= part.minimumSizeHint().width()
    assert tools.black.isVisible() or width < 1500
