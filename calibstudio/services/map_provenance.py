"""What a bad-pixel map says about its making: enough to make it again to the byte.

It follows from masters, which it names with their hashes, and from the frames of its dark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calibstudio.domain.recipe import Recipe
from calibstudio.services.provenance import VERSION, anywhere, read_document
from calibstudio.store.recipes import format_recipe, parse_recipe


@dataclass(frozen=True, slots=True)
class MapProvenance:
    """What `map_provenance_text` wrote."""

    recipe: Recipe
    dark: str
    """SHA-256 of the master."""
    bias: str | None
    flat: str | None
    with_frames: bool
    """Unstable pixels were looked for in the frames of the dark."""
    egain_e_per_adu: float | None
    """The gain that was known then: a library may learn another one."""


def map_provenance_text(
    recipe: Recipe,
    dark: str,
    bias: str | None,
    flat: str | None,
    *,
    with_frames: bool,
    egain_e_per_adu: float | None,
) -> str:
    """Return one line of ASCII JSON that says how a map came about."""
    document = {
        "version": VERSION,
        # Read once, so that what a file would leave to defaults is written out.
        "recipe": format_recipe(parse_recipe(format_recipe(anywhere(recipe)))),
        "dark": dark,
        "bias": bias,
        "flat": flat,
        "with_frames": with_frames,
        "egain_e_per_adu": egain_e_per_adu,
    }
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def read_map_provenance(text: str, name: str) -> MapProvenance:
    """Read what `map_provenance_text` wrote; ``name`` is that of the map.

    Raises
    ------
    FileProblemError
        It cannot be understood.
    """
    return read_document(text, name, _read)


def _read(plain: Mapping[str, Any]) -> MapProvenance:
    gain = plain["egain_e_per_adu"]
    return MapProvenance(
        parse_recipe(plain["recipe"], source="in the map"),
        str(plain["dark"]),
        None if plain["bias"] is None else str(plain["bias"]),
        None if plain["flat"] is None else str(plain["flat"]),
        bool(plain["with_frames"]),
        None if gain is None else float(gain),
    )
