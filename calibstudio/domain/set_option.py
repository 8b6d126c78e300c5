"""How values of files are said on the command line: ``--set 'flat_*:kind=flat'``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from shlex import quote

from calibstudio.domain.header import HeaderValue, json_value

_QUOTE = "'"


def set_option(
    paths: Sequence[Path], among: Iterable[Path], values: Mapping[str, HeaderValue]
) -> str:
    """Return what gives these files these values and touches no other of the files ``among``.

    Where no pattern does, the first file is named, and that the others want the same.
    """
    glob = _glob({p.name for p in paths}, {p.name for p in among})
    each = "" if glob else " and so on for each of them"
    words = [f"{glob or escape(paths[0].name)}:{k}={json_value(v)}" for k, v in values.items()]
    quoted = [quote(w) if _QUOTE in w else f"{_QUOTE}{w}{_QUOTE}" for w in words]
    return " ".join(f"--set {word}" for word in quoted) + each


def _glob(names: Set[str], all_names: Set[str]) -> str:
    """Return a pattern that fits these names and no others, or ""."""
    if len(names) == 1:
        return escape(*names)
    if names == all_names:
        return "*"
    first, last = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    start = first[:same].rstrip("0123456789")
    glob = f"{escape(start)}*"
    return "" if any(fnmatchcase(name, glob) for name in all_names - names) else glob
