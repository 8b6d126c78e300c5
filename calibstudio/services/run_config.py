"""Reading the file of `calibstudio run`: our own readable form; OST's is recognised and read too.

Every key is described in ``resources/help/run.md``. What a file gets wrong is said with line and
key, all of it at once; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

from calibstudio.domain.capture import Answer, QuestionKind
from calibstudio.domain.equipment import Region
from calibstudio.domain.errors import FileProblemError, UsageError
from calibstudio.domain.plan import (
    CaptureStep,
    LevelTarget,
    LevelUnit,
    LightSource,
    Search,
    SearchLimits,
    step_from_document,
)
from calibstudio.domain.run_config import (
    BiasWish,
    CameraWish,
    CoolingWish,
    DarkFlatWish,
    DarkWish,
    FlatWish,
    RunConfig,
    ScienceList,
    Simulation,
)
from calibstudio.domain.twilight import Twilight
from calibstudio.services.run_config_ost import is_ost, read_ost
from calibstudio.store.yaml_file import Entry, parse_yaml, read_yaml
from calibstudio.store.yaml_keys import CELSIUS, PERCENT, SECONDS, Mistakes, Section, number_of

FORMAT_KEY = "calibstudio"
VERSION = 1
LONGEST_S = 86_400.0
MOST_FRAMES = 10_000
_LEVEL = re.compile(r"(?P<value>[^%a-zA-Z⁻]+)\s*(?P<unit>%|adu|e|e-|e⁻|electrons?)?", re.IGNORECASE)
_ANSWERS: Mapping[str, tuple[QuestionKind, Mapping[str, Answer]]] = {
    "cooler": (
        QuestionKind.COOLER,
        {"use": Answer.YES, "wait": Answer.RETRY, "skip": Answer.SKIP, "stop": Answer.STOP},
    ),
    "failure": (
        QuestionKind.FAILURE,
        {"retry": Answer.RETRY, "skip": Answer.SKIP, "stop": Answer.STOP},
    ),
    "bad_frames": (QuestionKind.BAD_FRAMES, {"skip": Answer.SKIP, "stop": Answer.STOP}),
}
_FLAGS = {
    "covered": QuestionKind.COVER,
    "open": QuestionKind.OPEN,
    "lit": QuestionKind.LIGHT,
}


def read_run_config(path: Path) -> tuple[RunConfig, str]:
    """Read a configuration file; return it and its text.

    Raises
    ------
    FileProblemError
        It cannot be read, or is none; every mistake with its line and key.
    """
    root, text = read_yaml(path)
    return _config(root, path.name, path.resolve().parent), text


def parse_run_config(text: str, name: str, folder: Path) -> RunConfig:
    """Read a configuration from its text; relative paths are below ``folder``.

    Raises
    ------
    FileProblemError
        As `read_run_config`.
    """
    return _config(parse_yaml(text, name), name, folder)


def _config(root: Entry, name: str, folder: Path) -> RunConfig:
    mistakes = Mistakes(name)
    top = Section(root, "", mistakes)
    mistakes.raise_any()
    config = read_ost(top, name) if is_ost(top) else _own(top, name, folder)
    mistakes.raise_any()
    return config


def _own(top: Section, name: str, folder: Path) -> RunConfig:
    version = top.whole(FORMAT_KEY, low=1, high=10_000)
    if version is None and FORMAT_KEY not in top:
        raise FileProblemError(
            f"{name} is no configuration of calibstudio run: it does not begin with "
            f"{FORMAT_KEY}: {VERSION}.",
            hint="Add that line, or compare with the examples that ship with CalibStudio.",
        )
    if version is not None and version > VERSION:
        raise FileProblemError(
            f"{name} was written for a newer CalibStudio.", hint="Update CalibStudio."
        )
    camera = _camera(top.section("camera"), CameraWish())
    masters = top.entry("masters")
    has_steps = "steps" in top
    config = RunConfig(
        name=name,
        title=top.text("title") or "",
        rig=top.text("rig") or "",
        simulation=_simulation(top.section("simulation")),
        frames_folder=_folder(top.text("frames_folder"), folder),
        library=_library(top.text("library"), folder),
        out=_folder(top.text("out"), folder),
        recipe=_recipe(top.text("recipe"), folder),
        masters=True if masters is None else bool(top.flag("masters")),
        camera=camera,
        cooling=_cooling(top.section("cooling")),
        bias=tuple(_bias(s, camera) for s in top.sections("bias")),
        darks=tuple(_dark(s, camera) for s in top.sections("darks")),
        flats=tuple(_flat(s, camera) for s in top.sections("flats")),
        dark_flats=tuple(_dark_flats(s, camera) for s in top.sections("dark_flats")),
        steps=_steps(top),
        answers=_answers(top.section("answers")),
    )
    if has_steps:
        for key in ("bias", "darks", "flats", "dark_flats"):
            if key in top:
                top.wrong(key, "a file has steps, or bias, darks and flats, not both")
    top.refuse_unknown()
    return config


def _camera(section: Section | None, base: CameraWish) -> CameraWish:
    """Read camera settings; what is not said is as in ``base``."""
    if section is None:
        return base
    found = _camera_keys(section, base)
    section.refuse_unknown()
    return found


def _camera_keys(section: Section, base: CameraWish) -> CameraWish:
    gain = section.whole("gain", low=-10_000, high=1_000_000)
    offset = section.whole("offset", low=-10_000, high=1_000_000)
    mode: str | int | None = section.text("readout_mode")
    if isinstance(mode, str) and mode.isdigit():
        mode = int(mode)
    temperature = section.number("temperature", low=-150, high=60, units=CELSIUS)
    binning = section.whole("binning", low=1, high=64)
    region = section.numbers("region", low=0, high=1_000_000)
    if region and len(region) != 4:
        section.wrong("region", "four numbers are needed: x, y, width, height")
    return CameraWish(
        gain=base.gain if gain is None else gain,
        offset=base.offset if offset is None else offset,
        readout_mode=base.readout_mode if mode is None else mode,
        binning=base.binning if binning is None else binning,
        region=Region(*(int(v) for v in region)) if len(region) == 4 else base.region,
        set_temp_c=base.set_temp_c if temperature is None else temperature,
    )


def _simulation(section: Section | None) -> Simulation | None:
    if section is None:
        return None
    start = section.text("start")
    moment = None
    if start is not None:
        try:
            moment = datetime.fromisoformat(start)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except ValueError:
            section.wrong("start", f"“{start}” is no date and time such as 2026-04-17T22:00:00Z")
    found = Simulation(
        speed=_speed(section),
        seed=section.whole("seed", low=0, high=2**31),
        start=moment,
    )
    section.refuse_unknown()
    return found


def _speed(section: Section) -> float:
    """Return observatory seconds in a second; ``max``: the clock jumps over every wait."""
    if (section.text("speed") or "").lower() == "max":
        return inf
    return section.number("speed", low=0.01, high=1e6) or 1.0


def _cooling(section: Section | None) -> CoolingWish:
    if section is None:
        return CoolingWish()
    wait, warm_up = section.flag("wait"), section.flag("warm_up")
    found = CoolingWish(
        tolerance_c=section.number("tolerance", low=0.05, high=5, units=CELSIUS),
        ramp_c_per_min=section.number("ramp", low=0.1, high=60),
        timeout_s=section.number("timeout", low=10, high=LONGEST_S, units=SECONDS),
        wait=True if wait is None else wait,
        warm_up=True if warm_up is None else warm_up,
        warm_up_c_per_min=section.number("warm_up_ramp", low=0.1, high=60),
        warm_up_to_c=section.number("warm_up_to", low=-40, high=40, units=CELSIUS),
    )
    section.refuse_unknown()
    return found


def _frames(section: Section, usual: int) -> int:
    found = section.whole("frames", low=1, high=MOST_FRAMES)
    return usual if found is None else found


def _bias(section: Section, camera: CameraWish) -> BiasWish:
    wish = BiasWish(
        frames=_frames(section, 50),
        exposure_s=section.number("exposure", low=0, high=60, units=SECONDS),
        camera=_camera_keys(section, camera),
    )
    section.refuse_unknown()
    return wish


def _dark(section: Section, camera: CameraWish) -> DarkWish:
    exposures = section.numbers("exposures", low=0, high=LONGEST_S, units=SECONDS)
    science = _science(section.section("science"))
    if not exposures and science is None:
        section.wrong("exposures", "a list of exposures, or science, is needed")
    temperatures = section.numbers("temperatures", low=-150, high=60, units=CELSIUS)
    binnings = section.numbers("binnings", low=1, high=64)
    for key in ("temperature", "binning"):
        if key in section and f"{key}s" in section:
            section.wrong(key, f"{key} and {key}s exclude each other")
    wish = DarkWish(
        frames=_frames(section, 20),
        exposures_s=exposures,
        set_temps_c=temperatures,
        binnings=tuple(int(b) for b in binnings),
        science=science,
        camera=_camera_keys(section, camera),
    )
    section.refuse_unknown()
    return wish


def _science(section: Section | None) -> ScienceList | None:
    if section is None:
        return None
    science_s = section.number("exposure", low=0, high=LONGEST_S, units=SECONDS)
    if science_s is None:
        section.wrong("exposure", "the exposure of the lights is needed")
    factors = section.numbers("factors", low=0.001, high=1000)
    found = ScienceList(
        science_s=science_s or 1.0,
        factors=factors or (0.5, 1.0, 2.0, 4.0),
        shortest_s=section.number("shortest", low=0, high=LONGEST_S, units=SECONDS),
        longest_s=section.number("longest", low=0, high=LONGEST_S, units=SECONDS),
        flat_s=section.number("flat", low=0, high=LONGEST_S, units=SECONDS),
    )
    section.refuse_unknown()
    return found


def _flat(section: Section, camera: CameraWish) -> FlatWish:
    search = section.choice("search", Search) or Search.EXPOSURE
    exposure_s = section.number("exposure", low=0, high=LONGEST_S, units=SECONDS)
    light = section.choice("light", LightSource)
    if search is Search.NOTHING and exposure_s is None:
        section.wrong("exposure", "an exposure is needed where nothing is searched")
    twilight = _twilight(section, light, search)
    filters = section.texts("filters")
    shortest = section.number("shortest", low=0, high=LONGEST_S, units=SECONDS)
    longest = section.number("longest", low=0, high=LONGEST_S, units=SECONDS)
    if shortest is not None and longest is not None and shortest > longest:
        section.wrong("shortest", "the shortest exposure is above the longest")
    wish = FlatWish(
        frames=_frames(section, 32),
        filters=() if filters == ("all",) else filters,
        every_filter=filters == ("all",),
        light=light,
        twilight=twilight,
        search=search,
        target=_target(section),
        limits=SearchLimits(
            shortest_s=shortest,
            longest_s=longest,
            dimmest=section.whole("dimmest", low=1, high=1_000_000),
            brightest=section.whole("brightest", low=1, high=1_000_000),
            max_frames=section.whole("test_frames", low=1, high=100) or 12,
        ),
        exposure_s=exposure_s,
        brightness=section.whole("brightness", low=1, high=1_000_000),
        dark_flats=section.whole("dark_flats", low=0, high=MOST_FRAMES),
        camera=_camera_keys(section, camera),
    )
    section.refuse_unknown()
    return wish


def _twilight(section: Section, light: LightSource | None, search: Search) -> Twilight | None:
    """Which end of the night; the sky needs it, because the filters' order hangs on it."""
    twilight = section.choice("twilight", Twilight)
    if light is LightSource.SKY:
        if twilight is None:
            section.wrong("twilight", "flats of the sky need twilight: dusk or dawn")
        if search is not Search.EXPOSURE:
            section.wrong("search", "the sky changes from frame to frame; search the exposure")
    elif twilight is not None:
        section.wrong("twilight", "only light: sky has a twilight")
    return twilight


