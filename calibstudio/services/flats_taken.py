"""Which exposures and settings the flats in a folder have: what their dark flats must have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from calibstudio.domain.clusters import clusters
from calibstudio.domain.equipment import CameraInfo, Site
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CameraSettings
from calibstudio.domain.recipe import Tolerances
from calibstudio.domain.wording import count, temperature


@dataclass(frozen=True, slots=True)
class FlatsTaken:
    """What the flats of a folder say."""

    frames: int
    exposures_s: tuple[float, ...]
    """One for each cluster of exposures, ascending; empty when no flat says its exposure."""
    settings: CameraSettings
    """Where all flats agree; None where they differ or do not say."""
    notes: tuple[str, ...] = ()
    """What is out of the ordinary, one sentence each."""


def flats_taken(
    ctx: JobContext, folder: Path, info: CameraInfo, *, site: Site | None = None
) -> FlatsTaken:
    """Read the headers of a folder and return what its flats say.

    Raises
    ------
    UsageError
        If the folder does not exist.
    Cancelled
        If the job was cancelled.
    """
    from calibstudio.services.import_frames import scan

    headers = scan(ctx, [folder], site=site).headers
    return describe_flats(headers, info)


def describe_flats(headers: Sequence[FrameHeader], info: CameraInfo) -> FlatsTaken:
    """Return what the raw flats among some headers say about the dark flats they need."""
    flats = [h for h in headers if h.kind == FrameKind.FLAT and not h.is_master]
    notes: list[str] = []
    exposures = [h.exposure_s for h in flats if h.exposure_s is not None]
    if not flats:
        notes.append("There are no flats in this folder.")
    elif len(exposures) < len(flats):
        missing = len(flats) - len(exposures)
        say = "does not say its" if missing == 1 else "do not say their"
        notes.append(f"{count(missing, 'flat')} {say} exposure.")
    same = Tolerances()
    found = clusters(exposures, lambda s: max(same.exposure_abs_s, same.exposure_rel * s))
    settings = CameraSettings(
        gain=_agreed(flats, lambda h: _whole(h.gain), "gain", notes),
        offset=_agreed(flats, lambda h: _whole(h.offset), "offset", notes),
        binning=_agreed(flats, lambda h: h.binning[0] if h.binning else None, "binning", notes)
        or 1,
        readout_mode=_agreed(flats, lambda h: h.readout_mode, "read-out mode", notes),
        set_temp_c=_agreed(flats, lambda h: h.set_temp_c, "set temperature", notes, temperature),
    )
    others = {h.camera for h in flats if h.camera is not None and h.camera != info.name}
    if others:
        notes.append(f"These flats are of {', '.join(sorted(others))}; {info.name} is connected.")
    return FlatsTaken(
        len(flats),
        tuple(median(exposures[i] for i in c.members) for c in found),
        settings,
        tuple(notes),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _agreed(
    flats: Sequence[FrameHeader],
    value: Callable[[FrameHeader], Any],
    word: str,
    notes: list[str],
    say: Callable[[Any], str] = str,
) -> Any:
    """Return the value that all flats have; note where they differ, and take none of them."""
    counted = Counter(v for v in map(value, flats) if v is not None)
    if len(counted) <= 1:
        return next(iter(counted), None)
    words = ", ".join(f"{say(v)} ({count(n, 'flat')})" for v, n in counted.most_common())
    notes.append(
        f"The flats differ in {word}: {words}. Dark flats serve one of them: take one set after "
        "the other."
    )
    return None
