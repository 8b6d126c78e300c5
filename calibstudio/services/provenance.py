"""What a master says about its making beyond its cards: enough to make it again to the byte.

Plain JSON in the file's PROVENANCE table: the recipe, what was not read from the frames' cards,
and what was taken out of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.header import JSON_WORDS, FrameHeader
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Finding
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.services.master_parts import Chosen, Surroundings
from calibstudio.store.codec import finding_of, value_from_json, value_to_json
from calibstudio.store.publish import sha256_of
from calibstudio.store.recipes import format_recipe, parse_recipe

T = TypeVar("T")

VERSION = 1
_CARD = " card"
NOT_THESE = "Masters of earlier versions cannot be made again so."
_FINDING = ("verdict", "title", "what", "cause", "cure", "metric")


@dataclass(frozen=True, slots=True)
class File:
    """A file that is needed, by its name and SHA-256."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What `provenance_text` wrote."""

    recipe: Recipe
    images: tuple[str, ...]
    notes: tuple[str, ...]
    frames: tuple[Mapping[str, tuple[str, str]], ...]
    """For each row of INPUTS that is used what no card says, by word: (value as JSON, origin)."""
    mask: File | None
    """Region numbers that flats are divided by; the recipe names no folder for it."""
    taken: tuple[tuple[str, str, float], ...]
    """For each frame used: SHA-256 of what was taken out, of the dark that was scaled, factor."""
    bias_out: bool
    dark_out: bool
    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    """Limits that the master was judged by; those of a rig say so."""


def provenance_text(chosen: Chosen, around: Surroundings, recipe: Recipe) -> str:
    """Return one line of ASCII JSON that says how a master came about."""
    subtraction = around.subtraction
    used = {header.path for header in chosen.headers}
    taken = []
    for header in chosen.headers:
        whole = subtraction.by_frame.get(header.path)
        scaled = subtraction.scaled.get(header.path)
        taken.append(
            [
                "" if whole is None else whole.sha256,
                "" if scaled is None else scaled.dark.sha256,
                0.0 if scaled is None else scaled.factor,
            ]
        )
    document: dict[str, Any] = {
        "version": VERSION,
        # Read once, so that what a file would leave to defaults is written out.
        "recipe": format_recipe(parse_recipe(format_recipe(anywhere(recipe)))),
        "mask": _mask_of(chosen, recipe),
        "images": chosen.images,
        "notes": chosen.notes,
        "frames": [
            _not_in_cards(chosen.offered[path]) if path in used else {}
            for path in chosen.group.frames
        ],
        "taken": taken,
        "bias_out": subtraction.bias_out,
        "dark_out": subtraction.dark_out,
        "sentences": subtraction.sentences,
        "findings": [[str(getattr(f, w)) for w in _FINDING] for f in subtraction.findings],
    }
    if own := around.thresholds.to_dict():
        document["limits"] = {"by": around.thresholds.source, "thresholds": own}
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def anywhere(recipe: Recipe) -> Recipe:
    """Return what a recipe does, wherever it and its files lie."""
    mask = Path(recipe.flat.mask).name if recipe.flat.mask else ""
    return replace(recipe, description="", flat=replace(recipe.flat, mask=mask))


def _mask_of(chosen: Chosen, recipe: Recipe) -> list[str] | None:
    if chosen.group.kind != FrameKind.FLAT or not recipe.flat.mask:
        return None
    path = Path(recipe.flat.mask)
    return [path.name, sha256_of(path)]


def _not_in_cards(header: FrameHeader) -> dict[str, list[str]]:
    """Return what the path, a person or the site of the user said of a frame."""
    said = {}
    for word in (*JSON_WORDS, "kind"):
        value, origin = getattr(header, word), header.origin.get(word, "")
        if value is not None and word != "shape" and not origin.endswith(_CARD):
            said[word] = [value_to_json(value), origin]
    return said


def read_provenance(text: str, name: str) -> Provenance:
    """Read what `provenance_text` wrote; ``name`` is that of the master.

    Raises
    ------
    FileProblemError
        It cannot be understood.
    """
    return read_document(text, name, _provenance)


def read_document(text: str, name: str, read: Callable[[Mapping[str, Any]], T]) -> T:
    """Read JSON that says how a file was made; ``name`` is that of the file.

    Raises
    ------
    FileProblemError
        It is empty, of a newer version, or ``read`` cannot understand it.
    """
    if not text:
        raise FileProblemError(f"{name} does not say how it was made.", hint=NOT_THESE)
    try:
        plain = json.loads(text)
        if plain["version"] > VERSION:
            raise ValueError("it was made by a newer CalibStudio")
        return read(plain)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise FileProblemError(
            f"{name} does not say how it was made in a form that is understood: {error}.",
            hint=NOT_THESE,
        ) from error


def _provenance(plain: Mapping[str, Any]) -> Provenance:
    return Provenance(
        recipe=parse_recipe(plain["recipe"], source="in the master"),
        images=tuple(plain["images"]),
        notes=tuple(plain["notes"]),
        frames=tuple({w: (v[0], v[1]) for w, v in frame.items()} for frame in plain["frames"]),
        mask=File(*plain["mask"]) if plain.get("mask") else None,
        taken=tuple((str(a), str(b), float(c)) for a, b, c in plain["taken"]),
        bias_out=bool(plain["bias_out"]),
        dark_out=bool(plain["dark_out"]),
        sentences=tuple(plain["sentences"]),
        findings=tuple(finding_of(one) for one in plain["findings"]),
        thresholds=_thresholds(plain.get("limits")),
    )


def _thresholds(plain: Mapping[str, Any] | None) -> Thresholds:
    if plain is None:
        return DEFAULT_THRESHOLDS
    return Thresholds.from_dict(plain["thresholds"]).said_by(str(plain["by"]))


def as_it_was(header: FrameHeader, said: Mapping[str, tuple[str, str]]) -> FrameHeader:
    """Return a header of today with what no card says as it was when the master was made."""
    values: dict[str, Any] = {}
    origin = dict(header.origin)
    for word in (*JSON_WORDS, "kind"):
        if word in said:
            text, where = said[word]
            values[word] = value_from_json(word, text)
            if where:
                origin[word] = where
            else:
                origin.pop(word, None)
        elif word != "shape" and not origin.get(word, "").endswith(_CARD):
            values[word] = None
            origin.pop(word, None)
    return replace(header, **values, origin=origin)
