"""Manual changes as JSON and back: for the library's database, for export and import."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from calibstudio.domain.changes import Action, Change, GroupRef, ManualChanges
from calibstudio.domain.errors import UsageError
from calibstudio.domain.header import HeaderValue

VERSION = 1


def changes_to_json(changes: ManualChanges) -> dict[str, Any]:
    """Return plain dictionaries, lists, text and numbers; nothing is lost."""
    return {"version": VERSION, "changes": [_change(c) for c in changes]}


def changes_from_json(document: object) -> ManualChanges:
    """Read what `changes_to_json` gives.

    Raises
    ------
    UsageError
        If the document is something else, or was written by a later version.
    """
    if not isinstance(document, dict) or not isinstance(document.get("changes"), list):
        raise UsageError("These are no manual groups.", hint="Export them with regroup export.")
    version = document.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise UsageError(
            f"These manual groups were written by a later version ({version}).",
            hint="Update CalibStudio.",
        )
    try:
        return ManualChanges(tuple(_read_change(c) for c in document["changes"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"These manual groups cannot be read ({error}).", hint="Export them again."
        ) from error


def _change(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = {"action": change.action.value}
    if change.frames:
        document["frames"] = [str(p) for p in change.frames]
    if change.group is not None:
        document["group"] = _ref(change.group)
    if change.others:
        document["others"] = [_ref(r) for r in change.others]
    if change.text:
        document["text"] = change.text
    if change.values:
        document["values"] = {w: _value(v) for w, v in change.values.items()}
    if change.when_utc is not None:
        document["when"] = change.when_utc.astimezone(UTC).isoformat()
    if change.why:
        document["why"] = change.why
    return document


def _read_change(document: Mapping[str, Any]) -> Change:
    group = document.get("group")
    when = document.get("when")
    values = {str(w): _read_value(v) for w, v in document.get("values", {}).items()}
    return Change(
        Action(document["action"]),
        tuple(Path(p) for p in document.get("frames", ())),
        None if group is None else _read_ref(group),
        tuple(_read_ref(r) for r in document.get("others", ())),
        str(document.get("text", "")),
        MappingProxyType(values),
        None if when is None else datetime.fromisoformat(when),
        str(document.get("why", "")),
    )


def _ref(ref: GroupRef) -> dict[str, Any]:
    return {
        "id": ref.id,
        "kind": ref.kind,
        "key": {w: _value(v) for w, v in ref.key.items()},
        "anchors": [str(p) for p in ref.anchors],
    }


def _read_ref(document: Mapping[str, Any]) -> GroupRef:
    key: dict[str, HeaderValue] = {}
    for word, stored in document["key"].items():
        value = _read_value(stored)
        if value is not None:
            key[str(word)] = value
    anchors = tuple(Path(p) for p in document["anchors"])
    return GroupRef(str(document["id"]), str(document["kind"]), MappingProxyType(key), anchors)


def _value(value: HeaderValue | None) -> Any:
    """Dates and tuples are marked, so that a text that looks like a date stays text."""
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return list(value) if isinstance(value, tuple) else value


def _read_value(stored: Any) -> HeaderValue | None:
    if isinstance(stored, dict):
        if "time" in stored:
            return datetime.fromisoformat(stored["time"])
        return date.fromisoformat(stored["date"])
    if isinstance(stored, list):
        return tuple(int(v) for v in stored)
    if stored is None or isinstance(stored, (str, int, float)):
        return stored
    raise ValueError(f"no header value: {stored!r}")