def _target(section: Section) -> LevelTarget:
    usual = LevelTarget()
    text = section.text("level")
    tolerance = section.number("tolerance", low=0.1, high=50, units=PERCENT)
    share = usual.tolerance if tolerance is None else tolerance / 100.0
    if text is None:
        return LevelTarget(usual.value, usual.unit, share)
    match = _LEVEL.fullmatch(text.strip())
    value = number_of(match["value"], {"": 1}) if match else None
    if match is None or value is None or value <= 0:
        section.wrong("level", f"“{text}” is no level such as 50 %, 32000 ADU or 20000 e")
        return usual
    word = (match["unit"] or "adu").lower()
    unit = LevelUnit.PERCENT if word == "%" else LevelUnit.ELECTRONS
    if word == "adu":
        unit = LevelUnit.ADU
    if unit is LevelUnit.PERCENT and value > 90:
        section.wrong("level", f"{value:g} % is saturated; 50 % is right for most")
    return LevelTarget(value, unit, share)


def _dark_flats(section: Section, camera: CameraWish) -> DarkFlatWish:
    exposures = section.numbers("exposures", low=0, high=LONGEST_S, units=SECONDS)
    if not exposures:
        section.wrong("exposures", "the exposures of the flats are needed")
    wish = DarkFlatWish(_frames(section, 32), exposures, _camera_keys(section, camera))
    section.refuse_unknown()
    return wish


