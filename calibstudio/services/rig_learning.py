"""What masters measured, kept with the rig that took their frames."""

from __future__ import annotations

from collections.abc import Iterable

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.quality import Verdict
from calibstudio.domain.rig import Learned, Quantity, Rig
from calibstudio.services.rigs import Rigs


def learned_from(records: Iterable[MasterRecord], camera: str) -> tuple[Learned, ...]:
    """Return what master flats of a camera measured by photon transfer.

    Parameters
    ----------
    camera
        Name of the camera, as its frames say it; masters of others teach nothing.
    """
    found = []
    for record in records:
        at = record.observed_mid_utc
        is_usable = record.kind == FrameKind.FLAT and record.verdict is not Verdict.BAD
        if not is_usable or at is None or record.key.get("camera") != camera:
            continue
        gain, mode = record.key.get("gain"), record.key.get("readout_mode")
        binning = _binning(record.key.get("binning"))
        if binning is None or record.assessment.value("egain") is None:
            continue
        for what in Quantity:
            value = record.assessment.value(what.value)
            if value is not None and 0 < value < 1e6:
                found.append(
                    Learned(
                        what,
                        value,
                        at,
                        record.path.name,
                        int(gain) if isinstance(gain, int | float) else None,
                        mode if isinstance(mode, str) else None,
                        binning,
                    )
                )
    return tuple(found)


def teach(
    rigs: Rigs, name: str, camera: str, records: Iterable[MasterRecord]
) -> tuple[Learned, ...]:
    """Keep with a rig what masters of its camera measured; return what is new.

    Raises
    ------
    WriteProblemError
    """
    rig = rigs.find(name) if name else None
    if rig is None:
        return ()
    taught = rig.taught(learned_from(records, camera))
    new = tuple(one for one in taught.learned if one not in rig.learned)
    if new:
        rigs.save(taught)
    return new


def learned_words(rig: Rig) -> list[tuple[str, str]]:
    """Return what a rig has learned, as pairs of words: what at which settings, and the value."""
    rows = []
    for one in rig.learned:
        parts = [] if one.gain is None else [f"gain {one.gain}"]
        parts += [one.readout_mode] if one.readout_mode else []
        parts += [f"{one.binning} \u00d7 {one.binning}"] if one.binning != 1 else []
        at = f" at {', '.join(parts)}" if parts else ""
        value = f"{one.value:.3g}\u202f{one.what.unit}"
        rows.append(
            (f"{one.what.words}{at}", f"{value}, {one.at:%Y-%m-%d}, measured by {one.source}")
        )
    return rows


def _binning(value: object) -> int | None:
    """Return the binning; None when it is not the same in both directions, or unknown."""
    if not isinstance(value, tuple) or len(value) != 2 or value[0] != value[1]:
        return None
    return int(value[0])
