"""Recipes as files: one readable TOML document each, shipped ones under ``resources/recipes``.

What a file leaves out keeps the default of `Recipe`. What it gets wrong is said with the name
of the key and the line it stands on; nothing is guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from calibstudio.domain.errors import FileProblemError, UsageError
from calibstudio.domain.grouping_rules import GROUPING_WORDS
from calibstudio.domain.overscan import OverscanSettings
from calibstudio.domain.recipe import (
    Coverage,
    DarkSettings,
    DefectSettings,
    FlatSettings,
    Recipe,
    Selection,
    StackSettings,
    Tolerances,
)
from calibstudio.store.assets import assets

FORMAT_VERSION = 1
_SECTIONS = (
    *("frames", "groups", "same", "select", "stack", "overscan", "dark", "flat"),
    *("defects", "coverage", "names"),
)
_NAME_FIELDS = frozenset(
    {"camera", "kind", "part", "apart", "night", "date", "utc", "utcdate", "utctime", "hash"}
    | {"filter", "exposure", "exposure3", "gain", "offset", "temp", "binning", "object"}
    | {"readout", "focal", "telescope", "recipe"}
)
T = TypeVar("T")


def shipped_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that ship with the program."""
    return tuple(path.stem for path in assets("recipes", "*.toml"))


def load_recipe(name_or_file: str | Path) -> Recipe:
    """Return a recipe by the name of a shipped one, or read a file.

    A word without a folder and without ``.toml`` is a name; anything else is a file.

    Raises
    ------
    UsageError
        There is no such recipe or file.
    FileProblemError
        The file is not a recipe; every mistake is named with its line.
    """
    text = str(name_or_file)
    shipped = {path.stem: path for path in assets("recipes", "*.toml")}
    if text in shipped:
        return read_recipe(shipped[text])
    path = Path(name_or_file).expanduser()
    if not path.is_file():
        raise UsageError(
            f"There is no recipe called {text}.",
            hint=f"Shipped recipes: {', '.join(sorted(shipped))}. Or name a .toml file.",
        )
    return read_recipe(path)


def read_recipe(path: Path) -> Recipe:
    """Read one recipe file.

    Raises
    ------
    FileProblemError
        The file cannot be read or is not a recipe.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblemError(
            f"The recipe {path} cannot be read: {error}.", hint="Check the file and its rights."
        ) from error
    return parse_recipe(text, source=str(path), name=path.stem, folder=path.absolute().parent)


def _with_mask(flat: FlatSettings, folder: Path | None) -> FlatSettings:
    """Return the settings with the file of region numbers where it lies beside the recipe."""
    if not flat.mask or folder is None:
        return flat
    return replace(flat, mask=str(folder / Path(flat.mask).expanduser()))


def parse_recipe(
    text: str, *, source: str = "recipe", name: str = "default", folder: Path | None = None
) -> Recipe:
    """Turn TOML text into a `Recipe`; ``source`` names it in messages.

    ``folder`` is where files lie that the recipe names without a folder.

    Raises
    ------
    FileProblemError
        With every mistake in one message.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileProblemError(
            f"The recipe {source} is not valid TOML: {error}.",
            hint="Compare it with the shipped default recipe.",
        ) from error
    reader = _Reader(lines=_lines_of_keys(text))
    recipe = _recipe_of(document, reader, name)
    recipe = replace(recipe, flat=_with_mask(recipe.flat, folder))
    if reader.problems:
        raise FileProblemError(
            f"The recipe {source} cannot be used: {'; '.join(reader.problems)}.",
            hint="Mend these lines, or compare with the shipped default recipe.",
        )
    return recipe


def format_recipe(recipe: Recipe) -> str:
    """Write a recipe as TOML that `parse_recipe` reads back as the same value."""
    out = [f"version = {FORMAT_VERSION}", f"name = {_toml(recipe.name)}"]
    if recipe.description:
        out.append(f"description = {_toml(recipe.description)}")
    out += [
        "\n[frames]",
        f"min_frames = {recipe.min_frames}",
        f"leave_out_bad = {_toml(recipe.leave_out_bad)}",
        "\n[frames.wanted]",
        *(f"{_toml_key(kind)} = {n}" for kind, n in recipe.wanted_frames.items()),
    ]
    if recipe.group_by:
        out += ["\n[groups]"]
        out += [f"{_toml_key(k)} = {_toml(words)}" for k, words in recipe.group_by.items()]
    out += ["\n[same]", *_lines_of(recipe.tolerances)]
    for kind, selection in recipe.select.items():
        out += [f"\n[select.{_toml_key(kind)}]", *_lines_of(selection)]
    for kind, settings in recipe.stack.items():
        out += [f"\n[stack.{_toml_key(kind)}]", *_lines_of(settings)]
    out += ["\n[overscan]", *_lines_of(recipe.overscan)]
    out += ["\n[dark]", *_lines_of(recipe.dark)]
    out += ["\n[flat]", *_lines_of(recipe.flat), f"dark_budget = {recipe.flat_dark_budget!r}"]
    out += ["\n[defects]", *_lines_of(recipe.defects)]
    out += ["\n[coverage]", *_lines_of(recipe.coverage)]
    out += ["\n[names]", f"master = {_toml(recipe.master_name)}"]
    out += [f"{_toml_key(kind)} = {_toml(pattern)}" for kind, pattern in recipe.names.items()]
    return "\n".join(out) + "\n"