def _answers(section: Section | None) -> dict[QuestionKind, Answer]:
    found: dict[QuestionKind, Answer] = {}
    if section is None:
        return found
    for key, kind in _FLAGS.items():
        if section.flag(key):
            found[kind] = Answer.YES
    for key, (kind, words) in _ANSWERS.items():
        text = section.text(key)
        if text is None:
            continue
        if text not in words:
            section.wrong(key, f"“{text}” is none of {', '.join(words)}")
        else:
            found[kind] = words[text]
    section.refuse_unknown()
    return found


def _steps(top: Section) -> tuple[CaptureStep, ...]:
    """Read steps as `calibstudio.services.run_config_write` writes them."""
    found: list[CaptureStep] = []
    for section in top.sections("steps"):
        document = {key: _plain(section.entry(key)) for key in section.keys()}  # noqa: SIM118
        try:
            found.append(step_from_document(document))
        except KeyError as error:
            section.wrong(str(error).strip("'"), "is needed in every step")
        except (AttributeError, TypeError, ValueError, UsageError) as error:
            section.mistakes.add(section.line, section.path, f"is no step: {error}")
    return tuple(found)


def _plain(entry: Entry | None) -> Any:
    if entry is None:
        return None
    if isinstance(entry.value, list):
        return [_plain(one) for one in entry.value]
    if isinstance(entry.value, dict):
        return {key: _plain(one) for key, one in entry.value.items()}
    return entry.value


def _folder(text: str | None, folder: Path) -> Path | None:
    return None if text is None else folder / Path(text).expanduser()


def _library(text: str | None, folder: Path) -> str:
    if text is None:
        return ""
    return text if "://" in text else str(_folder(text, folder))


def _recipe(text: str | None, folder: Path) -> str:
    """A recipe that is a file stands beside the configuration."""
    if text is None or not text.endswith(".toml"):
        return text or ""
    return str(folder / Path(text).expanduser())
