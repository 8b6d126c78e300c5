"""Rigs in the window, over real sockets: made, connected, partly missing, mended, let go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from calibstudio.app import Options, build
from calibstudio.devices import discovery, rig_opening
from calibstudio.devices.discovery import FINDERS, Found
from calibstudio.domain.equipment import Site
from calibstudio.domain.rig import DeviceRef, Learned, Quantity, Rig
from calibstudio.domain.rig_knows import RigKnows
from calibstudio.gui.context import GuiContext
from calibstudio.gui.main_window import MainWindow
from calibstudio.gui.rigs.connection import RigConnection, cold_camera
from calibstudio.gui.rigs.editor import RigEditor
from calibstudio.gui.rigs.page import EquipmentPage
from calibstudio.gui.settings_dialog import SettingsSheet
from calibstudio.gui.sheet import Sheet
from calibstudio.gui.widgets.banner import Banner
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.workspaces import WORKSPACES
from calibstudio.services.rigs import rigs_here
from tests.helpers.fake_alpaca import FakeAlpaca, refuses

WAIT_MS = 20_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAlpaca]:
    """A server; the whole network is this one."""
    made = FakeAlpaca()

    def find(address: str, cancel: object) -> Found:
        try:
            return FINDERS["alpaca"](address or str(made.server), cancel)  # type: ignore[arg-type]
        except Exception:
            if address:
                raise
            return Found(())

    for module in (discovery, rig_opening):
        monkeypatch.setattr(module, "FINDERS", {"alpaca": find})
    yield made
    made.close()


@pytest.fixture
def page(qtbot: QtBot, context: GuiContext) -> Iterator[EquipmentPage]:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1366, 768)
    window.show()
    sheet = SettingsSheet(context, window, page="equipment")
    sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(sheet)
    sheet.kept = window  # type: ignore[attr-defined]
    sheet.open()
    made = sheet.page("equipment")
    assert isinstance(made, EquipmentPage)
    yield made
    sheet.close()


def mine(server: FakeAlpaca) -> Rig:
    def ref(kind: str, name: str) -> DeviceRef:
        return DeviceRef("alpaca", kind, name, "127.0.0.1", server.port, 0, f"{kind}-0")

    return Rig("Mine", (ref("camera", "Fake Camera"), ref("filterwheel", "Fake Wheel")))


def states(connection: RigConnection) -> dict[str, str]:
    return {row.title: row.word for row in connection.rows()}


def click(qtbot: QtBot, button: Button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def wait_idle(qtbot: QtBot, context: GuiContext) -> None:
    qtbot.waitUntil(lambda: not context.connection.is_busy, timeout=WAIT_MS)


def test_a_first_start_says_how_to_connect_ones_own(page: EquipmentPage) -> None:
    words = [w.text() for w in page.findChildren(type(page.said))]
    assert any("ASCOM Remote" in text for text in words)
    assert not page.disconnect_.isVisible()
    assert {row.word for row in page.context.connection.rows()} == {"Simulated"}


def test_a_rig_is_made_of_what_answers_and_connected(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    click(qtbot, page.new)
    editor = page.editor
    qtbot.waitUntil(lambda: editor.slots["camera"].value is not None, timeout=WAIT_MS)
    assert "4 devices found" in editor.note.text()
    assert not editor.save(connect=True)  # it has no name yet
    assert editor.name.property("bad") == "true"
    qtbot.keyClicks(editor.name, "Newton")
    editor.focal.setValue(1000.0)
    editor.site.name.setText("Hof")
    editor.site.zone.setText("Mars/Olympus")
    assert not editor.save(connect=True)
    editor.site.zone.setText("Europe/Berlin")

    assert editor.save(connect=True)
    wait_idle(qtbot, context)

    o = context.equipment.observatory
    assert (o.name, o.camera.info.name, o.optics.focal_length_mm) == ("Newton", "Fake Camera", 1000)
    assert o.site == Site("Hof", 0.0, 0.0, 0.0, "Europe/Berlin")
    assert set(states(context.connection).values()) == {"Connected"}
    assert context.settings.current.rig == "Newton"
    assert ("Newton", "Connect") in page.buttons
    click(qtbot, page.disconnect_)
    qtbot.waitUntil(lambda: context.equipment.observatory.is_simulated, timeout=WAIT_MS)
    assert not server.devices["camera", 0].values["connected"]
    assert context.settings.current.rig == ""


def test_a_missing_wheel_is_said_mended_and_left_out(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    server.faults["filterwheel", "PUT connected"] = refuses(0x500, "no wheel on COM3")
    rigs = context.connection.rigs
    rigs.save(mine(server), new=True)
    page._show_rigs()
    click(qtbot, page.buttons["Mine", "Connect"])
    wait_idle(qtbot, context)
    camera = context.equipment.observatory.camera
    assert states(context.connection) == {"Fake Camera": "Connected", "Fake Wheel": "Missing"}
    assert any("COM3" in row.text for row in context.connection.rows())

    click(qtbot, page.devices.buttons["Fake Wheel", "Try again"])
    wait_idle(qtbot, context)
    assert states(context.connection)["Fake Wheel"] == "Missing"
    server.faults.clear()
    click(qtbot, page.devices.buttons["Fake Wheel", "Try again"])
    wait_idle(qtbot, context)

    assert states(context.connection)["Fake Wheel"] == "Connected"
    assert context.equipment.observatory.camera is camera
    assert context.equipment.observatory.wheel is not None


def test_a_device_is_left_out_and_taken_back(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    rig = mine(server)
    gone = replace(rig.devices[1], name="Wheel in a drawer", unique_id="drawer")
    rig = rig.moved(rig.devices[1], gone)
    context.connection.rigs.save(rig, new=True)
    undo: list[object] = []
    context.toasts.said.connect(lambda toast: undo.append(toast.on_action))
    context.connection.connect_rig("Mine")
    wait_idle(qtbot, context)

    assert ("Wheel in a drawer", "Find again") in page.devices.buttons
    click(qtbot, page.devices.buttons["Wheel in a drawer", "Leave out"])
    wait_idle(qtbot, context)

    assert [d.name for d in context.connection.rigs.get("Mine").devices] == ["Fake Camera"]
    assert states(context.connection) == {"Fake Camera": "Connected"}
    take_back = undo[-1]
    assert callable(take_back)
    take_back()
    assert context.connection.rigs.get("Mine").devices[1] == gone


def test_without_its_camera_each_device_has_its_state_and_the_button_mends_it(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    context.connection.rigs.save(mine(server), new=True)
    server.die()
    context.connection.connect_rig("Mine")
    wait_idle(qtbot, context)

    assert context.connection.failed and context.equipment.observatory.is_simulated
    assert states(context.connection) == {"Fake Camera": "Missing", "Fake Wheel": "Missing"}
    assert "nobody answers" in context.connection.rows()[0].text
    server.come_back()
    click(qtbot, page.devices.buttons["Fake Camera", "Find again"])
    wait_idle(qtbot, context)

    assert set(states(context.connection).values()) == {"Connected"}
    assert context.settings.current.rig == "Mine"


def test_a_lost_device_is_seen_and_comes_back(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    context.connection.rigs.save(mine(server), new=True)
    context.connection.connect_rig("Mine")
    wait_idle(qtbot, context)
    context.equipment.start()
    server.die()

    def all_are(word: str) -> bool:
        return set(states(context.connection).values()) == {word}

    qtbot.waitUntil(lambda: all_are("Not answering"), timeout=WAIT_MS)
    server.come_back()
    qtbot.waitUntil(lambda: all_are("Connected"), timeout=WAIT_MS)


def test_a_cooled_camera_is_not_let_go_without_a_question(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    context.connection.rigs.save(mine(server), new=True)
    context.connection.connect_rig("Mine")
    wait_idle(qtbot, context)
    context.equipment.observatory.camera.set_cooler(on=True, target_c=-10.0)
    context.equipment.start()
    qtbot.waitUntil(
        lambda: bool(s := context.equipment.snapshot.camera) and s.cooler_on is True,
        timeout=WAIT_MS,
    )

    page.ask_disconnect()

    assert not context.connection.is_busy
    assert "is cooled" in page.sheet.windowTitle()
    page.sheet.reject()
    assert context.equipment.observatory.camera.info.name == "Fake Camera"


def test_the_window_asks_before_it_closes_on_a_cooled_camera(
    qtbot: QtBot, context: GuiContext, server: FakeAlpaca
) -> None:
    context.connection.rigs.save(mine(server), new=True)
    context.connection.connect_rig("Mine")
    wait_idle(qtbot, context)
    window = MainWindow(context, workspaces=WORKSPACES[:1])
    qtbot.addWidget(window)
    with qtbot.waitSignal(window.first_painted):
        window.show()
    context.equipment.observatory.camera.set_cooler(on=True, target_c=-10.0)
    context.equipment.start()
    qtbot.waitUntil(lambda: bool(cold_camera(context.equipment)), timeout=WAIT_MS)

    window.close()

    assert window.isVisible()
    sheet = window.findChild(Sheet)
    assert sheet is not None
    words = " ".join(w.text() for w in sheet.findChildren(QLabel))
    assert "Fake Camera is cooled at" in words
    sheet.reject()
    context.equipment.observatory.camera.set_cooler(on=False)
    qtbot.waitUntil(lambda: not cold_camera(context.equipment), timeout=WAIT_MS)
    with qtbot.waitSignal(window.closing):
        window.close()


def test_rigs_are_copied_deleted_brought_back_and_edited(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    rigs = context.connection.rigs
    rigs.save(mine(server), new=True)
    page._show_rigs()
    undo: list[object] = []
    context.toasts.said.connect(lambda toast: undo.append(toast.on_action))

    click(qtbot, page.buttons["Mine", "Copy"])
    click(qtbot, page.buttons["Mine", "Delete"])
    assert [r.name for r in rigs.list().rigs] == ["Mine 2"]
    back = undo[-1]
    assert callable(back)
    back()
    assert [r.name for r in rigs.list().rigs] == ["Mine", "Mine 2"]

    click(qtbot, page.buttons["Mine 2", "Edit"])
    editor: RigEditor = page.editor
    editor.name.setText("Mine")
    assert not editor.save(connect=False)
    assert "already" in editor._name._note.text()
    editor.name.setText("Refractor")
    editor.slots["wheel"].set_value(None)
    editor.focus.setText("L=10250, Ha")
    assert not editor.save(connect=False)
    assert "“Ha” is no focus" in editor.said.text()
    editor.focus.setText("L=10250, Ha=10400")
    assert editor.save(connect=False)
    assert rigs.get("Refractor").focus == {"L": 10_250, "Ha": 10_400}
    assert [d.name for d in rigs.get("Refractor").devices] == ["Fake Camera"]
    assert [r.name for r in rigs.list().rigs] == ["Mine", "Refractor"]


def test_the_editor_states_what_no_driver_says_and_forgets_with_undo(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    rigs = context.connection.rigs
    at = datetime(2026, 4, 17, 22, tzinfo=UTC)
    gain = Learned(Quantity.GAIN, 0.4, at, "flat.fits")
    noise = Learned(Quantity.READ_NOISE, 3.0, at, "flat.fits")
    knows = RigKnows(camera="Fake Camera", serial="A1")
    rigs.save(replace(mine(server), learned=(gain, noise), knows=knows), new=True)
    page._show_rigs()
    click(qtbot, page.buttons["Mine", "Edit"])
    editor: RigEditor = page.editor
    assert editor.learned is not None

    editor.known.fields["full_well_e"].setText("much")
    assert not editor.save(connect=False)
    assert editor.known.fields["full_well_e"].property("bad") == "true"
    editor.known.fields["full_well_e"].setText("51000")
    editor.known.fields["serial"].setText("")
    first, second = editor.learned.buttons
    click(qtbot, first)
    click(qtbot, second)
    assert first.text() == second.text() == "Undo"
    click(qtbot, second)
    assert editor.save(connect=False)

    saved = rigs.get("Mine")
    assert saved.knows == RigKnows(camera="Fake Camera", full_well_e=51_000.0)
    assert saved.learned == (noise,)


def test_another_camera_in_a_rig_is_not_taken_for_the_former_one(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    rigs = context.connection.rigs
    knows = RigKnows(camera="Fake Camera", serial="A1", flat_min_s=0.5)
    rigs.save(replace(mine(server), knows=knows), new=True)
    page._show_rigs()
    click(qtbot, page.buttons["Mine", "Edit"])
    editor: RigEditor = page.editor
    other = DeviceRef("alpaca", "camera", "Other Camera", "127.0.0.1", 1, 0, "camera-9")
    editor.slots["camera"].set_options([(other, "Other")], other)
    assert editor.save(connect=False)
    assert rigs.get("Mine").knows == RigKnows(flat_min_s=0.5)


def test_a_server_is_asked_by_its_address_and_others_are_named(
    qtbot: QtBot, context: GuiContext, page: EquipmentPage, server: FakeAlpaca
) -> None:
    server.die()
    editor = page.edit(mine(server))
    editor.address.setText(" ")
    click(qtbot, editor.ask)
    assert "No address" in editor.note.text()
    editor.address.setText(str(server.server))
    click(qtbot, editor.ask)
    qtbot.waitUntil(lambda: "nothing listens" in editor.note.text(), timeout=WAIT_MS)
    server.come_back()
    qtbot.waitUntil(editor.ask.isEnabled)
    click(qtbot, editor.ask)
    qtbot.waitUntil(lambda: "4 devices found" in editor.note.text(), timeout=WAIT_MS)
    value = editor.slots["camera"].value
    assert isinstance(value, DeviceRef) and value.unique_id == "camera-0"
    assert editor.slots["mount"].value is None  # a rig that exists is not changed by looking
    editor.reject()


def test_the_rig_of_the_settings_is_connected_once_the_window_is_up(
    qtbot: QtBot, server: FakeAlpaca, tmp_path: Path
) -> None:
    settings = tmp_path / "c" / "settings.toml"
    rigs_here(settings=settings, data=tmp_path).save(mine(server), new=True)
    settings.write_text('rig = "Mine"\n')
    app = build(Options(settings_path=settings, data_folder=tmp_path / "d"))
    equipment = app.context.equipment
    try:
        assert equipment.observatory.is_simulated
        with qtbot.waitSignal(app.window.first_painted):
            app.show()
        banner = app.window.findChild(Banner)
        qtbot.waitUntil(lambda: not equipment.observatory.is_simulated, timeout=WAIT_MS)
        assert equipment.observatory.name == "Mine"
        assert banner is not None and banner.isHidden()
        qtbot.mouseClick(app.window.status_bar.camera, Qt.MouseButton.LeftButton)
        button = app.window.findChild(Button, "equipment")
        assert button is not None
        click(qtbot, button)
        sheet = app.window.findChild(SettingsSheet)
        assert sheet is not None and sheet.page("equipment").isVisible()
        sheet.reject()
    finally:
        app.close()
    assert not server.devices["camera", 0].values["connected"]


@pytest.mark.parametrize("theme_name", ["night"])
def test_everything_is_red_at_night(
    qtbot: QtBot,
    context: GuiContext,
    page: EquipmentPage,
    server: FakeAlpaca,
    is_red_only: object,
    theme_name: str,
) -> None:
    assert callable(is_red_only)
    context.connection.rigs.save(mine(server), new=True)
    server.faults["filterwheel", "PUT connected"] = refuses(0x500, "no wheel on COM3")
    context.connection.connect_rig("Mine")
    wait_idle(qtbot, context)
    context.theme.set_theme(theme_name)
    page._show_rigs()
    assert is_red_only(page.window())
    editor = page.edit(mine(server))
    assert is_red_only(editor)
    editor.reject()
