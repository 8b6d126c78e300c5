"""Trained flats: which exposure gave the level last time, for each filter and camera setting.

A small JSON file for each rig. A value is only where a search starts, and it ages: lamps dim, and
paper is put on panels. Losing the file costs a few test frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calibstudio.domain.plan import CameraSettings
from calibstudio.store.naming import safe_part
from calibstudio.store.settings_file import read_text, replace_text, set_aside

VERSION = 1
HISTORY = 12
STALE_AFTER_DAYS = 120
USUAL_SPREAD = 0.03
"""Expected range of an exposure that was found only once, as a fraction."""


@dataclass(frozen=True, slots=True)
class TrainedKey:
    """What must be the same for a trained value to apply."""

    filter: str | None
    gain: int | None
    offset: int | None
    binning: int
    readout_mode: str | None
    brightness: int | None
    """None: a lamp without a dial."""

    @classmethod
    def of(
        cls, settings: CameraSettings, filter_name: str | None, brightness: int | None
    ) -> TrainedKey:
        """Return the key of these settings."""
        return cls(
            filter_name,
            settings.gain,
            settings.offset,
            settings.binning,
            settings.readout_mode,
            brightness,
        )


@dataclass(frozen=True, slots=True)
class TrainedValue:
    """One success: at this exposure the level was so much above the bias."""

    key: TrainedKey
    exposure_s: float
    signal_adu: float
    """Level above the bias."""
    at: datetime
    """UTC."""
    earlier: tuple[tuple[datetime, float], ...] = ()
    """(when, signal in ADU a second) of earlier successes, newest first."""
    bias_adu: float | None = None
    """Bias level it was measured with; None: values from before it was kept."""

    @property
    def rate_adu_per_s(self) -> float:
        """Signal per second of exposure."""
        return self.signal_adu / self.exposure_s

    def exposure_for(self, signal_adu: float) -> float:
        """Return the exposure that gives this signal."""
        return signal_adu / self.rate_adu_per_s

    def expected_range(self, signal_adu: float) -> tuple[float, float]:
        """Return the range of exposures that the history lets expect, for this signal."""
        rates = [self.rate_adu_per_s, *(rate for _, rate in self.earlier)]
        low, high = min(rates) * (1 - USUAL_SPREAD), max(rates) * (1 + USUAL_SPREAD)
        return signal_adu / high, signal_adu / low

    def before(self, signal_adu: float) -> float | None:
        """Return the exposure that was found the time before, for this signal; None for none."""
        return signal_adu / self.earlier[0][1] if self.earlier else None

    def age_days(self, now: datetime) -> int:
        """Whole days since it was found."""
        return max(0, int((now - self.at) / timedelta(days=1)))

    def is_stale(self, now: datetime) -> bool:
        """Whether it is so old that a screen says so."""
        return self.age_days(now) > STALE_AFTER_DAYS


@dataclass(frozen=True, slots=True)
class SkyRate:
    """How fast the light of the twilight came through a filter, without the Sun's altitude."""

    key: TrainedKey
    """Without brightness."""
    rate_adu_per_s: float
    """Signal per second over the law's brightness (`SkyFit.rate_over_law`)."""
    at: datetime
    """UTC."""


