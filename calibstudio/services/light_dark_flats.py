"""Which dark flats the flats of lights need: those on disk, and those that are yet to be taken.

What must be read and measured is read once (`flat_facts`); which dark flats a choice of flats
needs (`dark_flat_needs`) then follows at once, so that a screen may ask with every click.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from calibstudio.domain.clusters import clusters
from calibstudio.domain.dark_flat_sets import (
    DarkFlatSet,
    FlatExposure,
    bias_is_nearer,
    least_sets,
    reach_s,
)
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.filters import filter_key
from calibstudio.domain.group_titles import DOT, short_temperature
from calibstudio.domain.grouping_rules import COMMON_KEY
from calibstudio.domain.header import FrameHeader, HeaderValue, json_value
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.matching import (
    Values,
    candidate,
    exposure_tolerance_s,
    filter_rule,
    setting_rules,
)
from calibstudio.domain.needs import Moment, Need, NeedState, age_days
from calibstudio.domain.needs_plan import camera_wish
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.run_config import CameraWish
from calibstudio.domain.wording import count, exposure, significant
from calibstudio.services.library import Library
from calibstudio.services.light_needs import (
    FLATS_FOR_LIGHTS,
    LightGroup,
    Lights,
    NeedSettings,
    lights_as,
    look_at,
    present,
)
from calibstudio.services.master_around import Darkness, measured_darkness
from calibstudio.services.master_plan import DARK_KINDS

log = logging.getLogger(__name__)

DRIFT = 1.25
"""A lamp may have become so much dimmer or brighter since the flats that an exposure is expected
from: dark flats that are there count only where they serve that whole range."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One setting of the camera at one temperature, in darkness."""

    id: str
    values: Values
    darkness: Darkness
    darks: tuple[MasterRecord, ...]
    """Darks and dark flats that fit it, of the library; raw ones on disk have no hash."""


@dataclass(frozen=True, slots=True)
class FlatsOf:
    """Flats of one filter and setting: on disk, or to be taken."""

    sensor: Sensor
    filter: str
    need_ids: tuple[str, ...]
    """Of the needs that they serve; empty for flats on disk."""
    exposures: tuple[FlatExposure, ...]
    """Of flats on disk, or the one expected; empty: not known."""
    place: str = ""
    """Folder of flats on disk."""
    lights: int = 0
    camera: CameraWish = field(default_factory=CameraWish)


def flat_facts(
    ctx: JobContext, lights: Lights, needs: Sequence[Need], library: Library, settings: NeedSettings
) -> list[FlatsOf]:
    """Find flats on disk and those that may be taken, with exposures, levels and dark rates.

    Raises
    ------
    Cancelled
    """
    work = _Facts(lights, library, settings)
    groups = lights_as(FrameKind.FLAT, lights, settings.recipe, FLATS_FOR_LIGHTS)
    by_id = {need.id: need for need in needs}
    found = []
    for i, (group, record) in enumerate(lights.raw):
        ctx.progress(i / max(1, len(lights.raw)), f"Looking at flats in {record.path.name}")
        if group.kind != FrameKind.FLAT:
            continue
        mine = [g for g in groups if look_at(FrameKind.FLAT, g, [record], settings.recipe)[0]]
        states = [by_id[g.group.id].state for g in mine if g.group.id in by_id]
        if NeedState.FRAMES in states:
            headers = [lights.grouping.headers[p] for p in lights.grouping.stacked(group)]
            found.append(work.on_disk(record, headers, sum(len(g.headers) for g in mine)))
    planned: dict[tuple[str, str], list[LightGroup]] = {}
    for one in groups:
        sensor = work.sensor(one.values, one.when)
        name = str(one.values.get("filter", ""))
        planned.setdefault((sensor.id, filter_key(name)), []).append(one)
    found += [work.planned(group) for group in planned.values()]
    ctx.progress(1.0)
    return found


