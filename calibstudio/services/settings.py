"""Every setting of the program, its default and its limits; a bad value never stops anything."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import UsageError

VERSION = 1
"""Raised when the meaning of a setting changes; `read_settings` then brings old files along."""

THEME_NAMES = ("dark", "night", "light")


def _home(*parts: str) -> Path:
    return Path.home().joinpath("CalibStudio", *parts)


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting. Made anew to change one: `dataclasses.replace`."""

    frames_folder: Path = field(default_factory=lambda: _home("frames"))
    """Where captured frames are written, a folder for each night."""
    library: str = field(default_factory=lambda: str(_home("library")))
    """Folder, or database URL, of the master library."""
    theme: str = "dark"
    night_brightness: int = 100
    """Percent, 40 to 100."""
    touch: bool = False
    rig: str = ""
    """Name of the rig that is opened; empty for the default of the simulated observatory."""
    worker_threads: int = 2
    sound: bool = True
    """A sound at the end of long work."""
    save_live_frames: bool = False
    stop_at_broken: bool = False
    """A frame that turns out broken while it is stacked stops its master; else it is left out."""
    stack_memory_mb: int = 0
    """Most memory for the pixels of a stack, millions of bytes; 0: as little as does not slow it
    down. What cannot be done in it is refused with what it needs."""
    export_folder: str = ""
    """Where something was exported to last; empty for the documents folder."""
    first_start_seen: bool = False
    """The first-start banner was closed."""
    site_name: str = ""
    """Empty: the site of the rig is used."""
    site_latitude_deg: float = 0.0
    site_longitude_deg: float = 0.0
    site_elevation_m: float = 0.0
    site_timezone: str = ""

    def __post_init__(self) -> None:
        if self.theme not in THEME_NAMES:
            raise ValueError(f"theme must be one of {', '.join(THEME_NAMES)}")
        _limit("night_brightness", self.night_brightness, 40, 100)
        _limit("worker_threads", self.worker_threads, 1, 64)
        _limit("stack_memory_mb", self.stack_memory_mb, 0, 1_000_000)
        _limit("site_latitude_deg", self.site_latitude_deg, -90, 90)
        _limit("site_longitude_deg", self.site_longitude_deg, -180, 360)
        _limit("site_elevation_m", self.site_elevation_m, -500, 9000)
        if not self.library:
            raise ValueError("library must name a folder or a database")

    @property
    def stack_memory_bytes(self) -> int | None:
        """Most memory for the pixels of a stack; None: nothing was said."""
        return self.stack_memory_mb * 1_000_000 or None

    @property
    def site(self) -> Site | None:
        """The operator's own site, or None when only the rig's is known."""
        if not self.site_name:
            return None
        return Site(
            self.site_name,
            self.site_latitude_deg,
            self.site_longitude_deg,
            self.site_elevation_m,
            self.site_timezone or None,
        )


def _limit(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a settings file says: the settings, what was wrong with it, and what we do not know."""

    settings: Settings
    complaints: tuple[str, ...] = ()
    """One sentence for each value that was ignored."""
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """Keys of a newer version, kept when the file is written."""
    readable: bool = True
    """False: the text is no TOML, and must be kept aside before anything is written there."""


def read_settings(text: str) -> SettingsFile:
    """Read settings from TOML, keeping every value that is good.

    Defaults stand in for what is missing or bad; each bad value costs only itself.
    """
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        sentence = f"The settings file could not be read ({error}). Defaults are used."
        return SettingsFile(Settings(), (sentence,), readable=False)
    values.pop("version", None)
    settings, complaints = Settings(), []
    for f in fields(Settings):
        if f.name not in values:
            continue
        value = values.pop(f.name)
        try:
            value = _converted(value, type(getattr(settings, f.name)))
            settings = replace(settings, **{f.name: value})
        except (TypeError, ValueError) as error:
            complaints.append(f"Setting {f.name!r} was ignored: {error}.")
    return SettingsFile(settings, tuple(complaints), values)


def _converted(value: Any, wanted: type) -> Any:
    """Return a TOML value as the type of its setting, or refuse it."""
    if wanted is bool and not isinstance(value, bool):
        raise ValueError("true or false is needed")
    if wanted is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError("a whole number is needed")
    if wanted is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("a number is needed")
        return float(value)
    if wanted is str and not isinstance(value, str):
        raise ValueError("text is needed")
    if issubclass(wanted, Path):
        if not isinstance(value, str) or not value.strip():
            raise ValueError("a folder is needed")
        return Path(value).expanduser()
    return value


def write_settings(settings: Settings, unknown: Mapping[str, Any] | None = None) -> str:
    """Write settings as TOML; only what differs from the defaults, and the unknown keys."""
    from calibstudio.store.toml_text import toml_text

    document: dict[str, Any] = {"version": VERSION}
    defaults = Settings()
    for f in fields(Settings):
        value = getattr(settings, f.name)
        if value != getattr(defaults, f.name):
            document[f.name] = value
    head = "Settings of CalibStudio. What is not here has its default."
    return toml_text(document | dict(unknown or {}), head=head)


class SettingsStore:
    """Reads the settings once and writes them when they change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unknown: Mapping[str, Any] = {}

    def read(self) -> SettingsFile:
        """Read the file. One that is not there gives the defaults and no complaint."""
        from calibstudio.store.settings_file import read_text, set_aside

        text = read_text(self.path)
        if text is None:
            return SettingsFile(Settings())
        found = read_settings(text)
        self._unknown = found.unknown
        if not found.readable:
            kept = set_aside(self.path)
            if kept is not None:
                sentence = f"{found.complaints[0]} The old file is kept as {kept.name}."
                found = replace(found, complaints=(sentence,))
        return found

    def write(self, settings: Settings) -> None:
        """Write the file by rename.

        Raises
        ------
        WriteProblemError
            The folder cannot be written; the settings hold until the program ends.
        """
        from calibstudio.store.settings_file import replace_text

        replace_text(self.path, write_settings(settings, self._unknown))


def settings_path() -> Path:
    """Where the settings are on this system. Makes no folder."""
    from platformdirs import user_config_path

    return user_config_path("calibstudio", appauthor=False) / "settings.toml"


def data_folder() -> Path:
    """Where the program keeps what is neither a frame nor a setting. Makes no folder."""
    from platformdirs import user_data_path

    return user_data_path("calibstudio", appauthor=False)


def cache_folder() -> Path:
    """Where what can be made again is kept on this system. Makes no folder."""
    from platformdirs import user_cache_path

    return user_cache_path("calibstudio", appauthor=False)


def checked_folder(text: str) -> Path:
    """Return the folder a person typed.

    Raises
    ------
    UsageError
        It is empty, or there is a file of that name.
    """
    if not text.strip():
        raise UsageError("No folder is named.", hint="Type a folder or choose one.")
    path = Path(text.strip()).expanduser()
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file, not a folder.", hint="Choose another folder.")
    return path
