"""What the word for a kind of frame means, however a program writes it (RULES 1)."""

from __future__ import annotations

import re
from functools import lru_cache

from calibstudio.domain.kinds import FrameKind

_DROP = frozenset({"FRAME", "FRAMES", "FIELD", "FIELDS", "IMAGE", "IMAGES", "EXPOSURE"})
_BIAS = frozenset({"BIAS", "BIASES", "OFFSET", "OFFSETS", "ZERO", "ZEROS", "SUPERBIAS"})
_DARK = frozenset({"DARK", "DARKS", "SUPERDARK"})
_FLAT_PART = ("FLAT", "TWILIGHT")
_LIGHT = frozenset({"LIGHT", "LIGHTS", "OBJECT", "SCIENCE", "SCI", "EXPOSE", "LIGHTFRAME"})
_OTHER = frozenset(
    {
        "ARC",
        "COMP",
        "COMPARISON",
        "LAMP",
        "SKY",
        "PINHOLE",
        "FOCUS",
        "SNAPSHOT",
        "TRICOLOR",
        "STANDARD",
        "ACQUISITION",
        "GUIDE",
    }
)


@lru_cache(maxsize=4096)
def kind_from_word(word: str) -> tuple[str, bool, bool] | None:
    """Understand the word of a header card.

    Returns
    -------
    (kind, whether it says master, whether the kind is one that everybody knows), or None when
    nothing is left of the word. The order of the tests is that of RULES 1.
    """
    cleaned = re.sub(r"[^A-Z0-9]+", " ", word.upper()).split()
    cleaned = [w for w in cleaned if w not in _DROP]
    for suffix in ("FRAME", "FIELD", "IMAGE"):
        cleaned = [w.removesuffix(suffix) or w for w in cleaned]
    joined = "".join(cleaned)
    is_master = joined.startswith("MASTER")
    if is_master:
        joined = joined.removeprefix("MASTER")
        cleaned = [w.removeprefix("MASTER") for w in cleaned]
        cleaned = [w for w in cleaned if w]
    if not joined:
        return None
    if joined.startswith("SUPER") and joined[5:] in ("BIAS", "DARK", "FLAT"):
        is_master = True
    kind = _known_kind(frozenset(cleaned), joined)
    if kind is not None:
        return kind, is_master, True
    own = re.sub(r"\s+", " ", " ".join(w.lower() for w in cleaned))
    return own, is_master, bool(_OTHER & set(cleaned))


def _known_kind(words: frozenset[str], joined: str) -> str | None:
    if "DARKFLAT" in joined or "FLATDARK" in joined:
        return FrameKind.DARK_FLAT
    if words & _BIAS:
        return FrameKind.BIAS
    if words & _DARK:
        return FrameKind.DARK
    if any(part in word for word in words for part in _FLAT_PART):
        return FrameKind.FLAT
    if words & _LIGHT:
        return FrameKind.LIGHT
    return None
