"""Sentences in the tables of a master: plain words for every program, and exact for this one.

Other programs show the columns as they are, so these hold ASCII alone: ``e-/ADU``, ``deg C``. A row
whose own signs were lost keeps its texts in a column EXACT, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from calibstudio.store.card_writer import ascii_text
from calibstudio.store.codec import from_exact_ascii

EXACT = "EXACT"
Column = tuple[str, str, str | None, Sequence[Any]]
"""Name, format (T: ASCII as it is), unit and values of a column."""
_SIGNS = {0xB7: "-", 0x2248: "~"}


def plain_text(text: str) -> str:
    """Return a sentence in ASCII, as a person would type it."""
    return ascii_text(text.translate(_SIGNS)).rstrip()


def text_columns(texts: Mapping[str, Sequence[str]]) -> list[Column]:
    """Return one plain column for each name, and EXACT where a row needs it."""
    columns: list[Column] = [
        (name, "T", None, [plain_text(v) for v in values]) for name, values in texts.items()
    ]
    exact = []
    for i in range(len(next(iter(texts.values()), ()))):
        lost = {n: v[i] for n, v in texts.items() if plain_text(v[i]) != v[i] or "\\" in v[i]}
        exact.append(json.dumps(lost, separators=(",", ":")) if lost else "")
    if any(exact):
        columns.append((EXACT, "T", None, exact))
    return columns


def row_texts(row: Any, names: Sequence[str]) -> dict[str, str]:
    """Read the texts of a row that `text_columns` made, or the escaped ones of an older file."""
    columns = row.array.names
    if EXACT not in columns:
        return {name: from_exact_ascii(str(row[name])) for name in names}
    lost = json.loads(str(row[EXACT]) or "{}")
    return {name: str(lost.get(name, str(row[name]))) for name in names}
