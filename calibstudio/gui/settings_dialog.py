"""The settings: what changes, changes at once; there is nothing to confirm."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QSlider,
    QStackedWidget,
    QWidget,
)

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.wording import NARROW, file_size
from calibstudio.gui.context import GuiContext
from calibstudio.gui.rigs.page import EquipmentPage
from calibstudio.gui.rigs.site_fields import SiteFields
from calibstudio.gui.settings_page import SettingsPage
from calibstudio.gui.sheet import Sheet, choose_folder
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.fields import Labelled, TextField
from calibstudio.gui.widgets.lists import PageList
from calibstudio.gui.widgets.panels import hairline
from calibstudio.gui.widgets.segmented import SegmentedControl
from calibstudio.gui.widgets.switch import Switch
from calibstudio.gui.widgets.text import label
from calibstudio.services.settings import checked_folder

PAGES = (
    ("appearance", "Appearance"),
    ("folders", "Folders"),
    ("equipment", "Equipment"),
    ("site", "Site"),
)


class SettingsSheet(Sheet):
    """Pages at the left, their settings at the right."""

    def __init__(self, context: GuiContext, parent: QWidget, *, page: str = "appearance") -> None:
        super().__init__(context.theme, "Settings", parent, width=760)
        row = QHBoxLayout()
        row.setSpacing(24)
        self._list = PageList(context.theme, PAGES, name="Pages of settings")
        self._list.setFixedWidth(168)
        self._stack = QStackedWidget()
        self._pages: dict[str, QWidget] = {}
        makers: dict[str, Callable[[], QWidget]] = {
            "appearance": lambda: AppearancePage(context),
            "folders": lambda: FoldersPage(context),
            "equipment": lambda: EquipmentPage(context),
            "site": lambda: SitePage(context),
        }
        for name, _ in PAGES:
            self._pages[name] = makers[name]()
            self._stack.addWidget(self._pages[name])
        row.addWidget(self._list)
        row.addWidget(hairline(vertical=True))
        row.addWidget(self._stack, 1)
        self.body.addLayout(row, 1)
        self.setMinimumHeight(600)
        self.add_button("Close", self.accept)
        self._list.chosen.connect(self._on_chosen)
        self.show_page(page)

    def show_page(self, page: str) -> None:
        """Show a page of `PAGES`."""
        self._list.choose(page)

    @Slot(str)
    def _on_chosen(self, page: str) -> None:
        self._stack.setCurrentWidget(self._pages[page])

    def page(self, name: str) -> QWidget:
        """Return a page."""
        return self._pages[name]


class AppearancePage(SettingsPage):
    """Theme, night brightness, touch."""

    def __init__(self, context: GuiContext) -> None:
        super().__init__(context, "Appearance")

    def build(self) -> None:
        theme, settings = self.theme, self.context.settings.current
        self.choice = SegmentedControl(
            theme,
            [("dark", "Dark"), ("night", "Night, red"), ("light", "Light")],
            name="Theme",
            value=theme.name,
            tall=True,
        )
        self.choice.chosen.connect(self._on_theme)
        self.column.addWidget(Labelled("Theme", self.choice, note="F9 goes to night and back."))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(40, 100)
        self.slider.setPageStep(10)
        self.slider.setValue(theme.night_brightness)
        self.slider.setAccessibleName("Night brightness in percent")
        self.slider.valueChanged.connect(self._on_brightness)
        self._brightness = Labelled("", self.slider, note="Of all red in the night theme.")
        self.column.addWidget(self._brightness)
        row = QHBoxLayout()
        self.touch = Switch(theme, "Touch mode", on=settings.touch)
        self.touch.toggled.connect(self._on_touch)
        row.addWidget(self.touch)
        row.addWidget(label("Touch mode: everything a finger wide", "body"))
        row.addStretch(1)
        self.column.addLayout(row)
        self.sound = QCheckBox("Play a sound at the end of long work")
        self.sound.setChecked(settings.sound)
        self.sound.clicked.connect(self._on_sound)
        self.column.addWidget(self.sound)
        theme.changed.connect(self._on_changed)
        self._on_changed()

    @Slot(object)
    def _on_theme(self, name: object) -> None:
        self.theme.set_theme(str(name))

    @Slot(int)
    def _on_brightness(self, percent: int) -> None:
        self.theme.set_night_brightness(percent)
        self.context.settings.change(night_brightness=self.theme.night_brightness)
        self._on_changed()

    @Slot(bool)
    def _on_touch(self, on: bool) -> None:
        self.context.settings.change(touch=on)
        self.theme.set_touch(on)

    @Slot(bool)
    def _on_sound(self, on: bool) -> None:
        self.context.settings.change(sound=on)

    @Slot()
    def _on_changed(self) -> None:
        self.choice.set_value(self.theme.name)
        percent = self.theme.night_brightness
        self._brightness.label.setText(f"Night brightness {percent}{NARROW}%")


MEMORY_MB = (0, 200, 500, 1000, 4000)
"""For a stack, as the settings offer it; 0: automatic."""


class FoldersPage(SettingsPage):
    """Where frames and masters are."""

    def __init__(self, context: GuiContext) -> None:
        super().__init__(context, "Folders")

    def build(self) -> None:
        settings = self.context.settings.current
        self.frames = TextField(self.theme, name="Frames folder", text=str(settings.frames_folder))
        self.library = TextField(self.theme, name="Master library", text=settings.library)
        self._frames = self._row("Captured frames, a folder for each night", self.frames)
        self._library = self._row("Master library: a folder, or a database URL", self.library)
        self.broken = SegmentedControl(
            self.theme,
            [(False, "Leave it out"), (True, "Stop its master")],
            name="A frame that breaks while it is stacked",
            value=settings.stop_at_broken,
            tall=True,
        )
        self.broken.chosen.connect(self._on_broken)
        note = "Either way it is named, with the reason."
        self.column.addWidget(
            Labelled("A frame that breaks while it is stacked", self.broken, note=note)
        )
        sizes = sorted({*MEMORY_MB, settings.stack_memory_mb})
        self.memory = SegmentedControl(
            self.theme,
            [(mb, file_size(mb * 1_000_000) if mb else "Automatic") for mb in sizes],
            name="Memory for a stack",
            value=settings.stack_memory_mb,
            tall=True,
        )
        self.memory.chosen.connect(self._on_memory)
        note = "At most, for pixels. A stack that needs more is refused, and says how much."
        self.column.addWidget(Labelled("Memory for a stack", self.memory, note=note))
        self.frames.editingFinished.connect(self._on_frames)
        self.library.editingFinished.connect(self._on_library)

    def _row(self, words: str, field: TextField) -> Labelled:
        inner = QWidget()
        row = QHBoxLayout(inner)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(field, 1)
        button = Button(self.theme, "Choose…", icon="folder")
        button.clicked.connect(lambda _checked=False: self._choose(words, field))
        row.addWidget(button)
        labelled = Labelled(words, inner)
        self.column.addWidget(labelled)
        return labelled

    def _choose(self, title: str, field: TextField) -> None:
        def chosen(path: object) -> None:
            field.setText(str(path))
            field.editingFinished.emit()

        choose_folder(self.theme, self.window(), title, chosen)

    @Slot()
    def _on_frames(self) -> None:
        try:
            folder = checked_folder(self.frames.text())
        except CalibStudioError as error:
            self.frames.set_bad(True)
            self._frames.set_note(f"{error} {error.hint}", "bad")
            return
        self.frames.set_bad(False)
        note = "" if folder.exists() else "It is made when the first frame is written."
        self._frames.set_note(note)
        self.context.settings.change(frames_folder=folder)

    @Slot(object)
    def _on_broken(self, stop: object) -> None:
        self.context.settings.change(stop_at_broken=bool(stop))

    @Slot(object)
    def _on_memory(self, megabytes: object) -> None:
        if isinstance(megabytes, int):
            self.context.settings.change(stack_memory_mb=megabytes)

    @Slot()
    def _on_library(self) -> None:
        text = self.library.text().strip()
        bad = not text
        self.library.set_bad(bad)
        self._library.set_note("No library is named." if bad else "", "bad" if bad else "")
        if not bad:
            self.context.settings.change(library=text)


class SitePage(SettingsPage):
    """Where the telescope stands: for nights, the Sun and local time."""

    def __init__(self, context: GuiContext) -> None:
        super().__init__(context, "Site")

    def build(self) -> None:
        s = self.context.settings.current
        of_rig = self.context.equipment.observatory.site
        own = "" if of_rig is None else f" The equipment has its own: {of_rig.name}."
        self.column.addWidget(
            label(
                "Your site decides which night a frame on disk belongs to: nights go from noon to "
                f"noon, local time.{own}",
                "secondary",
                wrap=True,
            )
        )
        site = s.site or Site(
            "",
            s.site_latitude_deg,
            s.site_longitude_deg,
            s.site_elevation_m,
            s.site_timezone or None,
        )
        self.fields = SiteFields(self.theme, site)
        self.column.addWidget(self.fields)
        self.fields.edited.connect(self._on_edited)

    @Slot()
    def _on_edited(self) -> None:
        fields = self.fields
        self.context.settings.change(
            site_name=fields.name.text().strip(),
            site_latitude_deg=fields.latitude.value(),
            site_longitude_deg=fields.longitude.value(),
            site_elevation_m=fields.elevation.value(),
            site_timezone=fields.zone.text().strip(),
        )
