"""What was answered last in each wizard, for each rig: offered again the next time.

A small JSON file beside the trained flats. An answer that the camera of today cannot do is left
out and costs nothing else; losing the file costs a few clicks.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from calibstudio.domain.dark_flat_draft import DarkFlatDraft
from calibstudio.domain.drafts import BiasDraft, DarkDraft, FlatDraft
from calibstudio.domain.plan import (
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

AnyDraft = BiasDraft | DarkDraft | FlatDraft | DarkFlatDraft
D = TypeVar("D", bound=AnyDraft)

FORGOTTEN = frozenset({"notes", "start_exposures_s"})
"""Answers for one time only: what a list left out, and exposures that the trained values know."""


class AnswerStore:
    """The last answers of one rig, in one file. Small enough to read when a wizard opens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, Mapping[str, Any]] = {}
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
            if name not in known or name in FORGOTTEN:
                continue
            try:
                value = _value(name, known[name])
                trial = dataclasses.replace(draft, **{name: value})
                worse = len(problems(trial)) > len(problems(draft))
            except (TypeError, ValueError, KeyError, AttributeError):
                continue
            draft = draft if worse else trial
        return draft

    def keep(self, wizard: str, draft: AnyDraft) -> None:
        """Remember a draft and write the file.

        Raises
        ------
        WriteProblemError
            If the file cannot be written; the answers are known until the program ends.
        """
        self._answers[wizard] = _document(draft)
        document = {"version": VERSION, "wizards": self._answers}
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
        except (ValueError, KeyError, TypeError, AttributeError):
            set_aside(self._path)


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
