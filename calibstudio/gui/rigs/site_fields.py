"""The fields of a site: name, place, time zone."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from calibstudio.domain.equipment import Site
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import Labelled, NumberField, TextField


class SiteFields(QWidget):
    """A site that can be typed.

    Signals
    -------
    edited()
        The operator changed something, and it makes sense.
    """

    edited = Signal()

    def __init__(self, theme: ThemeState, site: Site | None) -> None:
        super().__init__()
        s = site or Site("", 0.0, 0.0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.name = TextField(theme, name="Site name", text=s.name)
        self.zone = TextField(
            theme, name="Time zone", text=s.timezone or "", placeholder="Europe/Berlin"
        )
        self._zone = Labelled("Time zone", self.zone)

        def number(
            name: str, value: float, limits: tuple[float, float], decimals: int, unit: str
        ) -> NumberField:
            low, high = limits
            return NumberField(
                theme,
                name=name,
                unit=unit,
                value=value,
                minimum=low,
                maximum=high,
                decimals=decimals,
            )

        self.latitude = number("Latitude", s.latitude_deg, (-90, 90), 4, "° north")
        self.longitude = number("Longitude", s.longitude_deg, (-180, 360), 4, "° east")
        self.elevation = number("Elevation", s.elevation_m, (-500, 9000), 0, "m")
        grid = QGridLayout()
        grid.setSpacing(12)
        grid.addWidget(Labelled("Latitude", self.latitude), 0, 0)
        grid.addWidget(Labelled("Longitude", self.longitude), 0, 1)
        grid.addWidget(Labelled("Elevation", self.elevation), 0, 2)
        column.addWidget(Labelled("Name", self.name))
        column.addLayout(grid)
        column.addWidget(self._zone)
        for field in (self.name, self.zone):
            field.editingFinished.connect(self._on_edited)
        for field_ in (self.latitude, self.longitude, self.elevation):
            field_.edited.connect(self._on_edited)

    def check(self) -> bool:
        """Say beside the time zone when there is none of that name; whether all is well."""
        zone = self.zone.text().strip()
        good = _is_zone(zone)
        self.zone.set_bad(not good)
        words = f"There is no time zone “{zone}”. Write it as Europe/Berlin."
        self._zone.set_note("" if good else words, "" if good else "bad")
        return good

    def site(self) -> Site | None:
        """Return the site; None while it has no name."""
        name = self.name.text().strip()
        if not name:
            return None
        return Site(
            name,
            self.latitude.value(),
            self.longitude.value(),
            self.elevation.value(),
            self.zone.text().strip() or None,
        )

    @Slot()
    def _on_edited(self) -> None:
        if self.check():
            self.edited.emit()


def _is_zone(name: str) -> bool:
    if not name:
        return True
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
