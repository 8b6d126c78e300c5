"""Frames become groups by their headers: which belong together, and what is not known (RULES 3).

A group is what becomes one master. Numbers cluster within tolerances; unknown values make a group
of their own, and never match in silence.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from types import MappingProxyType

from calibstudio.domain.clusters import Cluster, angle_clusters, clusters
from calibstudio.domain.filters import filter_key
from calibstudio.domain.group_notes import asked_words, notes_of
from calibstudio.domain.grouping import Group, Grouping, LeftOut
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.recipe import Recipe, Tolerances
from calibstudio.domain.wording import number

UNKNOWN_KIND = "Its kind is unknown: neither header nor names say it."
COMMON_KEY = (
    "camera",
    "serial",
    "readout_mode",
    "binning",
    "region",
    "shape",
    "bayer",
    "gain",
    "offset",
    "set_temp_c",
)
"""What every frame of a group shares."""

TRAIN = ("filter", "telescope", "focal_length_mm", "rotator_deg")
DEFAULT_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        FrameKind.BIAS: COMMON_KEY,
        FrameKind.DARK: (*COMMON_KEY, "exposure_s"),
        FrameKind.DARK_FLAT: (*COMMON_KEY, "exposure_s"),
        FrameKind.FLAT: (*COMMON_KEY, *TRAIN, "night"),
        FrameKind.LIGHT: (*COMMON_KEY, *TRAIN, "exposure_s", "night"),
    }
)
"""Grouping keys by kind (RULES 3). Flats of one night, filter and train are one group whatever
their exposures."""

OTHER_KEY = (*COMMON_KEY, *TRAIN, "exposure_s", "object_name")
"""Arc lamps, skies and other kinds: any set of the same type and object."""

GROUPING_WORDS = frozenset({*OTHER_KEY, "night"})
"""Every key that frames can be grouped by."""

NEVER_ASKED = frozenset({"serial", "region", "bayer", "rotator_deg", "object_name"})
"""Keys whose absence is ordinary: no Bayer pattern is a mono camera, no angle is no rotator."""

WARM_KINDS = frozenset({FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT})
"""Kinds whose signal depends on the measured temperature."""

_KIND_ORDER = (*FrameKind,)
_LATE = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Frames that agree in the keys looked at so far."""

    headers: tuple[FrameHeader, ...]
    unknown: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    """Keys in which a chain of values was cut."""
    extra: Mapping[str, HeaderValue] = field(default_factory=lambda: MappingProxyType({}))


def group_frames(
    headers: Iterable[FrameHeader],
    tolerances: Tolerances | None = None,
    *,
    left_out: Iterable[LeftOut] = (),
    ignored: Iterable[LeftOut] = (),
    keys: Mapping[str, tuple[str, ...]] | None = None,
) -> Grouping:
    """Group frames by their headers.

    Parameters
    ----------
    headers
        Of all frames, in any order: the groups do not depend on it.
    tolerances
        How close is the same; None: the defaults.
    left_out
        Files that could not be read, with their reasons; they are kept in ``ungrouped``.
    ignored
        Files that are no frames; kept in ``ignored``.
    keys
        Grouping keys by kind, where they differ from `DEFAULT_KEYS`.

    Returns
    -------
    Grouping
        Masters, calibrated frames, damaged files and frames of unknown kind are in ``ungrouped``,
        each with its reason.
    """
    tolerances = tolerances or Tolerances()
    ordered = sorted(headers, key=frame_order)
    by_path = {h.path: h for h in ordered}
    ungrouped = list(left_out)
    by_kind: dict[str, list[FrameHeader]] = {}
    for header in by_path.values():
        reason = why_not_grouped(header)
        if reason:
            ungrouped.append(LeftOut(header.path, reason))
        elif header.kind is not None:
            by_kind.setdefault(header.kind, []).append(header)
    with_settings = {h.camera for h in ordered if has_settings(h)}
    groups: list[Group] = []
    for kind, frames in by_kind.items():
        words = key_words(kind, keys)
        groups += [
            _group(kind, words, bucket, tolerances, with_settings)
            for bucket in _split(frames, words, tolerances)
        ]
    return Grouping(
        groups=tuple(sorted(_with_distinct_ids(groups), key=group_order)),
        ungrouped=tuple(sorted(ungrouped, key=lambda item: item.path)),
        ignored=tuple(sorted(ignored, key=lambda item: item.path)),
        headers=MappingProxyType(by_path),
        tolerances=tolerances,
        keys=MappingProxyType(dict(keys or {})),
    )


