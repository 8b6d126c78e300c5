"""Manual groups and corrections in the library's database: kept beside the data, never in it.

A change by hand is kept for each frame it names (by path and size, so that another file that takes
the name later is not changed with it). Read back for the frames of a scan, it makes the same
`ManualChanges` again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from calibstudio.domain.changes import Action, Change, ManualChanges
from calibstudio.domain.changes_json import changes_from_json, changes_to_json
from calibstudio.domain.errors import UsageError
from calibstudio.domain.header import FrameHeader, HeaderValue

if TYPE_CHECKING:
    from calibstudio.domain.grouping import Grouping
    from calibstudio.services.library import Library
    from calibstudio.store.library_overlay import Regrouping

_Key = tuple[Path, int, str]
_BY_FRAME = ("frames", "when", "why")
"""Parts of a change that the database keeps in columns of their own."""


def load_changes(library: Library, headers: Iterable[FrameHeader]) -> ManualChanges:
    """Return what was changed by hand about these frames, in the order it was done.

    Raises
    ------
    LibraryError
        If the library cannot be read.
    """
    sizes = {h.path: h.file_bytes for h in headers}
    corrections = [
        c
        for c in library.all_corrections()
        if c.value is not None and sizes.get(c.path) == c.file_bytes
    ]
    by_value: dict[tuple[Any, ...], list[Path]] = {}
    for c in corrections:
        by_value.setdefault((c.at, c.reason, c.word, c.value), []).append(c.path)
    changes = [
        Change(
            Action.CORRECTED,
            tuple(paths),
            values=MappingProxyType({word: value}),
            when_utc=at,
            why=reason,
        )
        for (at, reason, word, value), paths in by_value.items()
    ]
    rows = [r for r in library.regroupings() if sizes.get(r.path) == r.file_bytes]
    return ManualChanges((*changes, *_changes_from(rows)))


def keep_changes(library: Library, grouping: Grouping) -> bool:
    """Write what was changed by hand about the frames of a grouping; take back what no longer is.

    Frames of other folders, and frames that are gone, keep what was written about them.

    Returns
    -------
    bool
        Whether anything had to be written.

    Raises
    ------
    LibraryError
        If the library cannot be written.
    """
    sizes = {path: header.file_bytes for path, header in grouping.headers.items()}
    corrected = _keep_corrections(library, grouping)
    wanted = _rows_of(grouping.changes, sizes)
    there = {
        (r.path, r.file_bytes, r.what): r
        for r in library.regroupings()
        if sizes.get(r.path) == r.file_bytes
    }
    new = [
        row
        for key, row in wanted.items()
        if key not in there
        or dict(there[key].detail) != dict(row.detail)
        or there[key].reason != row.reason
    ]
    gone = [key for key in there if key not in wanted]
    if new or gone:
        library.regroup(new, gone)
    return corrected or bool(new or gone)


def _keep_corrections(library: Library, grouping: Grouping) -> bool:
    held = grouping.changes.corrections()
    there = library.corrections(grouping.headers.values())
    reasons = {
        path: change.why
        for change in grouping.changes
        if change.action is Action.CORRECTED
        for path in change.frames
    }
    by_reason: dict[str, dict[Path, dict[str, HeaderValue | None]]] = {}
    for path in {*held, *there} & set(grouping.headers):
        now, before = held.get(path, {}), there.get(path, {})
        changed: dict[str, HeaderValue | None] = {
            word: now.get(word) for word in {*now, *before} if now.get(word) != before.get(word)
        }
        if changed:
            by_reason.setdefault(reasons.get(path, ""), {})[path] = changed
    for reason, values in by_reason.items():
        library.correct(values, reason)
    return bool(by_reason)


def _rows_of(changes: ManualChanges, sizes: Mapping[Path, int]) -> dict[_Key, Regrouping]:
    """One row for each frame and sort of change; the last of a sort is what counts."""
    from calibstudio.store.library_overlay import Regrouping

    documents = changes_to_json(changes)["changes"]
    rows: dict[_Key, Regrouping] = {}
    for order, (change, document) in enumerate(zip(changes, documents, strict=True)):
        if change.action is Action.CORRECTED:
            continue
        detail = {w: v for w, v in document.items() if w not in _BY_FRAME}
        detail["order"] = order
        for path in _named(change):
            if path in sizes:
                key = (path, sizes[path], change.action.value)
                row = Regrouping(*key, detail, change.why, change.when_utc)
                rows.pop(key, None)
                rows[key] = row
    return rows


def _named(change: Change) -> tuple[Path, ...]:
    """The frames a change is kept with: its own, or for a name the first of its group's."""
    if change.action is Action.RENAMED and change.group is not None:
        return change.group.anchors[:1]
    return change.frames


def _changes_from(rows: Iterable[Regrouping]) -> list[Change]:
    """Put the frames of one change together again."""
    gathered: dict[str, tuple[int, dict[str, Any], list[Regrouping]]] = {}
    for row in rows:
        detail = dict(row.detail)
        order = detail.pop("order", 0)
        key = json.dumps([order, row.what, detail], sort_keys=True)
        gathered.setdefault(key, (int(order), detail, []))[2].append(row)
    found: list[tuple[int, Change]] = []
    for order, detail, members in gathered.values():
        document = {**detail, "frames": sorted(str(r.path) for r in members)}
        if members[0].what == Action.RENAMED:
            del document["frames"]
        document["why"] = members[0].reason
        if members[0].at is not None:
            document["when"] = members[0].at.isoformat()
        try:
            (change,) = changes_from_json({"version": 1, "changes": [document]})
        except UsageError:
            # Written by hand or by a later version: the frames stay in their automatic groups.
            continue
        found.append((order, change))
    return [change for _, change in sorted(found, key=lambda item: item[0])]
