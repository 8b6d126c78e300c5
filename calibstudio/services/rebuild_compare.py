"""What differs between a master and the same made again: versions, pixels, cards, tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.wording import count, number, significant
from calibstudio.store.master_read import MasterFile, header_of, read_master

_MOST_CARDS = 5
_OF_EVERY_FILE = frozenset({"CHECKSUM", "DATASUM"})


def differences(one: Path, two: Path) -> tuple[str, ...]:
    """Return what differs, one sentence each; nothing for files of the same bytes.

    Raises
    ------
    FileProblemError
        One of them cannot be read.
    """
    if _same_bytes(one, two):
        return ()
    before, after = read_master(one), read_master(two)
    said = []
    if before.record.software != after.record.software:
        said.append(
            f"It was made by {before.record.software}, and again by {after.record.software}."
        )
    said += _of_pixels(before, after)
    said += _of_cards(one, two)
    return tuple(said or ["The files differ in bytes that no plane and no card says."])


def _same_bytes(one: Path, two: Path) -> bool:
    if one.stat().st_size != two.stat().st_size:
        return False
    with one.open("rb") as a, two.open("rb") as b:
        while part := a.read(1 << 20):
            if part != b.read(1 << 20):
                return False
    return True


def _of_pixels(before: MasterFile, after: MasterFile) -> list[str]:
    said = []
    if set(before.planes) != set(after.planes):
        odd = sorted(set(before.planes) ^ set(after.planes))
        said.append(f"Only one of them has the planes {', '.join(odd)}.")
    for detector in before.detectors:
        if detector not in after.detectors:
            continue
        for which in ("", "UNC", "CNT", "BPM", "REJ_LOW", "REJ_HIGH"):
            a = before.image(detector) if not which else before.plane(which, detector)
            b = after.image(detector) if not which else after.plane(which, detector)
            if a is not None and b is not None:
                name = " ".join(part for part in (which or "image", detector) if part)
                said += _of_plane(name, a, b)
    return said


def _of_plane(name: str, a: NDArray[np.generic], b: NDArray[np.generic]) -> list[str]:
    if a.shape != b.shape:
        return [f"The {name} has another size."]
    x, y = a.astype(np.float64), b.astype(np.float64)
    away = ~((x == y) | (np.isnan(x) & np.isnan(y)))
    many = int(away.sum())
    if not many:
        return []
    apart = np.abs(x - y)[away]
    most = significant(float(np.nanmax(apart)), 3) if np.isfinite(apart).any() else "unknown"
    share = 100.0 * many / away.size
    return [
        f"In {name} {number(many)} of {number(away.size)} pixels differ ({share:.3g} %), "
        f"by at most {most}."
    ]


def _of_cards(one: Path, two: Path) -> list[str]:
    found: list[str] = []
    for (name, a), (_, b) in zip(header_of(one), header_of(two), strict=False):
        left = [(k, v) for k, v, _ in a if k not in _OF_EVERY_FILE]
        right = [(k, v) for k, v, _ in b if k not in _OF_EVERY_FILE]
        odd = dict.fromkeys(k for k, v in [*left, *right] if ((k, v) in left) != ((k, v) in right))
        found += [f"{k} of {name}" if name else k for k in odd]
    if not found:
        return []
    named = ", ".join(found[:_MOST_CARDS])
    more = len(found) - _MOST_CARDS
    others = f" and {count(more, 'other card')}" if more > 0 else ""
    return [f"Cards differ: {named}{others}."]