@dataclass(slots=True)
class _Reader:
    """Takes values out of the document and notes what is wrong, with the line."""

    lines: Mapping[str, int]
    problems: list[str] = field(default_factory=list)

    def wrong(self, key: str, what: str) -> None:
        """Note one mistake."""
        line = self.lines.get(key)
        self.problems.append(f"{f'line {line}: ' if line else ''}{key} {what}")

    def table(self, parent: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
        """Take a table out; empty when it is absent or no table."""
        value = parent.get(key, {})
        if isinstance(value, dict):
            return value
        self.wrong(where, "must be a table")
        return {}

    def value(self, table: Mapping[str, Any], key: str, where: str, kind: Any, default: T) -> T:
        """Take a value of a type out, else note why not and return the default."""
        if key not in table:
            return default
        try:
            return _converted(table[key], kind)  # type: ignore[no-any-return]
        except ValueError as error:
            self.wrong(where, str(error))
            return default

    def unknown(self, table: Mapping[str, Any], known: set[str], where: str) -> None:
        """Note keys that mean nothing: most often a slip of the pen."""
        for key in table:
            if key not in known:
                full = f"{where}.{key}" if where else key
                self.wrong(full, f"is not known here (known: {', '.join(sorted(known))})")

    def section(
        self,
        table: Mapping[str, Any],
        kind: type[T],
        where: str,
        *,
        also: frozenset[str] | None = None,
    ) -> T:
        """Fill a settings dataclass from a table."""
        types = get_type_hints(kind)
        self.unknown(table, set(types) | set(also or ()), where)
        values: dict[str, Any] = {}
        for f in fields(kind):  # type: ignore[arg-type]
            if f.name in table:
                before = len(self.problems)
                value = self.value(table, f.name, f"{where}.{f.name}", types[f.name], None)
                if len(self.problems) == before:
                    values[f.name] = value
        try:
            return kind(**values)
        except ValueError as error:
            culprit = next((name for name in values if str(error).startswith(name)), "")
            self.wrong(f"{where}.{culprit}" if culprit else where, f"is refused: {error}")
            return kind()


def _recipe_of(document: Mapping[str, Any], reader: _Reader, name: str) -> Recipe:
    base = Recipe()
    reader.unknown(document, {"version", "name", "description", *_SECTIONS}, "")
    version = reader.value(document, "version", "version", int, FORMAT_VERSION)
    if version > FORMAT_VERSION:
        reader.wrong("version", f"is {version}: written for a newer CalibStudio")
    frames = reader.table(document, "frames", "frames")
    reader.unknown(frames, {"min_frames", "leave_out_bad", "wanted"}, "frames")
    wanted = reader.table(frames, "wanted", "frames.wanted")
    flat = reader.table(document, "flat", "flat")
    names = reader.table(document, "names", "names")
    min_frames = reader.value(frames, "min_frames", "frames.min_frames", int, base.min_frames)
    if min_frames < 2:
        reader.wrong("frames.min_frames", "must be at least 2: one frame is no stack")
    budget = reader.value(flat, "dark_budget", "flat.dark_budget", float, base.flat_dark_budget)
    if budget < 0:
        reader.wrong("flat.dark_budget", "must not be negative")
    return Recipe(
        name=reader.value(document, "name", "name", str, name),
        description=reader.value(document, "description", "description", str, ""),
        stack=_stack_of(reader.table(document, "stack", "stack"), reader, base),
        min_frames=min_frames,
        wanted_frames={
            **base.wanted_frames,
            **{k: reader.value(wanted, k, f"frames.wanted.{k}", int, 1) for k in wanted},
        },
        tolerances=reader.section(reader.table(document, "same", "same"), Tolerances, "same"),
        flat_dark_budget=budget,
        leave_out_bad=reader.value(
            frames, "leave_out_bad", "frames.leave_out_bad", bool, base.leave_out_bad
        ),
        flat=reader.section(flat, FlatSettings, "flat", also=frozenset({"dark_budget"})),
        overscan=reader.section(
            reader.table(document, "overscan", "overscan"), OverscanSettings, "overscan"
        ),
        dark=reader.section(reader.table(document, "dark", "dark"), DarkSettings, "dark"),
        defects=reader.section(
            reader.table(document, "defects", "defects"), DefectSettings, "defects"
        ),
        select=_by_kind(reader.table(document, "select", "select"), Selection, reader, "select"),
        group_by=_group_by(reader.table(document, "groups", "groups"), reader),
        coverage=reader.section(
            reader.table(document, "coverage", "coverage"), Coverage, "coverage"
        ),
        master_name=_pattern(names, "master", reader, base.master_name),
        names={
            kind.lower(): _pattern(names, kind, reader, "") for kind in names if kind != "master"
        },
    )


def _stack_of(table: Mapping[str, Any], reader: _Reader, base: Recipe) -> dict[str, StackSettings]:
    """Settings by kind; a kind that the file does not name keeps the default's."""
    return {**base.stack, **_by_kind(table, StackSettings, reader, "stack")}


def _by_kind(
    table: Mapping[str, Any], settings: type[T], reader: _Reader, where: str
) -> dict[str, T]:
    """One settings dataclass for each kind word."""
    return {
        kind.lower(): reader.section(
            reader.table(table, kind, f"{where}.{kind}"), settings, f"{where}.{kind}"
        )
        for kind in table
    }


def _group_by(table: Mapping[str, Any], reader: _Reader) -> dict[str, tuple[str, ...]]:
    """Grouping keys by kind; every word must be one that frames are grouped by."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in table:
        where = f"groups.{kind}"
        words: tuple[str, ...] = reader.value(table, kind, where, tuple[str, ...], ())
        if unknown := [word for word in words if word not in GROUPING_WORDS]:
            known = ", ".join(sorted(GROUPING_WORDS))
            reader.wrong(where, f"names {unknown[0]}, which is no key (known: {known})")
        found[kind.lower()] = words
    return found


def _pattern(names: Mapping[str, Any], key: str, reader: _Reader, default: str) -> str:
    pattern = reader.value(names, key, f"names.{key}", str, default)
    for name in re.findall(r"\{([^{}:!]*)", pattern):
        if name not in _NAME_FIELDS:
            known = ", ".join(sorted(_NAME_FIELDS))
            reader.wrong(f"names.{key}", f"names {{{name}}}, which is no field (known: {known})")
    if not pattern.lower().endswith((".fits", ".fit", ".fts")):
        reader.wrong(f"names.{key}", "must end with .fits")
    return pattern


def _converted(value: Any, kind: Any) -> Any:
    """Return the value as this type.

    Raises
    ------
    ValueError
        With the rest of a sentence that begins with the key.
    """
    options = [a for a in get_args(kind) if a is not type(None)]
    if isinstance(kind, UnionType) and options:
        kind = options[0]
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ValueError(f"is {value!r}; it must be a list of texts")
        return tuple(value)
    if get_origin(kind) is Mapping:
        if not isinstance(value, dict) or any(isinstance(v, (dict, list)) for v in value.values()):
            raise ValueError("must be a table of cards and what they say")
        return {k: "T" if v is True else "F" if v is False else str(v) for k, v in value.items()}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        words = [member.value for member in kind]
        if value not in words:
            raise ValueError(f"is {value!r}; it can be {', '.join(words)}")
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        words_of = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise ValueError(f"is {value!r}; it must be {words_of[kind]}")
    return value


_HEADER = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=")


def _lines_of_keys(text: str) -> dict[str, int]:
    """Return the line of each table and key of valid TOML, by its dotted name."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _HEADER.match(line):
            table = _plain_name(match.group(1))
            lines.setdefault(table, number)
        elif match := _KEY.match(line):
            key = _plain_name(match.group(1))
            lines.setdefault(f"{table}.{key}" if table else key, number)
    return lines


def _plain_name(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))


def _lines_of(settings: Any) -> list[str]:
    """Write the fields of a settings dataclass that are set."""
    values = ((f.name, getattr(settings, f.name)) for f in fields(settings))
    return [f"{name} = {_toml(value)}" for name, value in values if value is not None]


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(v) for v in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml_key(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m.group()):04x}", escaped) + '"'


def recipe_document(recipe: Recipe) -> Mapping[str, Any]:
    """Return everything in a recipe that changes pixels or names, as plain values.

    Serves for the short hash in a master's name: the description is left out.
    """
    document = tomllib.loads(format_recipe(recipe))
    document.pop("description", None)
    # Where it lies changes nothing; what it holds is told by the hash in HISTORY.
    document["flat"]["mask"] = Path(recipe.flat.mask).name
    return document
