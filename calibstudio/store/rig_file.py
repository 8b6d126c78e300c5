"""Rigs on disk: a folder with one readable TOML file for each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.errors import UsageError
from calibstudio.domain.rig import DeviceRef, Learned, Quantity, Rig
from calibstudio.domain.rig_knows import RigKnows
from calibstudio.domain.thresholds import Thresholds
from calibstudio.store.naming import safe_part
from calibstudio.store.settings_file import read_text, replace_text
from calibstudio.store.toml_text import toml_text

VERSION = 1
HEAD = "A rig of CalibStudio. unique_id, or name and type, say which device it is."
KEYS = ("version", "name", "optics", "site", "device", "focus", "learned", "thresholds", "knows")
T = TypeVar("T", DeviceRef, Optics, Site)


@dataclass(frozen=True, slots=True)
class ReadRig:
    """What a file says: the rig, and a sentence for each value that was left out."""

    rig: Rig
    complaints: tuple[str, ...] = ()


def rig_text(rig: Rig) -> str:
    """Write a rig as TOML, with what a newer version left in it."""
    document: dict[str, Any] = {"version": VERSION, "name": rig.name}
    for name, part in (("optics", rig.optics), ("site", rig.site)):
        if part is not None:
            document[name] = asdict(part)
    if rig.devices:
        document["device"] = [asdict(device) for device in rig.devices]
    if rig.focus:
        document["focus"] = dict(rig.focus)
    if rig.learned:
        document["learned"] = [asdict(one) for one in rig.learned]
    if limits := rig.thresholds.to_dict():
        document["thresholds"] = limits
    if stated := rig.knows.to_dict():
        document["knows"] = stated
    return toml_text(document | dict(rig.unknown), head=HEAD)


def read_rig(text: str) -> ReadRig:
    """Read a rig from TOML; a bad value costs only its part of the rig.

    Raises
    ------
    ValueError
        The text is no TOML, or has no usable name.
    """
    values = tomllib.loads(text)
    name = values.get("name")
    if not isinstance(name, str):
        raise ValueError("it has no name")
    rig, complaints = Rig(name), []
    rows = values.get("device", [])
    if not isinstance(rows, list):
        rows, complaints = [], ["device must be a list"]
    for row in rows:
        try:
            rig = replace(rig, devices=(*rig.devices, _made(DeviceRef, row)))
        except (TypeError, ValueError) as error:
            complaints.append(f"a device was left out: {error}")
    try:
        if "optics" in values:
            rig = replace(rig, optics=_made(Optics, values["optics"]))
    except (TypeError, ValueError) as error:
        complaints.append(f"the optics were left out: {error}")
    try:
        if "site" in values:
            rig = replace(rig, site=_checked_site(_made(Site, values["site"])))
    except (TypeError, ValueError) as error:
        complaints.append(f"the site was left out: {error}")
    try:
        rig = replace(rig, focus=_focus(values.get("focus", {})))
    except (TypeError, ValueError) as error:
        complaints.append(f"the focus of filters was left out: {error}")
    try:
        rig = replace(rig, thresholds=Thresholds.from_dict(values.get("thresholds", {})))
    except (TypeError, AttributeError, UsageError) as error:
        complaints.append(f"the thresholds were left out: {error}".rstrip("."))
    try:
        rig = replace(rig, knows=RigKnows.from_dict(values.get("knows", {})))
    except (TypeError, AttributeError, UsageError) as error:
        complaints.append(f"what it knows of its camera was left out: {error}".rstrip("."))
    for row in _tables(values.get("learned", [])):
        try:
            rig = rig.taught([_learned(row)])
        except (TypeError, ValueError, KeyError) as error:
            complaints.append(f"a learned value was left out: {error}")
    unknown = {key: value for key, value in values.items() if key not in KEYS}
    return ReadRig(replace(rig, unknown=unknown), tuple(complaints))


def _made(kind: type[T], row: Any) -> T:
    """Make a part of a rig from a table, ignoring keys that this version does not know."""
    if not isinstance(row, Mapping):
        raise TypeError("a table is needed")
    names = {f.name: str(f.type) for f in fields(kind)}
    return kind(**{key: _converted(key, row[key], names[key]) for key in row if key in names})


def _focus(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise TypeError("a table of filter = position is needed")
    if not all(isinstance(at, int) and not isinstance(at, bool) for at in value.values()):
        raise ValueError("positions are whole steps")
    return {str(name): int(at) for name, at in value.items()}


def _tables(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _learned(row: Mapping[str, Any]) -> Learned:
    at = row["at"]
    if not isinstance(at, datetime):
        raise ValueError("at is no moment")
    gain, mode, binning = row.get("gain"), row.get("readout_mode"), row.get("binning", 1)
    if not isinstance(gain, int | None) or not isinstance(mode, str | None):
        raise ValueError("its settings make no sense")
    return Learned(
        Quantity(row["what"]), float(row["value"]), at, str(row["source"]), gain, mode, int(binning)
    )


def _converted(key: str, value: Any, wanted: str) -> Any:
    if "str" in wanted and isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if "float" in wanted and is_number:
        return float(value)
    if "int" in wanted and isinstance(value, int) and is_number:
        return value
    raise ValueError(f"{key} cannot be {value!r}")


def _checked_site(site: Site) -> Site:
    if not (-90 <= site.latitude_deg <= 90 and -180 <= site.longitude_deg <= 360):
        raise ValueError("latitude is from -90 to 90, longitude from -180 to 360")
    return site


class RigFolder:
    """The files of all rigs. Names of files follow the names of rigs, as far as they may."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> tuple[dict[Path, ReadRig], tuple[str, ...]]:
        """Return every rig, and a sentence for each file that is none."""
        found: dict[Path, ReadRig] = {}
        problems: list[str] = []
        for path in sorted(self.folder.glob("*.toml")):
            try:
                found[path] = read_rig(read_text(path) or "")
            except ValueError as error:
                problems.append(f"{path} is not the file of a rig: {error}.")
        return found, tuple(problems)

    def path_for(self, rig: str, taken: Mapping[Path, ReadRig]) -> Path:
        """Return the file of a rig: the one it has, or a new one that no other rig has."""
        for path, read in taken.items():
            if read.rig.name.casefold() == rig.casefold():
                return path
        stem = safe_part(rig, fallback="rig")
        used = {path.name.lower() for path in self.folder.glob("*.toml")}
        number, name = 1, f"{stem}.toml"
        while name.lower() in used:
            number += 1
            name = f"{stem}_{number}.toml"
        return self.folder / name

    def write(self, path: Path, rig: Rig) -> None:
        """Write a rig by rename.

        Raises
        ------
        WriteProblemError
        """
        replace_text(path, rig_text(rig))
