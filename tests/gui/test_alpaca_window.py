"""Alpaca equipment in the window: status bar, Live, and what a lost server looks like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from calibstudio.app import Options, build
from calibstudio.devices.rigs import open_rig
from calibstudio.domain.equipment import CameraState
from calibstudio.domain.errors import DeviceUnreachableError, UsageError
from calibstudio.gui.context import GuiContext
from calibstudio.gui.live.session import LivePhase
from calibstudio.gui.live.workspace import LiveWorkspace
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.workspaces import WORKSPACES
from tests.helpers.fake_alpaca import FakeAlpaca, refuses

WAIT_MS = 20_000


@pytest.fixture
def server() -> Iterator[FakeAlpaca]:
    made = FakeAlpaca()
    yield made
    made.close()


@pytest.fixture
def window(qtbot: QtBot, context: GuiContext, server: FakeAlpaca) -> Iterator[MainWindow]:
    context.settings.change(first_start_seen=True)
    opened = open_rig(f"alpaca://{server.server}")
    context.equipment.replace(opened).close()
    made = MainWindow(context, workspaces=WORKSPACES[:1])
    qtbot.addWidget(made)
    made.resize(1600, 900)
    with qtbot.waitSignal(made.first_painted):
        made.show()
    qtbot.waitUntil(lambda: made.workspace is not None)
    context.equipment.start()
    qtbot.waitUntil(lambda: context.equipment.snapshot.camera is not None, timeout=WAIT_MS)
    yield made
    made.close_at_once()


def test_a_frame_is_taken_in_live(
    qtbot: QtBot, context: GuiContext, server: FakeAlpaca, window: MainWindow
) -> None:
    workspace = window.workspace
    assert isinstance(workspace, LiveWorkspace)

    with qtbot.waitSignal(workspace.session.numbers_ready, timeout=WAIT_MS):
        workspace.take_one()
    qtbot.waitUntil(lambda: workspace.session.phase is LivePhase.IDLE, timeout=WAIT_MS)

    taken = workspace.session.newest
    assert taken is not None
    assert np.array_equal(taken.frame.data, server.camera.latest())
    snapshot = context.equipment.snapshot
    assert snapshot.camera_name == "Fake Camera"
    assert not snapshot.is_simulated
    assert (snapshot.has_wheel, snapshot.has_panel) == (True, True)
    assert snapshot.sun_altitude_deg is not None


def test_a_server_that_dies_and_comes_back_is_seen_in_the_status(
    qtbot: QtBot, context: GuiContext, server: FakeAlpaca, window: MainWindow
) -> None:
    server.die()
    qtbot.waitUntil(lambda: context.equipment.snapshot.camera is None, timeout=WAIT_MS)
    assert any("does not answer" in p for p in context.equipment.snapshot.problems)

    server.come_back()

    def is_back() -> bool:
        camera = context.equipment.snapshot.camera
        return camera is not None and camera.state is CameraState.IDLE

    qtbot.waitUntil(is_back, timeout=WAIT_MS)
    assert context.equipment.snapshot.problems == ()


def test_a_device_that_is_missing_is_said_and_the_rest_is_used(
    qtbot: QtBot, server: FakeAlpaca, tmp_path: Path
) -> None:
    server.faults["filterwheel", "PUT connected"] = refuses(0x500, "no wheel on COM3")
    app = build(Options(rig=f"alpaca://{server.server}", settings_path=tmp_path / "s.toml"))
    said: list[str] = []
    app.context.toasts.said.connect(lambda toast: said.append(toast.text))
    try:
        with qtbot.waitSignal(app.window.first_painted):
            app.show()
        qtbot.waitUntil(lambda: any("COM3" in text for text in said))
        assert app.context.equipment.observatory.wheel is None
        assert app.context.equipment.observatory.panel is not None
    finally:
        app.close()


def test_equipment_that_is_not_there_is_a_sentence(server: FakeAlpaca) -> None:
    server.die()

    with pytest.raises(DeviceUnreachableError, match="nothing listens"):
        open_rig(f"alpaca://{server.server}")
    with pytest.raises(UsageError, match="not the address"):
        open_rig("alpaca://")
