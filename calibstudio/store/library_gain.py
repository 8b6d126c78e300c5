"""The gain that master flats measured, brought to the biases and darks of the same library."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import sqlalchemy as sa
from sqlalchemy.orm import Session

from calibstudio.domain.header import HeaderValue
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.measured_gain import SETTINGS, MeasuredGain, in_electrons
from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.store.codec import assessment_from_json, assessment_to_json, key_from_json
from calibstudio.store.library_tables import MasterRow

_DARK = (FrameKind.BIAS.value, FrameKind.DARK.value, FrameKind.DARK_FLAT.value)

Settings = tuple[HeaderValue | None, ...]


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A master in its order of time; those whose time is not known come first."""

    middle_us: int
    sha256: str
    id: int


def apply_measured_gains(session: Session, of: str | None = None) -> None:
    """Put numbers in electrons by the gain of the flat that is nearest in time.

    The result follows from the masters alone, not from the order in which they were filed.

    Parameters
    ----------
    of
        Hash of a master that is new: only what it changes is looked at. None: everything.
    """
    session.flush()
    new = None
    if of is not None:
        new = session.scalar(sa.select(MasterRow).where(MasterRow.sha256 == of))
        if new is None or new.kind not in (*_DARK, FrameKind.FLAT.value):
            return
    flats = _Flats(session, new)
    if new is not None and new.kind in _DARK:
        targets = [(_place(new.id, new.sha256, new.first_us, new.last_us), _settings(new))]
    elif new is not None and flats.gain(new.id) is None:
        return
    else:
        targets = [
            (place, settings)
            for settings, places in _places(session, _DARK, new).items()
            for place in places
        ]
    for place, settings in targets:
        gain = flats.nearest(settings, place)
        if gain is None or (new is not None and new.kind not in _DARK and gain.sha256 != of):
            continue
        row = session.get_one(MasterRow, place.id)
        written = key_from_json(row.values_json).get("egain_e_per_adu")
        by_header = float(written) if isinstance(written, (int, float)) else None
        before = assessment_from_json(row.assessment_json)
        found = in_electrons(row.kind, before, gain, by_header)
        text = assessment_to_json(found)
        if text != row.assessment_json:
            row.assessment_json, row.verdict = text, found.verdict.value


class _Flats:
    """Master flats by settings, in the order of time; measurements are read when they count."""

    def __init__(self, session: Session, new: MasterRow | None) -> None:
        self._session = session
        self._places = _places(session, (FrameKind.FLAT.value,), new)
        self._gains: dict[int, MeasuredGain | None] = {}

    def nearest(self, settings: Settings, place: _Place) -> MeasuredGain | None:
        """Return the gain that was measured nearest in time with these settings."""
        return next(
            (
                gain
                for flat in _outwards(self._places.get(settings, ()), place)
                if (gain := self.gain(flat.id)) is not None
            ),
            None,
        )

    def gain(self, flat_id: int) -> MeasuredGain | None:
        """Return what a flat measured; None where it did not, or is BAD."""
        if flat_id not in self._gains:
            row = self._session.get_one(MasterRow, flat_id)
            assessment = assessment_from_json(row.assessment_json)
            value = assessment.value("egain")
            name = PurePosixPath(row.path.replace("\\", "/")).name
            is_usable = value is not None and value > 0 and not _is_bad(assessment)
            self._gains[flat_id] = (
                MeasuredGain(value, name, row.sha256) if is_usable and value is not None else None
            )
        return self._gains[flat_id]


def _places(
    session: Session, kinds: Sequence[str], like: MasterRow | None
) -> dict[Settings, list[_Place]]:
    """Return masters of these kinds by their settings, in the order of time."""
    asked = sa.select(
        MasterRow.id, MasterRow.sha256, MasterRow.first_us, MasterRow.last_us, MasterRow.values_json
    ).where(MasterRow.kind.in_(kinds))
    if like is not None:
        asked = asked.where(MasterRow.camera == like.camera)
    found: defaultdict[Settings, list[_Place]] = defaultdict(list)
    for master_id, sha256, first_us, last_us, values in session.execute(asked):
        found[_of_values(values)].append(_place(master_id, sha256, first_us, last_us))
    for places in found.values():
        places.sort()
    return dict(found)


def _place(master_id: int, sha256: str, first_us: int | None, last_us: int | None) -> _Place:
    middle = 0 if first_us is None or last_us is None else (first_us + last_us) // 2
    return _Place(middle, sha256, master_id)


def _settings(row: MasterRow) -> Settings:
    return _of_values(row.values_json)


def _of_values(text: str) -> Settings:
    values = key_from_json(text)
    return tuple(values.get(word) for word in SETTINGS)


def _outwards(places: Sequence[_Place], middle: _Place) -> Iterator[_Place]:
    """Walk from the nearest in time to the farthest; the earlier one of two equally far."""
    after = bisect_left(places, middle)
    before = after - 1
    while before >= 0 or after < len(places):
        to_before = middle.middle_us - places[before].middle_us if before >= 0 else None
        to_after = places[after].middle_us - middle.middle_us if after < len(places) else None
        if to_after is None or (to_before is not None and to_before <= to_after):
            yield places[before]
            before -= 1
        else:
            yield places[after]
            after += 1


def _is_bad(assessment: Assessment) -> bool:
    """Whether a flat is BAD for another reason than that its header says another gain.

    A wrong gain in the header makes the noise look wrong, too; what was measured wins (RULES 7).
    """
    findings = (f for f in assessment.findings if f.metric not in ("gain_error", "noise_excess"))
    return any(f.verdict is Verdict.BAD for f in findings)
