"""The plan from lights in the window: added, looked at, chosen, saved, started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.needs import Choice, NeedState
from calibstudio.gui.capture.light_plan_page import LightPlanPage
from calibstudio.gui.context import GuiContext
from tests.helpers.capture_desk import Desk, desk_at
from tests.helpers.frames import write_frame
from tests.helpers.masters import make_master_file


@pytest.fixture
def desk(qtbot: QtBot, context: GuiContext) -> Iterator[Desk]:
    with desk_at(qtbot, context) as made:
        yield made


def write_lights(desk: Desk, folder: Path, *filters: str, **cards: Any) -> None:
    """Write lights of the connected camera."""
    info = desk.context.equipment.observatory.camera.info
    said = {
        "INSTRUME": info.name,
        "SERIALNO": info.serial,
        "READOUTM": info.readout_modes[0],
        "GAIN": 100,
        "OFFSET": 50,
        "XBINNING": 1,
        "YBINNING": 1,
        "SET__TEMP": -10.0,
        "CCD__TEMP": -10.0,
        "EXPTIME": 300.0,
        "DATE__OBS": "2026-04-17T23:00:00",
        "SITELONG": 11.6,
        **cards,
    }
    for name in filters:
        path = folder / f"light {name}.fits"
        write_frame(path, shape=info.shape, IMAGETYP="Light Frame", FILTER=name, **said)


def file_masters(desk: Desk) -> None:
    """Give the library a dark that fits, and flats that are too old."""
    library = desk.context.open_library()
    info = desk.context.equipment.observatory.camera.info
    said = {
        "camera": info.name,
        "serial": info.serial,
        "readout_mode": info.readout_modes[0],
        "offset": 50.0,
    }
    for kind, more in (
        ("dark", {"exposure_s": 300.0}),
        ("flat", {"filter": "L", "exposure_s": 1.0, "night": date(2025, 6, 1)}),
    ):
        path = library.folder / f"{kind}.fits"
        library.add(make_master_file(path, kind=kind, **said, **more))


def opened(desk: Desk, folder: Path) -> LightPlanPage:
    desk.click(desk.capture.home.tiles["plan"])
    page = desk.capture.light_plan
    assert page is not None
    page.add_lights([folder])
    desk.until(lambda: page.found is not None)
    return page


def state_of(page: LightPlanPage, kind: str) -> list[NeedState]:
    return [row.need.state for row in page.needs.rows if row.need.kind == kind]


def test_lights_that_are_dropped_say_what_they_need(desk: Desk, tmp_path: Path) -> None:
    write_lights(desk, tmp_path / "lights", "L", "R")
    desk.click(desk.capture.home.tiles["plan"])
    page = desk.capture.light_plan
    assert page is not None
    assert page.empty.isVisible() and not page.start.isEnabled() and not page.save.isEnabled()
    urls = QMimeData()
    urls.setUrls([QUrl.fromLocalFile(str(tmp_path / "lights"))])

    page.dropEvent(
        QDropEvent(
            QPointF(9, 9), Qt.DropAction.CopyAction, urls, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )  # fmt: skip
    desk.until(lambda: page.found is not None and page.needs.isVisible())

    kinds = [row.need.kind for row in page.needs.rows]
    assert kinds == ["bias", "dark", "flat", "flat", "dark flat", "dark flat", "bpm"]
    assert page.needs.rows[1].reason.text() == "The library has no master dark."
    desk.until(lambda: bool(page.preflight.checks))
    assert page.start.text() == "Start 198 frames"
    assert page.save.isEnabled()


def test_fill_refresh_rebuild_and_ticks_of_ones_own(desk: Desk, tmp_path: Path) -> None:
    write_lights(desk, tmp_path, "L")
    # Their size is not that of the camera: what is there is told by the rows, not by taking it.
    file_masters(desk)
    page = opened(desk, tmp_path)
    assert state_of(page, "dark") == [NeedState.MISSING]
    assert "size" in page.needs.rows[1].reason.text().replace("\u200b", "")

    def taken() -> list[str]:
        assert page.found is not None
        return [row.need.kind for row in page.needs.rows if row.box.isChecked()]

    assert taken() == ["bias", "dark", "flat", "dark flat"]
    dark = page.needs.rows[1]
    desk.click(dark.box)
    assert page.choice is Choice.CUSTOM and taken() == ["bias", "flat", "dark flat"]
    flat = next(row for row in page.needs.rows if row.need.kind == FrameKind.FLAT)
    desk.click(flat.box)
    assert taken() == ["bias"]
    assert page.capture is not None
    assert [s.kind for s in page.capture.plan.steps] == [FrameKind.BIAS]
    desk.click(page.needs.rows[0].box)
    assert page.capture is None and not page.start.isEnabled()
    page.choices.step(-1)
    assert page.choice is Choice.REBUILD and taken() == ["bias", "dark", "flat", "dark flat"]


def test_a_filter_that_the_wheel_has_not_blocks_until_it_is_left_out(
    desk: Desk, tmp_path: Path
) -> None:
    write_lights(desk, tmp_path, "lum", "XY")
    page = opened(desk, tmp_path)
    assert "The wheel has no filter XY" in page.notes.text() and not page.start.isEnabled()

    row = next(r for r in page.needs.rows if r.need.key.get("filter") == "XY")
    desk.click(row.box)

    assert page.capture is not None
    flats = [s.filter for s in page.capture.plan.steps if s.kind == FrameKind.FLAT]
    assert flats == ["L"]


def test_what_is_chosen_is_taken(desk: Desk, tmp_path: Path) -> None:
    write_lights(desk, tmp_path, "L", SET__TEMP=None, CCD__TEMP=None, EXPTIME=0.5)
    page = opened(desk, tmp_path)
    for row in page.needs.rows:
        if row.box.isEnabled() and row.need.kind != FrameKind.DARK:
            desk.click(row.box)
    assert page.capture is not None
    plan = page.capture.plan
    assert [(s.kind, s.count, s.exposure_s) for s in plan.steps] == [(FrameKind.DARK, 20, 0.5)]
    desk.until(page.start.isEnabled)
    desk.until(lambda: bool(page.preflight.checks))

    desk.click(page.start)
    run = desk.capture.run
    desk.until(lambda: run.status is not None)
    desk.until_over()

    assert desk.status.plan.steps == plan.steps
    assert len(desk.files("dark")) == 20


def test_a_folder_without_lights_and_lights_of_another_camera_are_said(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    desk.click(desk.capture.home.tiles["plan"])
    page = desk.capture.light_plan
    assert page is not None
    page.add_lights([tmp_path / "none"])
    desk.until(
        lambda: any("no raw lights" in said.text() for said in page.empty.findChildren(QLabel))
    )
    write_lights(desk, tmp_path / "other", "L", INSTRUME="Other camera")

    page.add_lights([tmp_path / "other"])
    desk.until(lambda: page.found is not None)

    assert "Its frames do not fit" in page.notes.text()
    desk.key(Qt.Key.Key_Escape)
    desk.until(desk.capture.home.isVisible)
    assert desk.capture.light_plan is None


def test_the_page_is_red_alone_at_night(
    desk: Desk, tmp_path: Path, is_red_only: Callable[[QWidget], bool]
) -> None:
    write_lights(desk, tmp_path, "L", "Ha")
    page = opened(desk, tmp_path)

    desk.context.theme.set_theme("night")
    desk.until(page.needs.isVisible)

    assert is_red_only(page)
