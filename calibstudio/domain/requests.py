"""Calibration requests: what is to be taken, how urgent it is, and how far it is (PRODUCT C14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind, kind_title
from calibstudio.domain.run_config import (
    BiasWish,
    CameraWish,
    DarkFlatWish,
    DarkWish,
    FlatWish,
    RunConfig,
)
from calibstudio.domain.wording import exposure

USUAL_PRIORITY = 50
HIGHEST_PRIORITY = 100
REQUESTED = "requested"
"""What a journal calls a line about a request; each says all of it as it is from then on."""


class RequestState(StrEnum):
    """How far a request is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether it is yet to be taken."""
        return self in (RequestState.QUEUED, RequestState.RUNNING)


@dataclass(frozen=True, slots=True)
class RequestWish:
    """What a request asks for."""

    kind: FrameKind
    frames: int
    exposure_s: float | None = None
    """None: the camera's shortest (bias), or searched (flats)."""
    filter: str = ""
    camera: CameraWish = field(default_factory=CameraWish)

    @property
    def title(self) -> str:
        """What a list calls it: ``Flat, filter Ha``."""
        parts = [kind_title(self.kind)]
        if self.filter:
            parts.append(f"filter {self.filter}")
        if self.exposure_s is not None:
            parts.append(exposure(self.exposure_s))
        return ", ".join(parts)

    def config(self, name: str) -> RunConfig:
        """Return the configuration that takes it, without building masters."""
        times = () if self.exposure_s is None else (self.exposure_s,)
        camera, n = self.camera, self.frames
        usual = RunConfig(name=name, title=self.title, masters=False)
        match self.kind:
            case FrameKind.BIAS:
                made: dict[str, Any] = {"bias": (BiasWish(n, self.exposure_s, camera),)}
            case FrameKind.DARK:
                made = {"darks": (DarkWish(n, times, camera=camera),)}
            case FrameKind.DARK_FLAT:
                made = {"dark_flats": (DarkFlatWish(n, times, camera),)}
            case _:
                filters = (self.filter,) if self.filter else ()
                wish = FlatWish(n, filters, exposure_s=self.exposure_s, camera=camera)
                made = {"flats": (wish,)}
        return RunConfig(**{f: getattr(usual, f) for f in ("name", "title", "masters")}, **made)

    def as_document(self) -> dict[str, Any]:
        """Return what is stored; `wish_from` reads it back."""
        camera = self.camera
        values = {
            "kind": str(self.kind),
            "frames": self.frames,
            "exposure_s": self.exposure_s,
            "filter": self.filter or None,
            "gain": camera.gain,
            "offset": camera.offset,
            "readout_mode": camera.readout_mode,
            "binning": camera.binning,
            "set_temp_c": camera.set_temp_c,
        }
        return {key: value for key, value in values.items() if value is not None}


def wish_from(document: Mapping[str, Any]) -> RequestWish:
    """Read what `RequestWish.as_document` wrote."""
    return checked(
        RequestWish(
            FrameKind(document["kind"]),
            int(document["frames"]),
            document.get("exposure_s"),
            str(document.get("filter", "")),
            CameraWish(
                gain=document.get("gain"),
                offset=document.get("offset"),
                readout_mode=document.get("readout_mode"),
                binning=int(document.get("binning", 1)),
                set_temp_c=document.get("set_temp_c"),
            ),
        )
    )


def checked(wish: RequestWish) -> RequestWish:
    """Return a wish that makes sense on some camera.

    Raises
    ------
    UsageError
        It makes none on any.
    """
    needs_time = wish.kind in (FrameKind.DARK, FrameKind.DARK_FLAT)
    if wish.kind is FrameKind.LIGHT:
        raise UsageError("Lights cannot be requested.", hint="Ask for bias, dark, flat, dark flat.")
    if not 1 <= wish.frames <= 10_000:
        raise UsageError(f"{wish.title}: the number of frames is from 1 to 10 000.")
    if needs_time and wish.exposure_s is None:
        raise UsageError(f"{wish.title}: an exposure is needed.", hint="Give its seconds.")
    if wish.exposure_s is not None and not 0 <= wish.exposure_s <= 86_400:
        raise UsageError(f"{wish.title}: that is no exposure time.")
    if wish.filter and wish.kind is not FrameKind.FLAT:
        raise UsageError(f"{wish.title}: only flats have a filter.", hint="Leave it out.")
    return wish


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it is stored."""

    id: int
    wish: RequestWish
    priority: int
    """0 to 100; the highest is taken first, then the oldest."""
    state: RequestState
    reason: str
    """What came of it, in words."""
    policy: str
    """What asked for it; empty: a person."""
    item: str
    """Which of the policy's sets: a filter or an exposure."""
    night: date | None
    """For which night a policy asked."""
    created_utc: datetime
    changed_utc: datetime
    sequence: str = ""
    """Journal of its sequence."""

    def as_entry(self) -> dict[str, Any]:
        """Return the line of the journal that says what it is now; `request_from` reads it."""
        return {
            "what": REQUESTED,
            "number": self.id,
            "wish": self.wish.as_document(),
            "priority": self.priority,
            "state": self.state.value,
            "reason": self.reason,
            "policy": self.policy,
            "item": self.item,
            "night": None if self.night is None else self.night.isoformat(),
            "created": self.created_utc.isoformat(),
            "sequence": self.sequence,
        }


def request_from(entry: Mapping[str, Any], at: datetime) -> Request:
    """Read a line of the journal. One that was running then was cut off, and waits again."""
    state = RequestState(entry["state"])
    night = entry["night"]
    return Request(
        id=int(entry["number"]),
        wish=wish_from(entry["wish"]),
        priority=int(entry["priority"]),
        state=RequestState.QUEUED if state is RequestState.RUNNING else state,
        reason=str(entry["reason"]),
        policy=str(entry["policy"]),
        item=str(entry["item"]),
        night=None if night is None else date.fromisoformat(night),
        created_utc=datetime.fromisoformat(entry["created"]),
        changed_utc=at,
        sequence=str(entry["sequence"]),
    )
