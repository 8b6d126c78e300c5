"""What was answered last in each wizard, for each rig: offered again the next time.

The settings of the camera are not a wizard's own: they are those the rig was used with last,
whatever was taken, for calibration frames serve only frames of the same settings.

A small JSON file beside the trained flats. An answer that the camera of today cannot do is left
out and costs nothing else; losing the file costs a few clicks.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from calibstudio.domain.dark_flat_draft import DarkFlatDraft
from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    LevelTarget,
    LevelUnit,
    LightSource,
    Search,
    SearchLimits,
    settings_document,
    settings_from_document,
)
from calibstudio.domain.twilight import Twilight
from calibstudio.store.naming import safe_part
from calibstudio.store.settings_file import read_text, replace_text, set_aside

VERSION = 1
log = logging.getLogger(__name__)

AnyDraft = BiasDraft | DarkDraft | FlatDraft | DarkFlatDraft
D = TypeVar("D", bound=AnyDraft)

FORGOTTEN = frozenset({"notes", "start_exposures_s"})
"""Answers for one time only: what a list left out, and exposures that the trained values know."""

CARRIED = ("gain", "offset", "binning", "readout_mode", "set_temp_c")
"""Settings that are the rig's: the next wizard begins with them, whichever it is."""


class AnswerStore:
    """The last answers of one rig, in one file. Small enough to read when a wizard opens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, Mapping[str, Any]] = {}
        self._used: Mapping[str, Any] = {}
        self._read()

    @classmethod
    def for_rig(cls, folder: Path, rig: str) -> AnswerStore:
        """Return the answers of a rig, kept in this folder."""
        return cls(answers_path(folder, rig))

    def recall(self, wizard: str, draft: D, problems: Callable[[D], list[str]]) -> D:
        """Return a draft with the answers of last time, as far as they are possible today.

        Parameters
        ----------
        wizard
            Name of the wizard.
        draft
            What an expert would answer; stays where nothing is remembered.
        problems
            Says what is wrong with a draft; an answer that adds a problem is left out.
        """
        known = self._answers.get(wizard, {})
        for name in (f.name for f in dataclasses.fields(draft)):
            if name in known and name not in FORGOTTEN:
                draft = _with(draft, problems, name, lambda d, n: {n: _value(n, known[n])})
        for name in self._used:
            draft = _with(draft, problems, name, self._as_used)
        return draft

    def _as_used(self, draft: AnyDraft, name: str) -> dict[str, Any]:
        """Return the changes of a draft that gives one setting of the camera as used last."""
        value = getattr(settings_from_document({name: self._used[name]}), name)
        changes: dict[str, Any] = {"settings": dataclasses.replace(draft.settings, **{name: value})}
        if isinstance(draft, DarkDraft):
            # A list of temperatures or binnings stays where it holds the one used last.
            if name == "set_temp_c" and value not in (draft.set_temps_c or (value,)):
                changes["set_temps_c"] = () if value is None else (value,)
            if name == "binning" and value not in (draft.binnings or (value,)):
                changes["binnings"] = (value,)
        return changes

    def keep(self, wizard: str, draft: AnyDraft) -> None:
        """Remember a draft, and its settings for every wizard, and write the file.

        Raises
        ------
        WriteProblemError
            If the file cannot be written; the answers are known until the program ends.
        """
        self._answers[wizard] = _document(draft)
        settings = draft.settings
        if isinstance(draft, DarkDraft) and draft.set_temps_c:
            settings = dataclasses.replace(settings, set_temp_c=min(draft.set_temps_c))
        if isinstance(draft, DarkDraft) and draft.binnings:
            settings = dataclasses.replace(settings, binning=min(draft.binnings))
        self._used = {**_settings_used(settings), "set_temp_c": settings.set_temp_c}
        self._write()

    def keep_used(self, plan: CapturePlan) -> None:
        """Remember the settings of a plan that is carried out, wherever it came from.

        The set point is that of its last step: there the sensor is at the end. A plan that leaves
        the cooler alone says nothing about it. A disk that refuses costs a few clicks.
        """
        if not plan.steps:
            return
        cooled = [s.settings.set_temp_c for s in plan.steps if s.settings.set_temp_c is not None]
        used = {**self._used, **_settings_used(plan.steps[0].settings)}
        used |= {"set_temp_c": cooled[-1]} if cooled else {}
        if used == self._used:
            return
        self._used = used
        try:
            self._write()
        except CalibStudioError as error:
            log.warning("%s", error)

    def _write(self) -> None:
        document = {"version": VERSION, "wizards": self._answers, "used": self._used}
        replace_text(self._path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")

    def _read(self) -> None:
        text = read_text(self._path)
        if text is None:
            return
        try:
            document = json.loads(text)
            if document.get("version", VERSION) > VERSION:
                return
            wizards = document["wizards"]
            self._answers = {str(k): v for k, v in wizards.items() if isinstance(v, dict)}
            used = document.get("used", {})
            self._used = {k: v for k, v in used.items() if k in CARRIED}
        except (ValueError, KeyError, TypeError, AttributeError):
            set_aside(self._path)


def _with(
    draft: D,
    problems: Callable[[D], list[str]],
    name: str,
    changed: Callable[[D, str], dict[str, Any]],
) -> D:
    """Return a draft with one answer of last time, or as it is where that adds a problem."""
    try:
        trial = dataclasses.replace(draft, **changed(draft, name))
        worse = len(problems(trial)) > len(problems(draft))
    except (TypeError, ValueError, KeyError, AttributeError):
        return draft
    return draft if worse else trial


def _settings_used(settings: CameraSettings) -> dict[str, Any]:
    """Return what is known of the settings, for JSON; the set point is another matter."""
    known = settings_document(settings)
    return {name: known[name] for name in CARRIED if name in known and name != "set_temp_c"} | {
        "binning": settings.binning
    }


def _document(draft: AnyDraft) -> dict[str, Any]:
    """Return a draft for JSON, without what holds for one time only."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(draft):
        if field.name in FORGOTTEN:
            continue
        value = getattr(draft, field.name)
        if field.name == "settings":
            value = settings_document(value)
        elif isinstance(value, LevelTarget | SearchLimits):
            value = dataclasses.asdict(value)
        elif isinstance(value, tuple):
            value = list(value)
        found[field.name] = value
    return found


def _value(name: str, kept: Any) -> Any:
    """Return one answer of a document in the type that its draft wants.

    Raises TypeError, ValueError, KeyError or AttributeError where it is none.
    """
    reader = _READERS.get(name)
    if reader is not None:
        return reader(kept)
    if name in ("filters", "exposures_s", "set_temps_c", "binnings"):
        kind = {"filters": str, "binnings": int}.get(name, float)
        return tuple(_typed(item, kind) for item in kept)
    if kept is None and name in ("brightness", "dark_flat_count"):
        return None
    kind = float if name == "exposure_s" else bool if name in _SWITCHES else int
    return _typed(kept, kind)


def _typed(value: Any, kind: type) -> Any:
    """Return a plain value of this type; a whole number is a number with decimals too."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


_SWITCHES = frozenset({"build_masters", "with_bias", "with_dark_flats"})
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "settings": settings_from_document,
    "target": lambda kept: LevelTarget(
        float(kept["value"]), LevelUnit(kept["unit"]), float(kept["tolerance"])
    ),
    "limits": lambda kept: SearchLimits(**kept),
    "search": Search,
    "light": LightSource,
    "twilight": Twilight,
}


def answers_path(folder: Path, rig: str) -> Path:
    """Return the file of a rig's answers."""
    return folder / f"answers_{safe_part(rig)}.json"
