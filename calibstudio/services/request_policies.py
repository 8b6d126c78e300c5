"""Policies: which requests a night brings by itself, from one readable file.

``policies.yaml`` in the library's folder; every key is described in ``resources/help/requests.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from calibstudio.domain.errors import UsageError
from calibstudio.domain.filters import filter_key
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind, kind_title
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.master_query import MasterQuery
from calibstudio.domain.matching import exposure_tolerance_s
from calibstudio.domain.quality import Verdict
from calibstudio.domain.recipe import Tolerances
from calibstudio.domain.requests import Request, RequestState, RequestWish, checked
from calibstudio.domain.run_config import CameraWish
from calibstudio.domain.wording import count, exposure, number
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.requests import ask_for, requests_of
from calibstudio.store.yaml_file import read_yaml
from calibstudio.store.yaml_keys import CELSIUS, SECONDS, Mistakes, Section

FILE = "policies.yaml"
USED = ("used",)
USED_DAYS = 30
"""Lights of so many days say which filters and exposures are used."""
_EVERY = re.compile(r"(?:every\s+)?(?:(night)|(\d+)\s*(?:days?|nights?))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule."""

    name: str
    kind: FrameKind
    frames: int
    every_days: int
    """0: every night."""
    exposures_s: tuple[float, ...] = ()
    filters: tuple[str, ...] = ()
    used: bool = False
    """The filters (flats) or exposures (darks) are those of the lights."""
    longer_than_s: float = 0.0
    """Of the lights, where their exposures are used."""
    priority: int = 50
    camera: CameraWish = field(default_factory=CameraWish)

    @property
    def words(self) -> str:
        """What it brings: ``32 × Flat, filters of the lights, every 7 days``."""
        parts = [f"{number(self.frames)} × {kind_title(self.kind)}"]
        what = "filters" if self.kind is FrameKind.FLAT else "exposures"
        if self.used:
            parts.append(f"{what} of the lights")
        elif self.filters:
            parts.append(", ".join(self.filters))
        elif self.exposures_s:
            parts.append(", ".join(exposure(s) for s in self.exposures_s))
        every = count(self.every_days, "day") if self.every_days > 1 else "night"
        return f"{', '.join(parts)}, every {every}"


@dataclass(frozen=True, slots=True)
class Policies:
    """A whole file."""

    policies: tuple[Policy, ...]
    lights: tuple[Path, ...] = ()


def read_policies(path: Path) -> Policies:
    """Read a file of policies.

    Raises
    ------
    FileProblemError
        It cannot be read; every mistake with its line and key.
    """
    root, _ = read_yaml(path)
    mistakes = Mistakes(path.name)
    top = Section(root, "", mistakes)
    if top.whole("calibstudio", low=1, high=1) is None:
        top.wrong("calibstudio", "a file of policies begins with calibstudio: 1")
    lights = tuple(path.parent / Path(text).expanduser() for text in top.texts("lights"))
    found = [_policy(section, has_lights=bool(lights)) for section in top.sections("policies")]
    names = [p.name for p in found]
    for name in sorted({n for n in names if names.count(n) > 1}):
        top.wrong("policies", f"two policies are called {name}")
    top.refuse_unknown()
    mistakes.raise_any()
    return Policies(tuple(found), lights)


def _policy(section: Section, *, has_lights: bool) -> Policy:
    kind = section.choice("take", FrameKind) or FrameKind.BIAS
    if "take" not in section or kind is FrameKind.LIGHT:
        section.wrong("take", "bias, dark, flat or dark flat is needed")
        kind = FrameKind.BIAS
    filters = section.texts("filters")
    exposures: tuple[float, ...] = ()
    used = filters == USED or section.texts("exposures") == USED
    if section.texts("exposures") != USED:
        exposures = section.numbers("exposures", low=0, high=86_400, units=SECONDS)
    if used and not has_lights:
        section.wrong("filters", "“used” needs lights: FOLDER at the top of the file")
    if kind is not FrameKind.FLAT and filters:
        section.wrong("filters", "only flats have filters")
    if kind in (FrameKind.DARK, FrameKind.DARK_FLAT) and not exposures and not used:
        section.wrong("exposures", "a list of exposures, or used, is needed")
    found = Policy(
        name=section.text("name") or str(kind),
        kind=kind,
        frames=section.whole("frames", low=1, high=10_000) or 20,
        every_days=_every(section),
        exposures_s=exposures,
        filters=() if filters == USED else filters,
        used=used,
        longer_than_s=section.number("longer_than", low=0, high=86_400, units=SECONDS) or 0.0,
        priority=_priority(section),
        camera=CameraWish(
            gain=section.whole("gain", low=-10_000, high=1_000_000),
            offset=section.whole("offset", low=-10_000, high=1_000_000),
            readout_mode=section.text("readout_mode"),
            binning=section.whole("binning", low=1, high=64) or 1,
            set_temp_c=section.number("temperature", low=-150, high=60, units=CELSIUS),
        ),
    )
    section.refuse_unknown()
    return found


def _priority(section: Section) -> int:
    found = section.whole("priority", low=0, high=100)
    return 50 if found is None else found


def _every(section: Section) -> int:
    text = section.text("every") or ""
    match = _EVERY.fullmatch(text.strip())
    if match is None or match[2] == "0":
        section.wrong("every", f"“{text}” is neither night nor a number of days such as 7 days")
        return 0
    return 0 if match[1] else int(match[2])


