"""The settings as the interface sees them: one immutable value and a signal."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from calibstudio.domain.errors import CalibStudioError
from calibstudio.services.settings import Settings

log = logging.getLogger(__name__)


class SettingsState(QObject):
    """Holds the settings; a change is written and announced.

    Signals
    -------
    changed(Settings)
        The new settings.
    not_saved(CalibStudioError)
        They hold until the program ends, but could not be written.
    """

    changed = Signal(object)
    not_saved = Signal(object)

    def __init__(
        self,
        settings: Settings,
        save: Callable[[Settings], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._save = save

    @property
    def current(self) -> Settings:
        """The settings that hold now."""
        return self._settings

    def change(self, **values: Any) -> None:
        """Change some of them: ``change(theme="night")``.

        Raises
        ------
        ValueError
            A value is outside its limits; nothing is changed.
        """
        after = dataclasses.replace(self._settings, **values)
        if after == self._settings:
            return
        self._settings = after
        self.changed.emit(after)
        try:
            self._save(after)
        except CalibStudioError as error:
            log.warning("settings not saved: %s", error)
            self.not_saved.emit(error)
