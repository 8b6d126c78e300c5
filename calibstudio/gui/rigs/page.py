"""The Equipment page of the settings: what is connected, the rigs, the simulated camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.rig import Rig
from calibstudio.domain.wording import count
from calibstudio.gui.context import GuiContext
from calibstudio.gui.rigs.connection import cold_camera
from calibstudio.gui.rigs.devices_list import DevicesList
from calibstudio.gui.rigs.editor import RigEditor
from calibstudio.gui.settings_page import SettingsPage
from calibstudio.gui.sheet import Sheet, ask, file_dialog
from calibstudio.gui.widgets.buttons import Button, ButtonKind, ButtonSize, IconButton
from calibstudio.gui.widgets.fields import ComboField
from calibstudio.gui.widgets.panels import scrolled
from calibstudio.gui.widgets.text import ElidedLabel, label

HOW = (
    "Real equipment is met through ASCOM Alpaca and INDI: make a rig of it. ASCOM drivers of "
    "Windows (COM) are met through ASCOM Remote, a program of the ASCOM Initiative: start it on "
    "that computer. Until then the simulated observatory stands in, and everything works."
)


class EquipmentPage(SettingsPage):
    """Connects rigs, and leads to their editor."""

    def __init__(self, context: GuiContext) -> None:
        super().__init__(context, "Equipment")

    def build(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(12)
        connection = self.context.connection
        self._connected = label("", "subheading")
        self.disconnect_ = Button(self.theme, "Disconnect", size=ButtonSize.SMALL)
        self.disconnect_.clicked.connect(lambda _checked=False: self.ask_disconnect())
        self.stop = Button(self.theme, "Stop connecting", size=ButtonSize.SMALL)
        self.stop.clicked.connect(lambda _checked=False: connection.cancel())
        head = QHBoxLayout()
        head.addWidget(self._connected, 1)
        head.addWidget(self.stop)
        head.addWidget(self.disconnect_)
        column.addLayout(head)
        self.devices = DevicesList(self.theme, connection)
        column.addWidget(self.devices)
        self.said = label("", "note", wrap=True)
        column.addWidget(self.said)
        self._add_rigs(column)
        column.addWidget(label("Simulated camera", "subheading"))
        self.simulated = ComboField(
            self.theme,
            [(rig.name, rig.title) for rig in self.context.rigs],
            name="Simulated camera",
        )
        self.simulated.setPlaceholderText("Choose one")
        self.simulated.chosen.connect(self._on_simulated)
        column.addWidget(self.simulated)
        column.addStretch(1)
        self.column.addWidget(scrolled(inner), 100)
        connection.changed.connect(self._on_changed)
        connection.refused.connect(self._on_refused)
        self._on_changed()

    def _add_rigs(self, column: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.addWidget(label("Rigs", "subheading"), 1)
        self.import_ = Button(self.theme, "Import…", ButtonKind.FLAT, size=ButtonSize.SMALL)
        self.import_.clicked.connect(lambda _checked=False: self._choose_file())
        self.new = Button(self.theme, "New rig", icon="plus", size=ButtonSize.SMALL)
        self.new.clicked.connect(lambda _checked=False: self.edit(None))
        head.addWidget(self.import_)
        head.addWidget(self.new)
        column.addLayout(head)
        self._list = QVBoxLayout()
        self._list.setSpacing(6)
        column.addLayout(self._list)
        self._listed: tuple[Rig, ...] | None = None
        self.buttons: dict[tuple[str, str], Button] = {}
        """By name of the rig and what the button does: Connect, Edit, Copy, Delete."""

    # Showing

    @Slot()
    def _on_changed(self) -> None:
        connection, now = self.context.connection, self.context.equipment.observatory
        if connection.is_busy:
            words = f"Connecting {connection.name}…" if connection.name else "Connecting…"
        elif connection.failed:
            words = f"{connection.name} is not connected"
        else:
            words = f"Connected: {connection.name}"
        self._connected.setText(words)
        self.stop.setVisible(connection.is_busy)
        self.disconnect_.setVisible(not connection.is_busy and not now.is_simulated)
        preset = self.context.settings.current.rig
        if now.is_simulated and not connection.is_busy:
            presets = [rig.name for rig in self.context.rigs]
            preset = preset or next(iter(presets), "")
            self.simulated.set_value(preset if preset in presets else "")
        else:
            self.simulated.set_value("")
        self._show_rigs()

    def _show_rigs(self) -> None:
        found = self.context.connection.rigs.list()
        if found.rigs == self._listed:
            return
        self._listed = found.rigs
        self.buttons = {}
        while self._list.count():
            item = self._list.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for rig in found.rigs:
            self._list.addWidget(self._row(rig))
        if not found.rigs:
            self._list.addWidget(label(HOW, "caption", wrap=True))
        for text in found.problems:
            self._list.addWidget(label(text, "caption", tone="warn", wrap=True))

    def _row(self, rig: Rig) -> QWidget:
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(ElidedLabel(rig.name))
        words.addWidget(label(_devices(rig), "caption"))
        row.addLayout(words, 1)
        connect = Button(self.theme, "Connect", size=ButtonSize.SMALL)
        connect.clicked.connect(lambda _checked=False: self.connect_rig(rig.name))
        row.addWidget(connect)
        self.buttons[rig.name, "Connect"] = connect
        for word, shape, act in (
            ("Edit", "edit", partial(self.edit, rig)),
            ("Copy", "copy", partial(self._copy, rig)),
            ("Delete", "delete", partial(self._delete, rig)),
        ):
            button = IconButton(self.theme, shape, f"{word} {rig.name}", kind=ButtonKind.FLAT)
            button.clicked.connect(lambda _checked=False, act=act: act())
            row.addWidget(button)
            self.buttons[rig.name, word] = button
        return made

    # Doing

    def connect_rig(self, name: str) -> None:
        """Connect a rig; asks first when the cooler of the camera that leaves is on."""
        self.said.setText("")
        self._leave(lambda: self.context.connection.connect_rig(name), "Connect")

    def ask_disconnect(self) -> None:
        """Disconnect; asks first when the cooler is on."""
        self.said.setText("")
        self._leave(self.context.connection.disconnect_rig, "Disconnect")

    def _leave(self, act: Callable[[], object], word: str) -> Sheet | None:
        details = cold_camera(self.context.equipment)
        if not details:
            act()
            return None
        name = self.context.equipment.observatory.camera.info.name
        self.sheet = ask(
            self.theme,
            self.window(),
            f"{name} is cooled.",
            details=details,
            yes=f"{word} now",
            no="Stay connected",
            on_yes=act,
            loses=True,
        )
        return self.sheet

    def edit(self, rig: Rig | None) -> RigEditor:
        """Open the editor."""
        self.editor = RigEditor(
            self.theme, self.context.connection, self.window(), rig=rig, on_saved=self._on_saved
        )
        self.editor.open()
        if rig is None:
            self.editor.look("")
        return self.editor

    def _on_saved(self, name: str, connect: bool) -> None:
        self._show_rigs()
        if connect:
            self.connect_rig(name)

    def _copy(self, rig: Rig) -> None:
        self._try(lambda: self.context.connection.rigs.duplicate(rig.name))

    def _delete(self, rig: Rig) -> None:
        rigs = self.context.connection.rigs

        def delete() -> None:
            kept = rigs.delete(rig.name)
            self.context.toasts.say(
                f"{rig.name} is deleted.",
                action="Undo",
                on_action=lambda: self._try(lambda: rigs.restore(kept)),
            )

        self._try(delete)

    def _choose_file(self) -> None:
        dialog = file_dialog(
            self.theme, self.window(), "Import a rig", filters="Rigs (*.toml);;All files (*)"
        )
        dialog.fileSelected.connect(lambda text: self.import_file(Path(text)))
        dialog.open()

    def import_file(self, path: Path) -> None:
        """Take over the file of a rig."""
        rigs = self.context.connection.rigs

        def take() -> None:
            read = rigs.read_file(path)
            rigs.save(read.rig, new=True)
            for text in read.complaints:
                self.context.toasts.say(f"{path.name}: {text}.", "warn")

        self._try(take)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except CalibStudioError as error:
            self.context.problems.report(error)
        self._show_rigs()

    @Slot(object)
    def _on_simulated(self, name: object) -> None:
        if name:
            self.connect_rig(str(name))

    @Slot(str)
    def _on_refused(self, text: str) -> None:
        self.said.setText(text)
        self._on_changed()


def _devices(rig: Rig) -> str:
    camera = "no camera" if rig.camera is None else rig.camera.title
    more = len(rig.devices) - 1
    return camera + (f" and {count(more, 'more device')}" if more > 0 else "")