def grouping_keys(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """Return the grouping keys of a recipe, by kind, where they are not the program's own.

    Darks of all exposures are one group where the recipe makes one rate of them.
    """
    keys = dict(recipe.group_by)
    if recipe.dark.together:
        words = keys.get(FrameKind.DARK, DEFAULT_KEYS[FrameKind.DARK])
        keys[FrameKind.DARK] = tuple(word for word in words if word != "exposure_s")
    return keys


def key_words(kind: str, keys: Mapping[str, tuple[str, ...]] | None = None) -> tuple[str, ...]:
    """The grouping keys of a kind."""
    return (keys or {}).get(kind) or DEFAULT_KEYS.get(kind, OTHER_KEY)


def why_not_grouped(header: FrameHeader) -> str:
    """Say why a frame can be in no raw group, as a sentence; empty when it can."""
    if header.damage:
        return header.damage
    if not header.images or header.shape is None:
        return "There is no picture in it."
    if header.exposures != 1:
        return (
            f"It is a film of {number(header.exposures)} frames, which says neither exposure nor "
            "gain: calibstudio stack combines it as it is; for groups and masters record or "
            "export single frames (FITS)."
        )
    if header.kind is None:
        return UNKNOWN_KIND
    if header.is_master:
        return f"It is a {header.kind_word}: masters are not stacked again."
    if header.calibrated:
        return f"It is calibrated already, so it is no raw frame: {header.calibrated}."
    if header.unit:
        said = header.origin.get("unit", "its header")
        return (
            f"Its pixels are in {header.unit} ({said}), not in ADU: masters are made of raw frames."
        )
    if header.planes != 1:
        return f"It holds {header.planes} colour planes, so it is no raw frame."
    if header.path.parent.name == "rejected" and "CalibStudio" in (header.software or ""):
        return "It was set aside when it was taken: the reason is in its header (QCREASON)."
    return ""


def frame_order(header: FrameHeader) -> tuple[datetime, Path]:
    """Order of frames in a group: observation time, then path."""
    return header.observed_utc or _LATE, header.path


def group_order(group: Group) -> tuple[object, ...]:
    """Order of groups: kind, camera, filter, exposure, temperature, night, the rest."""
    kinds = [*_KIND_ORDER]
    kind = kinds.index(FrameKind(group.kind)) if group.kind in kinds else len(kinds)
    key = group.key
    temperature = key.get("set_temp_c", key.get("sensor_temp_c", 999.0))
    return (
        kind,
        group.kind,
        str(key.get("camera", "~")),
        str(key.get("filter", "~")),
        key.get("exposure_s", -1.0),
        temperature,
        str(key.get("night", "~")),
        key.get("gain", -1.0),
        group.id,
    )


def _split(
    headers: Sequence[FrameHeader], words: tuple[str, ...], tolerances: Tolerances
) -> list[_Bucket]:
    """Split frames of one kind by every key: exact ones first, so that clusters are honest."""
    numeric = _numeric_rules(tolerances)
    buckets = [_Bucket(tuple(headers))]
    for word in [w for w in words if w not in numeric]:
        buckets = [part for b in buckets for part in _split_exact(b, word)]
    for word in [w for w in words if w in numeric]:
        if word == "set_temp_c":
            buckets = [part for b in buckets for part in _split_temperature(b, tolerances)]
        else:
            buckets = [part for b in buckets for part in _split_numeric(b, word, numeric[word])]
    return buckets


_Rule = Callable[[Sequence[float]], list[Cluster]]


def _numeric_rules(tolerances: Tolerances) -> dict[str, _Rule]:
    """How each numeric key clusters."""

    def absolute(width: float) -> _Rule:
        return lambda values: clusters(values, lambda _: width)

    def exposures(values: Sequence[float]) -> list[Cluster]:
        return clusters(
            values, lambda v: max(tolerances.exposure_abs_s, tolerances.exposure_rel * v)
        )

    def focal_lengths(values: Sequence[float]) -> list[Cluster]:
        return clusters(values, lambda v: tolerances.focal_length_rel * v)

    return {
        "exposure_s": exposures,
        "set_temp_c": absolute(tolerances.set_temp_c),
        "focal_length_mm": focal_lengths,
        "rotator_deg": lambda values: angle_clusters(values, tolerances.rotator_deg),
        # Settings are counted, not measured: the tolerance only takes up how they were written.
        "gain": absolute(0.001),
        "offset": absolute(0.001),
    }


def _split_exact(bucket: _Bucket, word: str) -> list[_Bucket]:
    parts: dict[object, list[FrameHeader]] = {}
    for header in bucket.headers:
        value = getattr(header, word)
        if word == "filter" and value is not None:
            value = filter_key(value)
        parts.setdefault(value, []).append(header)
    return [
        replace(bucket, headers=tuple(part), unknown=_plus(bucket.unknown, word, value is None))
        for value, part in parts.items()
    ]


def _split_numeric(bucket: _Bucket, word: str, rule: _Rule) -> list[_Bucket]:
    known = [h for h in bucket.headers if getattr(h, word) is not None]
    without = [h for h in bucket.headers if getattr(h, word) is None]
    found = rule([getattr(h, word) for h in known])
    parts = [
        replace(
            bucket,
            headers=tuple(sorted((known[i] for i in c.members), key=frame_order)),
            cut=_plus(bucket.cut, word, c.was_cut),
        )
        for c in found
    ]
    if without:
        parts.append(
            replace(bucket, headers=tuple(without), unknown=_plus(bucket.unknown, word, True))
        )
    return parts


def _split_temperature(bucket: _Bucket, tolerances: Tolerances) -> list[_Bucket]:
    """Split by set temperature; by the measured one where it matters and differs.

    Without a set temperature the camera is taken as uncooled: clusters of 2 °C. With one, frames
    that were taken far from it (cooling down, cooler off) are no part of the settled ones.
    """
    parts = _split_numeric(bucket, "set_temp_c", _numeric_rules(tolerances)["set_temp_c"])
    out: list[_Bucket] = []
    for part in parts:
        if part.headers[0].kind not in WARM_KINDS:
            out.append(part)
            continue
        if "set_temp_c" in part.unknown:
            width = tolerances.uncooled_temp_c / 2
        else:
            width = tolerances.sensor_temp_c
        out += _split_measured(part, width, tolerances)
    return out


def _split_measured(bucket: _Bucket, width: float, tolerances: Tolerances) -> list[_Bucket]:
    is_uncooled = "set_temp_c" in bucket.unknown
    known = [h for h in bucket.headers if h.sensor_temp_c is not None]
    if not known:
        return [bucket]
    parts = _split_numeric(
        bucket, "sensor_temp_c", lambda values: clusters(values, lambda _: width)
    )
    out = []
    for part in parts:
        measured = [h.sensor_temp_c for h in part.headers if h.sensor_temp_c is not None]
        unknown = tuple(w for w in part.unknown if w != "sensor_temp_c")
        if not measured:
            # Cooled, but the sensor was not read: the set temperature is all there is.
            out.append(replace(part, unknown=unknown))
            continue
        middle = float(median(measured))
        if is_uncooled:
            unknown = tuple(w for w in unknown if w != "set_temp_c")
        else:
            set_c = median(h.set_temp_c for h in part.headers if h.set_temp_c is not None)
            if abs(middle - set_c) <= tolerances.sensor_temp_c:
                out.append(replace(part, unknown=unknown))
                continue
        extra = {**part.extra, "sensor_temp_c": round(middle, 2)}
        out.append(replace(part, unknown=unknown, extra=MappingProxyType(extra)))
    return _rejoined(out)


def _rejoined(parts: list[_Bucket]) -> list[_Bucket]:
    """Join frames whose sensor was not read with those that are at their set temperature."""
    settled = [p for p in parts if "sensor_temp_c" not in p.extra]
    if len(settled) < 2:
        return parts
    headers = sorted((h for p in settled for h in p.headers), key=frame_order)
    joined = replace(settled[0], headers=tuple(headers))
    return [joined, *(p for p in parts if "sensor_temp_c" in p.extra)]


def _plus(words: tuple[str, ...], word: str, condition: bool) -> tuple[str, ...]:
    return (*words, word) if condition and word not in words else words


def has_settings(header: FrameHeader) -> bool:
    """Whether a frame shows that its camera has a gain or an offset to set.

    A DSLR has an ISO and no offset; most CCDs have neither.
    """
    by_gain = header.gain is not None and "ISO" not in header.origin.get("gain", "")
    return by_gain or header.offset is not None


def _group(
    kind: str,
    words: tuple[str, ...],
    bucket: _Bucket,
    tolerances: Tolerances,
    with_settings: set[str | None],
) -> Group:
    headers = tuple(sorted(bucket.headers, key=frame_order))
    key: dict[str, HeaderValue] = {}
    for word in words:
        value = representative(word, headers)
        if value is not None:
            key[word] = value
    key.update(bucket.extra)
    if "object_name" in key:
        key["object"] = key.pop("object_name")
    unknown = tuple(w for w in words if w in bucket.unknown and w not in NEVER_ASKED)
    asked = asked_words(unknown, has_settings=headers[0].camera in with_settings)
    return Group(
        id=_group_id(kind, key),
        kind=kind,
        key=MappingProxyType(key),
        frames=tuple(h.path for h in headers),
        notes=notes_of(
            kind,
            key,
            headers,
            asked,
            bucket.cut,
            tolerances,
        ),
        unknown=unknown,
        asked=asked,
    )


def representative(word: str, headers: Sequence[FrameHeader]) -> HeaderValue | None:
    """The value that stands for a group: the median of numbers, else what most frames say."""
    values = [v for h in headers if (v := getattr(h, word)) is not None]
    if not values:
        return None
    if word == "rotator_deg":
        return _middle_angle(values)
    if isinstance(values[0], float) or (isinstance(values[0], int) and word != "night"):
        return float(median(values))
    # Of values that are equally frequent the first in their own order, whatever frame comes first.
    counted = Counter(values)
    most = max(counted.values())
    found: HeaderValue = min((v for v in counted if counted[v] == most), key=str)
    return found


def _middle_angle(values: Sequence[float]) -> float:
    """Median of angles that lie close together, also across 0°."""
    origin = values[0]
    return (origin + median((v - origin + 180.0) % 360.0 - 180.0 for v in values)) % 360.0


def _group_id(kind: str, key: Mapping[str, HeaderValue]) -> str:
    """Short name of a key. Measured numbers are rounded, so that one more frame keeps the name."""
    said = "|".join(f"{word}={_rounded(word, key[word])}" for word in sorted(key))
    digest = hashlib.blake2b(f"{kind}|{said}".encode(), digest_size=4).hexdigest()
    return f"{kind.replace(' ', '-')}-{digest}"


def _rounded(word: str, value: HeaderValue) -> str:
    if word == "filter":
        return filter_key(str(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float)):
        if word in ("set_temp_c", "sensor_temp_c", "rotator_deg"):
            return f"{round(value)}"
        if word in ("exposure_s", "focal_length_mm"):
            return f"{value:.2g}" if value < 0.01 else f"{value:.3g}"
        return f"{value:.6g}"
    return str(value)


def _with_distinct_ids(groups: list[Group]) -> list[Group]:
    """Tell apart groups whose rounded keys are the same, by the order of their exact ones."""
    counted = Counter(g.id for g in groups)
    seen: Counter[str] = Counter()
    out = []
    for group in sorted(groups, key=lambda g: (*group_order(g), g.frames)):
        seen[group.id] += 1
        n = seen[group.id]
        out.append(
            replace(group, id=f"{group.id}-{n}") if counted[group.id] > 1 and n > 1 else group
        )
    return out
