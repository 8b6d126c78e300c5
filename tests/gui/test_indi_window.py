"""INDI equipment in the window: status bar, and a frame in Live."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from calibstudio.devices.rigs import open_rig
from calibstudio.gui.context import GuiContext
from calibstudio.gui.live.session import LivePhase
from calibstudio.gui.live.workspace import LiveWorkspace
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.workspaces import WORKSPACES
from tests.helpers.fake_indi import CAMERA, NX, NY, FakeIndi

WAIT_MS = 20_000


@pytest.fixture
def server() -> Iterator[FakeIndi]:
    made = FakeIndi()
    yield made
    made.close()


@pytest.fixture
def window(qtbot: QtBot, context: GuiContext, server: FakeIndi) -> Iterator[MainWindow]:
    context.settings.change(first_start_seen=True)
    context.equipment.replace(open_rig(server.url)).close()
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


def test_a_frame_is_taken_in_live_and_a_lost_server_is_said(
    qtbot: QtBot, context: GuiContext, server: FakeIndi, window: MainWindow
) -> None:
    workspace = window.workspace
    assert isinstance(workspace, LiveWorkspace)

    with qtbot.waitSignal(workspace.session.numbers_ready, timeout=WAIT_MS):
        workspace.take_one()
    qtbot.waitUntil(lambda: workspace.session.phase is LivePhase.IDLE, timeout=WAIT_MS)

    taken = workspace.session.newest
    assert taken is not None and taken.frame.data.shape == (NY, NX)
    snapshot = context.equipment.snapshot
    assert snapshot.camera_name == CAMERA and not snapshot.is_simulated
    assert (snapshot.has_wheel, snapshot.has_panel) == (True, True)
    server.close()
    qtbot.waitUntil(lambda: context.equipment.snapshot.camera is None, timeout=WAIT_MS)
    assert any("does not answer" in p for p in context.equipment.snapshot.problems)