class _Facts:
    def __init__(self, lights: Lights, library: Library, settings: NeedSettings) -> None:
        self._library, self._settings = library, settings
        self._recipe: Recipe = settings.recipe
        raw = [record for _, record in lights.raw]
        self._darks = [
            r for r in (*present(library, DARK_KINDS), *raw) if r.kind in DARK_KINDS
        ]  # fmt: skip
        self._flats = present(library, (FrameKind.FLAT,))
        self._sensors: dict[str, Sensor] = {}

    def sensor(self, values: Values, when: Moment) -> Sensor:
        """Return darkness and darks of these settings, measured the first time."""
        key = {w: values[w] for w in (*COMMON_KEY, "sensor_temp_c") if w in values}
        if "set_temp_c" in key:
            key.pop("sensor_temp_c", None)
        said = "|".join(f"{w}={_rounded(v)}" for w, v in sorted(key.items()))
        name = hashlib.blake2b(said.encode(), digest_size=4).hexdigest()
        if name not in self._sensors:
            fitting = tuple(r for r in self._darks if self._fits(values, r, when))
            self._sensors[name] = Sensor(name, values, self._darkness(values, when), fitting)
        return self._sensors[name]

    def _fits(self, values: Values, record: MasterRecord, when: Moment) -> bool:
        if record.bias_subtracted or record.unit != "adu":
            return False
        if not candidate(values, record, self._recipe.tolerances).accepted:
            return False
        return (age_days(record, when) or 0) <= self._settings.max_age_of(record.kind)

    def _darkness(self, values: Values, when: Moment) -> Darkness:
        try:
            return measured_darkness(values, when.at, self._library, self._recipe)
        except CalibStudioError as error:
            log.warning("the dark rate cannot be measured: %s", error)
            return Darkness(None, 0.0)

    def on_disk(self, record: MasterRecord, headers: Sequence[FrameHeader], lights: int) -> FlatsOf:
        """Return the exposures of raw flats, one frame of each measured."""
        sensor = self.sensor(record.values, Moment(record.observed_last_utc))
        timed = [h for h in headers if h.exposure_s is not None]
        times = [h.exposure_s or 0.0 for h in timed]
        name = str(record.values.get("filter", ""))
        exposures = []
        for found in clusters(times, lambda s: exposure_tolerance_s(s, self._recipe.tolerances)):
            middle = timed[found.members[len(found.members) // 2]]
            light = _level(middle)
            above = None if light is None else light - sensor.darkness.pedestal_adu
            exposures.append(FlatExposure(name, median(times[i] for i in found.members), above))
        place = str(record.path)
        camera = camera_wish(headers)
        return FlatsOf(sensor, name, (), tuple(exposures), place, lights, camera)

    def planned(self, groups: Sequence[LightGroup]) -> FlatsOf:
        """Return what is expected of flats that are yet to be taken: as the newest that are."""
        one = groups[0]
        sensor = self.sensor(one.values, one.when)
        name = str(one.values.get("filter", ""))
        ids = tuple(g.group.id for g in groups)
        expected: tuple[FlatExposure, ...] = ()
        newest = self._newest_flat(one.values)
        if newest is not None:
            seconds = newest.values["exposure_s"]
            assert isinstance(seconds, (int, float))
            levels = [
                row.level_adu
                for row in self._library.inputs(newest.sha256)
                if row.used and row.level_adu is not None
            ]
            light = median(levels) - sensor.darkness.pedestal_adu if levels else None
            expected = (FlatExposure(name, float(seconds), light),)
        headers = [h for g in groups for h in g.headers]
        camera = camera_wish(headers)
        return FlatsOf(sensor, name, ids, expected, lights=len(headers), camera=camera)

    def _newest_flat(self, values: Values) -> MasterRecord | None:
        for record in sorted(self._flats, key=lambda r: str(r.observed_mid_utc), reverse=True):
            rules = (*setting_rules(values, record.values), filter_rule(values, record.values))
            seconds = record.values.get("exposure_s")
            if isinstance(seconds, (int, float)) and not any(r.blocks for r in rules):
                return record
        return None


def dark_flat_needs(
    facts: Sequence[FlatsOf],
    chosen: Collection[str],
    settings: NeedSettings,
    *,
    from_nothing: bool = False,
) -> list[Need]:
    """Return the dark flats that flats on disk, and those that are chosen to be taken, need.

    Sets that are there come first (not ``from_nothing``), then the fewest that serve the rest.
    """
    found: list[Need] = []
    for sensor in {id(f.sensor): f.sensor for f in facts}.values():
        mine = [f for f in facts if f.sensor is sensor]
        for part in (
            [f for f in mine if not f.need_ids],
            [f for f in mine if set(f.need_ids) & set(chosen)],
        ):
            darks = () if from_nothing else sensor.darks
            found += _Sets(replace(sensor, darks=darks), part, settings).needs()
    return found


class _Sets:
    """The dark flats of some flats with the same settings."""

    def __init__(self, sensor: Sensor, flats: Sequence[FlatsOf], settings: NeedSettings) -> None:
        self._sensor, self._flats, self._settings = sensor, flats, settings

    def needs(self) -> list[Need]:
        rest: list[tuple[FlatsOf, FlatExposure, float]] = []
        there: dict[str, list[tuple[MasterRecord, FlatsOf, FlatExposure]]] = {}
        found: list[Need] = []
        for flats in self._flats:
            if not flats.exposures:
                found.append(self._unknown(flats))
            for one in flats.exposures:
                reach = self._reach(one)
                record = self._there(flats, one, reach)
                if record is None:
                    rest.append((flats, one, reach))
                else:
                    name = record.sha256 or str(record.path)
                    there.setdefault(name, []).append((record, flats, one))
        found += [self._have(group) for group in there.values()]
        for one_set in least_sets([one for _, one, _ in rest], [reach for *_, reach in rest]):
            members = {id(one) for one in one_set.serves}
            found.append(self._missing(one_set, [f for f, one, _ in rest if id(one) in members]))
        return found

    def _reach(self, flat: FlatExposure) -> float:
        recipe, rate = self._settings.recipe, self._sensor.darkness.rate
        if rate is None:
            return reach_s(flat, None, 0.0, recipe.flat_dark_budget, recipe.tolerances)
        return reach_s(
            flat, rate.adu_per_s, rate.hot_adu_per_s, recipe.flat_dark_budget, recipe.tolerances
        )

    def _there(self, flats: FlatsOf, flat: FlatExposure, reach: float) -> MasterRecord | None:
        """Return the dark that is nearest in exposure among those that serve."""
        drift = DRIFT if flats.need_ids else 1.0
        serving = []
        for record in self._sensor.darks:
            time = record.values.get("exposure_s")
            if not isinstance(time, (int, float)):
                continue
            furthest = max(abs(time - flat.exposure_s * drift), abs(time - flat.exposure_s / drift))
            too_long = bias_is_nearer(record.kind, time, flat.exposure_s)
            if furthest <= reach and not too_long:
                serving.append((abs(time - flat.exposure_s), record.sha256, record))
        return min(serving, key=lambda one: one[:2])[2] if serving else None

    def _have(self, group: Sequence[tuple[MasterRecord, FlatsOf, FlatExposure]]) -> Need:
        record = group[0][0]
        time = record.values["exposure_s"]
        assert isinstance(time, (int, float))
        tolerances = self._settings.recipe.tolerances
        is_same = all(
            abs(time - one.exposure_s) <= exposure_tolerance_s(one.exposure_s, tolerances)
            and not flats.need_ids
            for _, flats, one in group
        )
        whom = _whom([flats for _, flats, _ in group], [one for *_, one in group])
        if not record.sha256:
            state = NeedState.FRAMES
            reason = f"{count(record.n_frames, 'frame')} in {record.path} serve {whom}."
        else:
            state = NeedState.EXACT if is_same else NeedState.WITHIN
            serves = "the same exposure" if is_same else self._budget_words()
            reason = f"{record.path.name} serves {whom}: {serves}."
        return self._need(float(time), [f for _, f, _ in group], state, reason, record)

    def _missing(self, found: DarkFlatSet, flats: Sequence[FlatsOf]) -> Need:
        whom = _whom(flats, found.serves)
        times = {one.exposure_s for one in found.serves}
        if len(times) == 1:
            reason = f"There is none for {whom}."
        else:
            reason = f"There is none for {whom}; one set serves them: {self._budget_words()}."
        if flats[0].need_ids:
            reason += " It is taken after the flats, at the exposure they end with."
        elif self._sensor.darks and self._sensor.darkness.rate is None:
            reason += " Whether another serves is known once the library has a bias and a dark."
        return self._need(found.exposure_s, flats, NeedState.MISSING, reason)

    def _unknown(self, flats: FlatsOf) -> Need:
        if flats.need_ids:
            reason = "It is taken after the flats, at the exposure they end with."
        else:
            reason = f"The flats in {flats.place} do not say their exposure."
        return self._need(None, [flats], NeedState.MISSING, reason)

    def _budget_words(self) -> str:
        rate = self._sensor.darkness.rate
        share = significant(100 * self._settings.recipe.flat_dark_budget, 2)
        if rate is None:
            return "the same exposure within the tolerance"
        said = significant(max(0.0, rate.adu_per_s), 2)
        return f"at {said} ADU/s with glow the difference stays below {share} % of their level"

    def _need(
        self,
        exposure_s: float | None,
        flats: Sequence[FlatsOf],
        state: NeedState,
        reason: str,
        record: MasterRecord | None = None,
    ) -> Need:
        values = self._sensor.values
        names = sorted({f.filter for f in flats})
        words = ["Dark flat", "" if exposure_s is None else exposure(exposure_s)]
        if exposure_s is None:
            words.append(", ".join(names))
        words.append(short_temperature(values.get("set_temp_c", values.get("sensor_temp_c"))))
        follows = tuple(dict.fromkeys(i for f in flats for i in f.need_ids))
        said = f"{self._sensor.id}|{exposure_s}|{names}|{bool(follows)}"
        digest = hashlib.blake2b(said.encode(), digest_size=4).hexdigest()
        key: dict[str, HeaderValue] = {w: values[w] for w in COMMON_KEY if w in values}
        if exposure_s is not None:
            key["exposure_s"] = exposure_s
        can_take = state.is_gap and (exposure_s is not None or bool(follows))
        return Need(
            id=f"dark-flat-{digest}",
            kind=FrameKind.DARK_FLAT,
            title=DOT.join(w for w in words if w),
            key=key,
            lights=sum(f.lights for f in {id(f): f for f in flats}.values()),
            state=state,
            reason=reason,
            frames=self._settings.frames_of(FrameKind.DARK_FLAT) if can_take else 0,
            camera=flats[0].camera,
            master=record if record is not None and record.sha256 else None,
            exposures_s=() if exposure_s is None else (exposure_s,),
            follows=follows if state.is_gap else (),
        )


def _whom(flats: Sequence[FlatsOf], exposures: Sequence[FlatExposure]) -> str:
    """Say which flats: ``flats of L, R (expected 1.2 s to 2.3 s)``."""
    names = ", ".join(dict.fromkeys(f.filter for f in flats if f.filter))
    times = sorted(one.exposure_s for one in exposures)
    span = exposure(times[0])
    if times[-1] != times[0]:
        span += f" to {exposure(times[-1])}"
    about = f"expected {span}" if flats[0].need_ids else span
    return f"flats of {names} ({about})" if names else f"flats ({about})"


def expected_exposures(facts: Sequence[FlatsOf]) -> Mapping[str, float]:
    """Return the exposure that flats which may be taken are expected to have, by id of need."""
    return {
        need_id: flats.exposures[0].exposure_s
        for flats in facts
        for need_id in flats.need_ids
        if flats.exposures
    }


def _level(header: FrameHeader) -> float | None:
    """Measure the robust level of a frame, ADU; None where it cannot be read."""
    from calibstudio.imaging.quality_levels import central_level
    from calibstudio.store.pixels import read_image

    try:
        data = read_image(Path(header.path), header.images[0])
        return central_level(data, header.bayer).value_adu + header.pedestal_adu
    except (CalibStudioError, ValueError) as error:
        log.warning("%s: its level cannot be measured: %s", header.path, error)
        return None


def _rounded(value: HeaderValue) -> str:
    if isinstance(value, float):
        return f"{round(value)}"
    return str(json_value(value))
