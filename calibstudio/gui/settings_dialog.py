"""The settings: what changes, changes at once; there is nothing to confirm."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QRadioButton,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.wording import NARROW
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import Sheet, choose_folder
from calibstudio.gui.widgets.buttons import Button
from calibstudio.gui.widgets.fields import Labelled, NumberField, TextField
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
        self.setMinimumHeight(500)
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


class _Page(QWidget):
    """A column of settings."""

    def __init__(self, context: GuiContext, title: str) -> None:
        super().__init__()
        self.context = context
        self.theme = context.theme
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 4, 0, 0)
        self.column.setSpacing(16)
        self.column.addWidget(label(title, "heading"))
        self.build()
        self.column.addStretch(1)

    def build(self) -> None:
        """Put the settings into ``column``."""


class AppearancePage(_Page):
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


class FoldersPage(_Page):
    """Where frames and masters are."""

    def __init__(self, context: GuiContext) -> None:
        super().__init__(context, "Folders")

    def build(self) -> None:
        settings = self.context.settings.current
        self.frames = TextField(self.theme, name="Frames folder", text=str(settings.frames_folder))
        self.library = TextField(self.theme, name="Master library", text=settings.library)
        self._frames = self._row("Captured frames, a folder for each night", self.frames)
        self._library = self._row("Master library: a folder, or a database URL", self.library)
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

    @Slot()
    def _on_library(self) -> None:
        text = self.library.text().strip()
        bad = not text
        self.library.set_bad(bad)
        self._library.set_note("No library is named." if bad else "", "bad" if bad else "")
        if not bad:
            self.context.settings.change(library=text)


class EquipmentPage(_Page):
    """Which equipment is used, and which is possible today."""

    def __init__(self, context: GuiContext) -> None:
        super().__init__(context, "Equipment")

    def build(self) -> None:
        now = self.context.equipment.observatory
        self.column.addWidget(
            label(
                "The simulated observatory is a camera, a filter wheel, a flat panel and a mount "
                "with honest physics, to learn and to try out everything. Real equipment is met "
                "through ASCOM Alpaca and INDI: start with calibstudio gui --rig "
                "alpaca://HOST:PORT or indi://HOST:PORT. "
                "Frames of other capture programs can be used as well: see Frames.",
                "secondary",
                wrap=True,
            )
        )
        self.column.addWidget(label("Simulated camera", "subheading"))
        self.buttons: dict[str, QRadioButton] = {}
        wanted = self.context.settings.current.rig
        names = [rig.name for rig in self.context.rigs]
        for rig in self.context.rigs:
            button = QRadioButton(rig.title)
            button.setToolTip(rig.description)
            button.setChecked(rig.name == (wanted if wanted in names else names[0]))
            button.clicked.connect(lambda _checked=False, name=rig.name: self._open(name))
            self.column.addWidget(button)
            self.buttons[rig.name] = button
        self._said = label(f"Connected: {now.camera.info.name}.", "note", wrap=True)
        self.column.addWidget(self._said)

    def _open(self, name: str) -> None:
        context = self.context
        if context.open_rig is None:
            return
        if any(not job.quiet for job in context.camera_jobs.active):
            self._said.setText("The camera is working. Stop that first, then choose again.")
            self._show_chosen()
            return
        open_rig = context.open_rig
        job = context.camera_jobs.submit("Connecting", lambda ctx: open_rig(name))
        job.succeeded.connect(lambda observatory: self._on_opened(name, observatory))
        job.failed.connect(context.problems.report)
        self._said.setText("Connecting…")

    def _show_chosen(self) -> None:
        button = self.buttons.get(self.context.settings.current.rig)
        if button is None and self.buttons:
            button = next(iter(self.buttons.values()))
        if button is not None:
            button.setChecked(True)

    def _on_opened(self, name: str, observatory: Observatory) -> None:
        context = self.context
        former = context.equipment.replace(observatory)
        context.settings.change(rig=name)
        context.camera_jobs.submit("Disconnecting", lambda ctx: former.close(), quiet=True)
        self._said.setText(f"Connected: {observatory.camera.info.name}.")


class SitePage(_Page):
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
        self.name = TextField(self.theme, name="Site name", text=s.site_name)
        self.column.addWidget(Labelled("Name", self.name))
        self.latitude = self._number("Latitude", s.site_latitude_deg, -90, 90, 4, "° north")
        self.longitude = self._number("Longitude", s.site_longitude_deg, -180, 360, 4, "° east")
        self.elevation = self._number("Elevation", s.site_elevation_m, -500, 9000, 0, "m")
        grid = QGridLayout()
        grid.setSpacing(12)
        grid.addWidget(Labelled("Latitude", self.latitude), 0, 0)
        grid.addWidget(Labelled("Longitude", self.longitude), 0, 1)
        grid.addWidget(Labelled("Elevation", self.elevation), 0, 2)
        self.column.addLayout(grid)
        self.zone = TextField(
            self.theme, name="Time zone", text=s.site_timezone, placeholder="Europe/Berlin"
        )
        self._zone = Labelled("Time zone", self.zone)
        self.column.addWidget(self._zone)
        for field in (self.name, self.zone):
            field.editingFinished.connect(self._on_edited)
        for number in (self.latitude, self.longitude, self.elevation):
            number.edited.connect(self._on_edited)

    def _number(
        self, name: str, value: float, low: float, high: float, decimals: int, unit: str
    ) -> NumberField:
        return NumberField(
            self.theme,
            name=name,
            unit=unit,
            value=value,
            minimum=low,
            maximum=high,
            decimals=decimals,
        )

    @Slot()
    def _on_edited(self) -> None:
        zone = self.zone.text().strip()
        if not _is_zone(zone):
            self.zone.set_bad(True)
            self._zone.set_note(
                f"There is no time zone “{zone}”. Write it as Europe/Berlin.", "bad"
            )
            return
        self.zone.set_bad(False)
        self._zone.set_note("")
        self.context.settings.change(
            site_name=self.name.text().strip(),
            site_latitude_deg=self.latitude.value(),
            site_longitude_deg=self.longitude.value(),
            site_elevation_m=self.elevation.value(),
            site_timezone=zone,
        )


def _is_zone(name: str) -> bool:
    if not name:
        return True
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
