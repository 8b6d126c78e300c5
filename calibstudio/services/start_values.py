"""Where the search of each filter will start, what it is likely to find, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from calibstudio.domain.drafts import FlatDraft
from calibstudio.domain.equipment import CameraInfo, Conversion
from calibstudio.domain.errors import UsageError
from calibstudio.domain.outlook import master_snr, saturation_adu
from calibstudio.domain.plan import LevelUnit, LightSource, Search, estimate_plan
from calibstudio.services.trained import STALE_AFTER_DAYS, TrainedKey, TrainedStore, TrainedValue

UNTRAINED_START_S = 1.0
"""Where a search starts that nobody knows anything about."""


class StartState(StrEnum):
    """Where a start value comes from."""

    TRAINED = "trained"
    STALE = "stale"
    """Trained so long ago that the lamp may have changed."""
    UNTRAINED = "untrained"
    TYPED = "typed"


@dataclass(frozen=True, slots=True)
class StartValue:
    """One filter of a flat sequence, before its first test frame."""

    order: int
    filter: str
    """Empty without a wheel."""
    exposure_s: float
    state: StartState
    count: int
    seconds: float
    """Flats, test frames and dark flats of this filter."""
    at: datetime | None = None
    """UTC; when it was trained."""
    days: int | None = None
    before_s: float | None = None
    """Found the time before, for the same signal."""
    expected_s: tuple[float, float] | None = None
    """What the history lets expect."""
    snr: float | None = None
    """Of a pixel of the master; None: nobody knows what an ADU is worth."""

    @property
    def is_trained(self) -> bool:
        """Whether it was found before, however long ago."""
        return self.at is not None


@dataclass(frozen=True, slots=True)
class Outlook:
    """All filters, and the level they will have."""

    rows: tuple[StartValue, ...]
    saturation_adu: float
    target_adu: float | None
    """None: in electrons, and nobody knows what an ADU is worth."""
    bias_adu: float | None
    """None: never measured with these settings; counted as 0 for the electrons."""
    electrons: float | None
    """Of a pixel of one flat at the target, above the bias."""

    @property
    def stale(self) -> tuple[StartValue, ...]:
        """Filters whose value is old."""
        return tuple(r for r in self.rows if r.state is StartState.STALE)

    @property
    def untrained(self) -> tuple[str, ...]:
        """Filters without a value, for a sentence."""
        return tuple(r.filter or "this light" for r in self.rows if not r.is_trained)

    def exposures_s(self) -> dict[str, float]:
        """Return by step id the exposures that were found before or typed."""
        return {
            step_id(r.filter): r.exposure_s
            for r in self.rows
            if r.state is not StartState.UNTRAINED
        }


def step_id(filter_name: str) -> str:
    """Return the id of a filter's step in the plan of a `FlatDraft`."""
    return f"flat-{filter_name}" if filter_name else "flat"


def outlook(
    draft: FlatDraft,
    info: CameraInfo,
    trained: TrainedStore | None,
    conversion: Conversion | None,
    now: datetime,
) -> Outlook:
    """Return where each filter's search starts and what its master will be worth.

    Parameters
    ----------
    trained
        None while it is still being read: every filter counts as untrained.
    conversion
        None: the camera does not say what an ADU is worth.
    """
    bias = None if trained is None else trained.bias_adu(draft.settings)
    top = saturation_adu(info, bias or 0.0, conversion)
    try:
        target = draft.target.adu(
            saturation_adu=top,
            bias_adu=bias or 0.0,
            e_per_adu=conversion.e_per_adu if conversion else None,
        )
    except UsageError:
        target = None
    electrons = None
    if draft.target.unit is LevelUnit.ELECTRONS:
        electrons = draft.target.value
    elif conversion is not None and target is not None:
        electrons = max(target - (bias or 0.0), 0.0) * conversion.e_per_adu
    signal = None if target is None or bias is None else target - bias
    rows = tuple(
        _row(draft, info, i, name, _found(draft, trained, name), signal, electrons, now)
        for i, name in enumerate(draft.filters or ("",), start=1)
    )
    return Outlook(rows, top, target, bias, electrons)


def _found(draft: FlatDraft, trained: TrainedStore | None, name: str) -> TrainedValue | None:
    """Return what was found before for a filter; a lamp has no dial, or one that is off."""
    if trained is None:
        return None
    dials = (draft.brightness,) if draft.light is LightSource.PANEL else (None, 0)
    keys = [TrainedKey.of(draft.settings, name or None, dial) for dial in dials]
    return next((v for v in map(trained.find, keys) if v is not None), None)


def _row(
    draft: FlatDraft,
    info: CameraInfo,
    order: int,
    name: str,
    value: TrainedValue | None,
    signal_adu: float | None,
    electrons: float | None,
    now: datetime,
) -> StartValue:
    wanted = signal_adu
    if value is not None and (wanted is None or wanted <= 0):
        wanted = value.signal_adu
    typed = draft.start_exposures_s.get(name) if draft.search is Search.EXPOSURE else None
    seconds, state = UNTRAINED_START_S, StartState.UNTRAINED
    if draft.search is Search.BRIGHTNESS:
        seconds, state = draft.exposure_s, StartState.TYPED
    elif typed is not None:
        seconds, state = typed, StartState.TYPED
    elif value is not None and wanted is not None:
        seconds = value.exposure_for(wanted)
        state = StartState.STALE if value.is_stale(now) else StartState.TRAINED
    low, high = draft.limits.exposures(info)
    if draft.search is Search.EXPOSURE:
        seconds = min(max(seconds, low), high)
    known = value is not None and wanted is not None
    return StartValue(
        order=order,
        filter=name,
        exposure_s=seconds,
        state=state,
        count=draft.count,
        seconds=_seconds(draft, info, name, None if state is StartState.UNTRAINED else seconds),
        at=value.at if value is not None else None,
        days=value.age_days(now) if value is not None else None,
        before_s=value.before(wanted) if value is not None and wanted is not None else None,
        expected_s=value.expected_range(wanted) if value and wanted and known else None,
        snr=None if electrons is None else master_snr(draft.count, electrons),
    )


def _seconds(draft: FlatDraft, info: CameraInfo, name: str, exposure_s: float | None) -> float:
    """Return the seconds of one filter with its dark flats; None: the exposure is guessed."""
    known = {} if exposure_s is None else {name: exposure_s}
    alone = replace(draft, filters=(name,) if name else (), start_exposures_s=known)
    found = {step_id(n): s for n, s in known.items()}
    return estimate_plan(alone.plan(info), info, exposures_s=found).seconds


def stale_words(value: StartValue) -> str:
    """Say how old a start value is: ``Trained 2025-11-02, limit 120 days.``"""
    at = "" if value.at is None else f"Trained {value.at:%Y-%m-%d}, "
    return f"{at}limit {STALE_AFTER_DAYS} days."
