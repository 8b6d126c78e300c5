"""YAML as plain values that know the line they stand on. Nothing in a file is ever executed.

Only what YAML itself defines is read: mappings, lists, texts, numbers, booleans, nothing. A tag of
a programming language, a key that stands twice, and a file that would unfold into a monster are
refused with the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.wording import file_size, number

MOST_BYTES = 1_000_000
MOST_VALUES = 20_000
MOST_DEPTH = 40
_PREFIX = "tag:yaml.org,2002:"
_SCALARS = frozenset({"null", "bool", "int", "float", "str", "timestamp", "value"})
_HINT = "Compare it with the examples that ship with CalibStudio."


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a file."""

    value: Any
    """None, bool, int, float or str; a list of entries; or entries by key."""
    line: int
    """Counted from 1."""
    raw: str = ""
    """What stands there, of a single value: ``on`` of a filter called On."""

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.value, dict)


def read_yaml(path: Path) -> tuple[Entry, str]:
    """Read a YAML file; return its value and its text.

    Raises
    ------
    FileProblemError
        It cannot be read, is too large, or is no YAML of plain values.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise FileProblemError(
                f"{path} has {file_size(size)}: that is no configuration.", hint=_HINT
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileProblemError(
            f"{path} cannot be read: {error.strerror}.", hint="Check its name and its rights."
        ) from error
    except UnicodeDecodeError as error:
        raise FileProblemError(
            f"{path} is no text in UTF-8.", hint="Save it as UTF-8, or choose another file."
        ) from error
    return parse_yaml(text, path.name), text


def parse_yaml(text: str, name: str) -> Entry:
    """Read YAML; ``name`` is what messages call the file.

    Raises
    ------
    FileProblemError
        It is no YAML of plain values.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        what = (error.problem or "it is not understood").rstrip(".")
        raise FileProblemError(f"{name}, line {line}: {what}.", hint=_HINT) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FileProblemError(f"{name} is no YAML that can be read.", hint=_HINT) from error
    if node is None:
        return Entry({}, 1)
    return _Builder(name).entry(node, 0)


class _Builder:
    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._constructor = yaml.SafeLoader("")

    def entry(self, node: yaml.Node, depth: int) -> Entry:
        line = node.start_mark.line + 1
        self._count += 1
        if self._count > MOST_VALUES or depth > MOST_DEPTH:
            raise self._error(line, f"more than {number(MOST_VALUES)} values, or too deep")
        if isinstance(node, yaml.ScalarNode):
            return Entry(self._scalar(node, line), line, str(node.value))
        if node.tag not in (f"{_PREFIX}map", f"{_PREFIX}seq"):
            raise self._tag_error(node, line)
        if isinstance(node, yaml.SequenceNode):
            return Entry([self.entry(one, depth + 1) for one in node.value], line)
        if isinstance(node, yaml.MappingNode):
            return Entry(self._mapping(node, depth), line)
        raise self._error(line, "it is not understood")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Entry]:
        merged: dict[str, Entry] = {}
        own: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(line, "a key must be a single word")
            if key_node.tag == f"{_PREFIX}merge":
                for one in self._merged(value_node, depth, line):
                    merged = {**one, **merged}
                continue
            key = str(key_node.value)
            if key in own:
                raise self._error(line, f"the key {key} stands twice (line {own[key].line} too)")
            own[key] = self.entry(value_node, depth + 1)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, depth: int, line: int) -> list[Mapping[str, Entry]]:
        entry = self.entry(node, depth + 1)
        entries = entry.value if isinstance(entry.value, list) else [entry]
        if not all(e.is_mapping for e in entries):
            raise self._error(line, "only keys can be merged with <<")
        return [e.value for e in entries]

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if not node.tag.startswith(_PREFIX) or kind not in _SCALARS:
            raise self._tag_error(node, line)
        text = str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return bool(self._constructor.construct_yaml_bool(node))
        # 12:30 is a number of base 60 in YAML 1.1 and a time of day everywhere else.
        if kind in ("int", "float") and ":" not in text and len(text) < 64:
            try:
                if kind == "int":
                    return int(self._constructor.construct_yaml_int(node))
                return float(self._constructor.construct_yaml_float(node))
            except ValueError:
                return text
        return text

    def _tag_error(self, node: yaml.Node, line: int) -> FileProblemError:
        tag = node.tag.removeprefix(_PREFIX)
        return self._error(line, f"{tag} is not allowed, only plain values are")

    def _error(self, line: int, what: str) -> FileProblemError:
        return FileProblemError(f"{self._name}, line {line}: {what}.", hint=_HINT)