class TrainedStore:
    """The trained values of one rig, in one file. Reads at once; writes after each success."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[TrainedKey, TrainedValue] = {}
        self._sky: dict[TrainedKey, SkyRate] = {}
        self.complaint = ""
        """One sentence when the file could not be understood; it was set aside."""
        self._read()

    @classmethod
    def for_rig(cls, folder: Path, rig: str) -> TrainedStore:
        """Return the values of a rig, kept in this folder."""
        return cls(trained_path(folder, rig))

    def values(self) -> tuple[TrainedValue, ...]:
        """Return everything, by filter and then gain."""
        return tuple(sorted(self._values.values(), key=lambda v: _order(v.key)))

    def find(self, key: TrainedKey) -> TrainedValue | None:
        """Return the value for these settings.

        Without an exact one: of another offset (it does not change the light); then of another
        brightness of the panel, scaled. A panel is not quite linear, but it is a start.
        """
        if exact := self._values.get(key):
            return exact
        near = [v for k, v in self._values.items() if _same_light(k, key)]
        if same := [v for v in near if v.key.brightness == key.brightness]:
            return max(same, key=lambda v: v.at)
        if not key.brightness:
            return None
        scaled = [v for v in near if v.key.brightness]
        if not scaled:
            return None
        best = min(scaled, key=lambda v: abs((v.key.brightness or 0) - (key.brightness or 0)))
        factor = (best.key.brightness or 1) / key.brightness
        return replace(best, key=key, exposure_s=best.exposure_s * factor, earlier=())

    def bias_adu(self, settings: CameraSettings) -> float | None:
        """Return the newest bias level measured with these settings; None: never measured.

        The bias does not depend on filter or light, so every filter's value counts.
        """
        wanted = TrainedKey.of(settings, None, None)
        known = [
            v
            for k, v in self._values.items()
            if v.bias_adu is not None and replace(k, filter=None, brightness=None) == wanted
        ]
        return max(known, key=lambda v: v.at).bias_adu if known else None

    def learn(
        self,
        key: TrainedKey,
        exposure_s: float,
        signal_adu: float,
        at: datetime,
        *,
        bias_adu: float | None = None,
    ) -> None:
        """Keep a success and write the file.

        Raises
        ------
        WriteProblemError
            If the file cannot be written; the value is known until the program ends.
        """
        if exposure_s <= 0 or signal_adu <= 0:
            return
        earlier: tuple[tuple[datetime, float], ...] = ()
        if old := self._values.get(key):
            earlier = ((old.at, old.rate_adu_per_s), *old.earlier)[:HISTORY]
        self._values[key] = TrainedValue(key, exposure_s, signal_adu, at, earlier, bias_adu)
        self._write()

    def learn_sky(
        self, settings: CameraSettings, filter_name: str | None, rate_adu_per_s: float, at: datetime
    ) -> None:
        """Keep how fast the twilight came through a filter and write the file.

        Raises
        ------
        WriteProblemError
            If the file cannot be written; the rate is known until the program ends.
        """
        if rate_adu_per_s > 0:
            key = TrainedKey.of(settings, filter_name, None)
            self._sky[key] = SkyRate(key, rate_adu_per_s, at)
            self._write()

    def sky_rates(self, settings: CameraSettings) -> dict[str, SkyRate]:
        """Return by filter what the twilight gave with these settings, the newest of each."""
        wanted = TrainedKey.of(settings, None, None)
        found: dict[str, SkyRate] = {}
        for key, value in sorted(self._sky.items(), key=lambda item: item[1].at):
            if _same_light(replace(key, filter=None), wanted):
                found[key.filter or ""] = value
        return found

    def panel_rates(self, settings: CameraSettings) -> dict[str, float]:
        """Return by filter the signal per second at brightness 1 of the panel, as far as known."""
        wanted = TrainedKey.of(settings, None, None)
        found: dict[str, float] = {}
        for key, value in sorted(self._values.items(), key=lambda item: item[1].at):
            if key.brightness and _same_light(replace(key, filter=None), wanted):
                found[key.filter or ""] = value.rate_adu_per_s / key.brightness
        return found

    def forget(self, key: TrainedKey) -> None:
        """Remove a value and write the file."""
        if self._values.pop(key, None) is not None:
            self._write()

    def _read(self) -> None:
        text = read_text(self._path)
        if text is None:
            return
        try:
            document = json.loads(text)
            values = [_value(row) for row in _rows(document)]
            sky = [_sky_rate(row) for row in document.get("sky", ())]
        except (ValueError, KeyError, TypeError):
            kept = set_aside(self._path)
            where = f" It was kept as {kept.name}." if kept else ""
            self.complaint = f"The trained flats in {self._path.name} cannot be read.{where}"
            return
        self._values = {v.key: v for v in values}
        self._sky = {v.key: v for v in sky}

    def _write(self) -> None:
        document = {
            "version": VERSION,
            "values": [_row(v) for v in self.values()],
            "sky": [_sky_row(v) for v in self._sky.values()],
        }
        replace_text(self._path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def trained_path(folder: Path, rig: str) -> Path:
    """Return the file of a rig's trained values."""
    return folder / f"trained_{safe_part(rig)}.json"


def _same_light(one: TrainedKey, other: TrainedKey) -> bool:
    """Whether the same light gives the same signal: all but offset and brightness are equal."""
    return replace(one, offset=None, brightness=None) == replace(
        other, offset=None, brightness=None
    )


def _order(key: TrainedKey) -> tuple[Any, ...]:
    return (key.filter or "", key.gain or 0, key.offset or 0, key.binning, key.brightness or 0)


def _rows(document: Any) -> Iterable[Mapping[str, Any]]:
    if not isinstance(document, dict) or document.get("version", VERSION) > VERSION:
        raise ValueError("not a file of trained flats")
    rows = document["values"]
    if not isinstance(rows, list):
        raise TypeError("values must be a list")
    return rows


def _key_row(key: TrainedKey) -> dict[str, Any]:
    return {
        "filter": key.filter,
        "gain": key.gain,
        "offset": key.offset,
        "binning": key.binning,
        "readout_mode": key.readout_mode,
        "brightness": key.brightness,
    }


def _sky_row(value: SkyRate) -> dict[str, Any]:
    row = _key_row(value.key) | {
        "rate_adu_per_s": value.rate_adu_per_s,
        "at": value.at.astimezone(UTC).isoformat(),
    }
    return {name: item for name, item in row.items() if item is not None}


def _sky_rate(row: Mapping[str, Any]) -> SkyRate:
    rate = float(row["rate_adu_per_s"])
    if not 0 < rate < 1e30:
        raise ValueError("a rate is above zero")
    return SkyRate(_key(row), rate, _moment(row["at"]))


def _row(value: TrainedValue) -> dict[str, Any]:
    row: dict[str, Any] = _key_row(value.key) | {
        "exposure_s": value.exposure_s,
        "signal_adu": value.signal_adu,
        "at": value.at.astimezone(UTC).isoformat(),
        "earlier": [[at.astimezone(UTC).isoformat(), rate] for at, rate in value.earlier],
        "bias_adu": value.bias_adu,
    }
    return {name: item for name, item in row.items() if item is not None}


def _key(row: Mapping[str, Any]) -> TrainedKey:
    return TrainedKey(
        filter=row.get("filter"),
        gain=row.get("gain"),
        offset=row.get("offset"),
        binning=int(row.get("binning", 1)),
        readout_mode=row.get("readout_mode"),
        brightness=row.get("brightness"),
    )


def _value(row: Mapping[str, Any]) -> TrainedValue:
    key = _key(row)
    exposure_s, signal_adu = float(row["exposure_s"]), float(row["signal_adu"])
    if not (0 < exposure_s < 1e6 and 0 < signal_adu < 1e9):
        raise ValueError("an exposure and a signal are above zero")
    earlier = tuple((_moment(at), float(rate)) for at, rate in row.get("earlier", ()))
    bias = row.get("bias_adu")
    bias_adu = None if bias is None else float(bias)
    return TrainedValue(key, exposure_s, signal_adu, _moment(row["at"]), earlier, bias_adu)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone")
    return moment
