"""Writing TOML: only what TOML itself can read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def toml_text(document: Mapping[str, Any], *, head: str = "") -> str:
    """Write a document: plain values first, then tables, then arrays of tables.

    Parameters
    ----------
    head
        First line, a comment without its sign. ``None`` as a value leaves its key out.
    """
    plain: list[str] = [f"# {head}"] if head else []
    tables: list[str] = []
    for key, value in document.items():
        if isinstance(value, Mapping):
            tables += _table(f"[{toml_key(key)}]", value)
        elif _is_tables(value):
            for item in value:
                tables += _table(f"[[{toml_key(key)}]]", item)
        elif value is not None:
            plain.append(f"{toml_key(key)} = {toml_value(value)}")
    return "\n".join([*plain, *tables]) + "\n"


def _table(title: str, values: Mapping[str, Any]) -> list[str]:
    lines = [f"{toml_key(k)} = {toml_value(v)}" for k, v in values.items() if v is not None]
    return ["", title, *lines]


def _is_tables(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and bool(value) and all(isinstance(item, Mapping) for item in value)


def toml_key(key: str) -> str:
    """Write a key, in quotes where it needs them."""
    bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if bare else toml_value(key)


def toml_value(value: Any) -> str:
    """Write one value. Only types that TOML itself gives can come here."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return '"' + "".join(_escaped(c) for c in str(value)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return f"\\u{ord(char):04x}" if ord(char) < 32 or ord(char) == 127 else char
