"""What the operator states about the camera of a rig, where neither driver nor header says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from calibstudio.domain.errors import UsageError
from calibstudio.domain.wording import number, significant


@dataclass(frozen=True, slots=True)
class Knowable:
    """One value that a rig may have: how it is typed, said and bounded."""

    key: str
    """Name of the field of `RigKnows`, in files and on the command line."""
    label: str
    unit: str = ""
    """Empty: a text."""
    most: float = 0.0
    whole: bool = False
    """A count: no part of one."""
    about: str = ""
    section: bool = False
    """A rectangle of pixels."""

    def read(self, text: str) -> Any:
        """Return the value that a text means; None for an empty one.

        Raises
        ------
        UsageError
            It means none, or one that cannot be.
        """
        text = text.strip()
        if not text:
            return None
        if self.section:
            return _section(self.label, text)
        if not self.unit:
            return text
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = float("nan")
        if not 0 < value <= self.most or (self.whole and value != int(value)):
            kind = "a whole number" if self.whole else "a number"
            raise UsageError(
                f"{self.label} cannot be “{text}”.",
                hint=f"Give {kind} above 0, up to {self.words(self.most)}, or leave it empty.",
            )
        return int(value) if self.whole else value

    def words(self, value: Any) -> str:
        """Write a value with its unit."""
        if not self.unit:
            return str(value)
        text = number(value) if self.whole else significant(value)
        return f"{text}\u202f{self.unit}"


_SECTION_ABOUT = "first..last column, first..last row, from 1, unbinned"
_RANGE = r"\s*(\d+)\s*(?:\.\.|:|-|\u2013)\s*(\d+)\s*"
_TYPED = re.compile(rf"\[?{_RANGE},{_RANGE}\]?")


def _section(label: str, text: str) -> str:
    """Read a section as people type it; return it as headers write it."""
    match = _TYPED.fullmatch(text)
    ends = [int(end) for end in match.groups()] if match else []
    if not ends or 0 in ends or ends[0] > ends[1] or ends[2] > ends[3]:
        raise UsageError(
            f"{label} cannot be “{text}”.",
            hint="Write first..last column, first..last row, for example 1..24, 1..4096.",
        )
    return f"[{ends[0]}:{ends[1]},{ends[2]}:{ends[3]}]"


KNOWABLE = (
    Knowable("camera", "Camera in headers", about="name that its frames carry (INSTRUME)"),
    Knowable("serial", "Serial number", about="tells two cameras of one model apart"),
    Knowable("sensor_width_px", "Sensor width", "px", 1e6, whole=True, about="unbinned"),
    Knowable("sensor_height_px", "Sensor height", "px", 1e6, whole=True, about="unbinned"),
    Knowable("saturation_adu", "Saturation", "ADU", 4.3e9, about="raw level; also its linear end"),
    Knowable("full_well_e", "Full well", "e\u2212", 1e8, about="counts where a gain is known"),
    Knowable(
        "flat_min_s",
        "Shortest flat",
        "s",
        3600.0,
        about="below it shutter vanes, rolling pattern or lamp flicker show",
    ),
    Knowable("bias_section", "Overscan", about=_SECTION_ABOUT, section=True),
    Knowable("data_section", "Data without overscan", about=_SECTION_ABOUT, section=True),
)
BY_KEY: Mapping[str, Knowable] = {one.key: one for one in KNOWABLE}


@dataclass(frozen=True, slots=True)
class RigKnows:
    """What is stated about the camera of a rig. None: not stated."""

    camera: str | None = None
    """Name in the headers of its frames; None: the name of the device."""
    serial: str | None = None
    sensor_width_px: int | None = None
    sensor_height_px: int | None = None
    saturation_adu: float | None = None
    """Raw level that saturates, or where the camera ceases to be linear."""
    full_well_e: float | None = None
    flat_min_s: float | None = None
    """Safe minimum of flat exposures (RULES 6)."""
    bias_section: str | None = None
    """Overscan of the whole unbinned frame, as BIASSEC; for cameras that write none."""
    data_section: str | None = None
    """Its data, as TRIMSEC."""

    def with_text(self, key: str, text: str) -> RigKnows:
        """Return it with one value as it was typed; an empty text takes it away.

        Raises
        ------
        UsageError
            There is no such value, or it cannot be that.
        """
        one = BY_KEY.get(key)
        if one is None:
            raise UsageError(
                f"A rig has no value called {key}.", hint=f"There are: {', '.join(BY_KEY)}."
            )
        changed: dict[str, Any] = {key: one.read(text)}
        return replace(self, **changed)

    def of_camera(self, name: str, serial: str | None, shape: tuple[int, int]) -> RigKnows:
        """Return it with what identifies a camera that is connected (shape: rows, columns).

        What is stated stays: another program may call the camera by another name.
        """
        has_size = self.sensor_width_px is not None and self.sensor_height_px is not None
        return replace(
            self,
            camera=self.camera or name or None,
            serial=self.serial or serial or None,
            sensor_width_px=self.sensor_width_px if has_size else shape[1],
            sensor_height_px=self.sensor_height_px if has_size else shape[0],
        )

    def without_identity(self) -> RigKnows:
        """Return it without what belongs to one camera alone: another one is chosen."""
        return replace(self, camera=None, serial=None, sensor_width_px=None, sensor_height_px=None)

    def to_dict(self) -> dict[str, Any]:
        """Return what is stated, as plain values."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> RigKnows:
        """Read what `to_dict` wrote; keys of a newer version are left out.

        Raises
        ------
        UsageError
            A value cannot be.
        """
        made = cls()
        for entry in fields(cls):
            if (value := plain.get(entry.name)) is not None:
                made = made.with_text(entry.name, str(value))
        return made