def policies_of(library: Library, named: Path | None) -> Policies:
    """Return the policies of a library, or of a file that was named; none without a file.

    Raises
    ------
    UsageError, FileProblemError
        The named file is not there, or is not understood.
    """
    path = named or library.folder / FILE
    if path.is_file():
        return read_policies(path)
    if named is not None:
        raise UsageError(f"There is no file {named}.", hint="Name a file of policies.")
    return Policies(())


def last_carried_out(library: Library, policies: Policies) -> dict[str, Request | None]:
    """Return the newest request of each policy that was carried out, by name; None: never."""
    done = [r for r in requests_of(library) if r.state is RequestState.DONE]
    return {
        p.name: max(
            (r for r in done if r.policy == p.name), key=lambda r: r.changed_utc, default=None
        )
        for p in policies.policies
    }


@dataclass(frozen=True, slots=True)
class Due:
    """One set that a policy brings."""

    policy: Policy
    item: str
    """Which of its sets: a filter, or an exposure."""
    wish: RequestWish


def due_of(
    ctx: JobContext,
    library: Library,
    policies: Policies,
    now: datetime,
    night: date,
    camera: str,
) -> list[Due]:
    """Return what the policies bring tonight, without what is there or asked for already.

    Parameters
    ----------
    now, night
        Of the observatory's clock and site.
    camera
        Only lights and masters of this camera count.

    Raises
    ------
    UsageError
        The folder of the lights is not there.
    Cancelled
    """
    lights = _lights(ctx, policies, now, camera) if any(p.used for p in policies.policies) else ()
    known = requests_of(library)
    found = []
    for policy in policies.policies:
        masters = library.masters(MasterQuery(kinds=(str(policy.kind),)))
        mine = [m for m in masters if _counts(m, camera, policy.camera)]
        for item, wish in _items(policy, lights):
            earlier = [r for r in known if (r.policy, r.item) == (policy.name, item)]
            if _is_due(policy, wish, earlier, mine, night):
                found.append(Due(policy, item, wish))
    return found


def ask_for_due(
    ctx: JobContext,
    library: Library,
    policies: Policies,
    now: datetime,
    night: date,
    camera: str,
) -> list[Request]:
    """Put what the policies bring tonight into the queue (see `due_of`)."""
    return [
        ask_for(
            library, due.wish, due.policy.priority, policy=due.policy.name, item=due.item,
            night=night,
        )
        for due in due_of(ctx, library, policies, now, night, camera)
    ]  # fmt: skip


def _lights(
    ctx: JobContext, policies: Policies, now: datetime, camera: str
) -> tuple[FrameHeader, ...]:
    headers = scan(ctx, list(policies.lights)).headers
    since = now - timedelta(days=USED_DAYS)
    return tuple(
        h
        for h in headers
        if h.kind == FrameKind.LIGHT
        and h.observed_utc is not None
        and h.observed_utc >= since
        and (h.camera or "").casefold() == camera.casefold()
    )


def _items(policy: Policy, lights: Sequence[FrameHeader]) -> list[tuple[str, RequestWish]]:
    """Return each set of a policy: by filter for flats, by exposure for darks."""
    wish = RequestWish(policy.kind, policy.frames, camera=policy.camera)
    if policy.kind is FrameKind.FLAT:
        names = _once(h.filter for h in lights if h.filter) if policy.used else policy.filters
        return [(name, replace(wish, filter=name)) for name in names] or (
            [] if policy.used else [("", wish)]
        )
    if policy.kind is FrameKind.BIAS:
        return [("", wish)]
    times = policy.exposures_s
    if policy.used:
        long = {h.exposure_s for h in lights if h.exposure_s is not None}
        times = tuple(sorted(t for t in long if t > policy.longer_than_s))
    return [(f"{t:g}", checked(replace(wish, exposure_s=t))) for t in times]


def _once(names: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(filter_key(name), name)
    return sorted(found.values())


def _counts(record: MasterRecord, camera: str, wish: CameraWish) -> bool:
    """Whether a master is of this camera and these settings, and may be used."""
    values = record.values
    gone = record.state in (ReviewState.REJECTED, ReviewState.RETIRED)
    bad = record.verdict is Verdict.BAD and record.state is not ReviewState.APPROVED
    if gone or bad or str(values.get("camera", "")).casefold() != camera.casefold():
        return False
    asked = (("gain", wish.gain), ("offset", wish.offset), ("set_temp_c", wish.set_temp_c))
    return all(
        value is None
        or (isinstance(got := values.get(word), (int, float)) and abs(got - value) <= 0.5)
        for word, value in asked
    )


def _is_due(
    policy: Policy,
    wish: RequestWish,
    earlier: Sequence[Request],
    masters: Sequence[MasterRecord],
    night: date,
) -> bool:
    if any(r.state.is_open for r in earlier):
        return False
    if any(r.night == night and r.state is RequestState.CANCELLED for r in earlier):
        return False
    nights = [r.night for r in earlier if r.state is RequestState.DONE and r.night is not None]
    found = [m.values.get("night") for m in masters if _is_of(wish, m)]
    nights += [n for n in found if isinstance(n, date)]
    if policy.every_days == 0:
        return night not in nights
    return not any((night - n).days < policy.every_days for n in nights)


def _is_of(wish: RequestWish, record: MasterRecord) -> bool:
    """Whether a master is what a wish asks for."""
    values = record.values
    if wish.filter and filter_key(str(values.get("filter", ""))) != filter_key(wish.filter):
        return False
    seconds = values.get("exposure_s")
    if wish.kind in (FrameKind.DARK, FrameKind.DARK_FLAT) and wish.exposure_s is not None:
        if not isinstance(seconds, (int, float)):
            return False
        return abs(seconds - wish.exposure_s) <= exposure_tolerance_s(wish.exposure_s, Tolerances())
    return True
