"""Which masters of a library are wanted, and in which order: one value, asked by every screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from calibstudio.domain.master import ReviewState
from calibstudio.domain.quality import Verdict


class MasterSort(StrEnum):
    """What masters are sorted by. Unknown values come last; equal ones the newest first."""

    ADDED = "added"
    NIGHT = "night"
    KIND = "kind"
    CAMERA = "camera"
    FILTER = "filter"
    EXPOSURE = "exposure_s"
    GAIN = "gain"
    OFFSET = "offset"
    TEMPERATURE = "temperature_c"
    BINNING = "binning"
    FRAMES = "n_combined"
    VERDICT = "verdict"
    STATE = "state"
    NAME = "name"


FACETS = ("kind", "camera", "filter", "binning", "night", "verdict", "state")
"""What a library is counted by."""


@dataclass(frozen=True, slots=True)
class MasterQuery:
    """A filter, a search and an order. Empty means no restriction.

    Within a field any of its values fits; all fields must fit.
    """

    kinds: tuple[str, ...] = ()
    """Without ``master ``."""
    cameras: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    binnings: tuple[str, ...] = ()
    """As ``2x2``."""
    nights: tuple[date, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    states: tuple[ReviewState, ...] = ()
    night_from: date | None = None
    night_to: date | None = None
    """Inclusive."""
    exposure_min_s: float | None = None
    exposure_max_s: float | None = None
    search: str = ""
    """Words that all must be found in name, camera, filter, kind, telescope, night or hash."""
    sort: MasterSort = MasterSort.ADDED
    descending: bool = True
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Facets:
    """How many masters there are of each value, by facet name (see `FACETS`).

    A facet is counted with the other restrictions of the query but without its own, so that a
    second value can be chosen beside the first. Unknown values count under an empty text.
    """

    counts: Mapping[str, Mapping[str, int]]
    total: int
    """Masters that fit the whole query."""
