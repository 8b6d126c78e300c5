"""Which filter names mean the same filter."""

from __future__ import annotations

from functools import lru_cache

_SYNONYMS = {
    "L": ("l", "lum", "luminance", "luminosity", "clearlum"),
    "Ha": ("ha", "halpha", "hydrogenalpha", "hα"),
    "Hb": ("hb", "hbeta", "hydrogenbeta", "hβ"),
    "OIII": ("oiii", "o3", "oxygeniii"),
    "SII": ("sii", "s2", "sulphurii", "sulfurii"),
    "NII": ("nii", "n2"),
    "none": ("none", "nofilter", "empty", "open"),
}
_BY_WORD = {word: name for name, words in _SYNONYMS.items() for word in words}


@lru_cache(maxsize=4096)
def filter_key(name: str) -> str:
    """Return what to compare: ``H-alpha``, ``H_Alpha`` and ``Ha`` give the same.

    Case tells photometric filters apart (Sloan r is not Johnson R), so single letters keep theirs;
    longer names are compared without case and punctuation.
    """
    bare = "".join(c for c in name if c.isalnum() or c in "+'")
    if len(bare) == 1:
        return bare
    lower = bare.lower()
    return _BY_WORD.get(lower, lower)


def same_filter(a: str, b: str) -> bool:
    """Whether two names mean the same filter."""
    return filter_key(a) == filter_key(b)
