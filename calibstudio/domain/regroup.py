"""Changing groups by hand: pure functions, each `Grouping` in and a new `Grouping` out.

The automatic grouping stays what the headers say; a change is recorded as the difference to it
(`Grouping.changes`) and can be applied again after a re-scan. A change that does nothing returns
the same object, so that it need not be kept for undo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from calibstudio.domain.changes import Action, Change, GroupRef, ManualChanges
from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.group_notes import WORDS, listed, plural
from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.grouping_rules import (
    frame_order,
    group_frames,
    group_order,
    why_not_grouped,
)
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.header_edit import correct
from calibstudio.domain.wording import count, size

ANCHORS = 5
BY_HAND = "By hand: "
"""How the notes about manual changes begin."""


def moved(
    grouping: Grouping,
    frames: Iterable[Path],
    to: str,
    *,
    when: datetime | None = None,
    why: str = "",
) -> Grouping:
    """Move frames to another group. Groups left without frames vanish.

    Frames that are in no group (unknown kind, calibrated already) may be moved into one.

    Raises
    ------
    CalibrationError
        If a frame has another size than those of the group, or holds no picture.
    KeyError
        If there is no such group or frame.
    """
    target = grouping.group(to)
    going = _known(grouping, [p for p in frames if p not in target.frames])
    if not going:
        return grouping
    _check_fits(grouping, target, going)
    change = Change(Action.MOVED, going, _ref(target, without=going), when_utc=when, why=why)
    return _recorded(_placed(grouping, going, to), change)


def split(
    grouping: Grouping,
    group_id: str,
    frames: Iterable[Path],
    *,
    when: datetime | None = None,
    why: str = "",
) -> Grouping:
    """Make a group of its own from some frames of a group.

    Raises `KeyError` if there is no such group, or it does not hold a frame.
    """
    group = grouping.group(group_id)
    going = _in_order(grouping, frames)
    missing = [p for p in going if p not in group.frames]
    if missing:
        raise KeyError(missing[0])
    if not going or len(going) == len(group.frames):
        return grouping
    new_id = _split_id(group, going, {g.id for g in grouping.groups})
    change = Change(Action.SPLIT, going, _ref(group), text=new_id, when_utc=when, why=why)
    return _recorded(_split_off(grouping, group, going, new_id), change)


def merged(
    grouping: Grouping,
    group_ids: Sequence[str],
    *,
    when: datetime | None = None,
    why: str = "",
) -> Grouping:
    """Put the frames of several groups into the first of them.

    Raises
    ------
    CalibrationError
        If their frames have different sizes.
    KeyError
        If there is no such group.
    """
    groups = [grouping.group(i) for i in dict.fromkeys(group_ids)]
    if len(groups) < 2:
        return grouping
    target, others = groups[0], groups[1:]
    going = tuple(p for g in others for p in g.frames)
    _check_fits(grouping, target, going)
    change = Change(
        Action.MERGED,
        going,
        _ref(target),
        tuple(_ref(g) for g in others),
        when_utc=when,
        why=why,
    )
    return _recorded(_placed(grouping, going, target.id), change)


def excluded(
    grouping: Grouping,
    frames: Iterable[Path],
    reason: str,
    *,
    when: datetime | None = None,
) -> Grouping:
    """Leave frames out of the stack, with a reason; they stay in their group."""
    going = tuple(p for p in _known(grouping, frames) if grouping.excluded.get(p) != reason)
    if not going:
        return grouping
    out = _left_in(grouping, going)
    change = Change(Action.EXCLUDED, going, text=reason, when_utc=when, why=reason)
    return _recorded(_with_excluded(out, going, reason), change)


def included(grouping: Grouping, frames: Iterable[Path]) -> Grouping:
    """Take frames into the stack again."""
    going = tuple(p for p in _known(grouping, frames) if p in grouping.excluded)
    return _left_in(grouping, going) if going else grouping


def renamed(
    grouping: Grouping, group_id: str, name: str, *, when: datetime | None = None
) -> Grouping:
    """Give a group the operator's own title; an empty one brings the automatic title back."""
    group = grouping.group(group_id)
    name = " ".join(name.split())
    if name == group.name:
        return grouping
    records = tuple(
        c
        for c in grouping.changes
        if not (c.action is Action.RENAMED and c.group is not None and c.group.id == group_id)
    )
    out = _with_group(grouping, replace(group, name=name))
    out = replace(out, changes=ManualChanges(records))
    if not name:
        return out
    return _recorded(out, Change(Action.RENAMED, (), _ref(group), text=name, when_utc=when))


def corrected(
    grouping: Grouping,
    frames: Iterable[Path],
    values: Mapping[str, HeaderValue | None],
    *,
    when: datetime | None = None,
    why: str = "",
) -> Grouping:
    """Correct header values of frames, and group again.

    Parameters
    ----------
    grouping
        The files stay as they are: the correction lies over them.
    frames
        Files whose header could be read.
    values
        New values by JSON word (or ``kind``); None takes a correction back.
    when, why
        Kept with the change.

    Raises
    ------
    UsageError
        If a word is none that can be corrected.
    KeyError
        If a frame is not known.
    """
    held = grouping.changes.corrections()
    going = tuple(
        p
        for p in _known(grouping, frames)
        if any(_would_change(grouping, held.get(p, {}), p, w, v) for w, v in values.items())
    )
    if not going:
        return grouping
    change = Change(
        Action.CORRECTED,
        going,
        values=MappingProxyType(dict(values)),
        when_utc=when,
        why=why,
    )
    records = (*_without_corrections(grouping.changes, going, set(values)), change)
    return apply_changes(automatic(grouping), ManualChanges(records))


def automatic(grouping: Grouping) -> Grouping:
    """The grouping as the files alone give it, without any change by hand."""
    headers = {**grouping.headers, **grouping.as_read}
    left_out = [item for item in grouping.ungrouped if item.path not in headers]
    return group_frames(
        headers.values(),
        grouping.tolerances,
        left_out=left_out,
        ignored=grouping.ignored,
        keys=grouping.keys,
    )


def apply_changes(grouping: Grouping, changes: ManualChanges) -> Grouping:
    """Apply changes made by hand to the automatic grouping of a new scan.

    Corrections go first, because they decide the groups. Frames and groups that are gone are
    passed over; their records are kept, so that they count again when the files come back.
    """
    if not changes:
        return grouping
    out = _with_corrections(grouping, changes.corrections())
    for change in changes:
        out = _applied(out, change)
    return replace(out, changes=changes)


def _applied(grouping: Grouping, change: Change) -> Grouping:
    here = tuple(p for p in change.frames if p in grouping.headers)
    if change.action is Action.EXCLUDED:
        return _with_excluded(grouping, here, change.text) if here else grouping
    if change.group is None or change.action is Action.CORRECTED:
        return grouping
    group = find_group(grouping, change.group)
    if group is None:
        return grouping
    if change.action is Action.RENAMED:
        return _with_group(grouping, replace(group, name=change.text))
    if change.action is Action.SPLIT:
        going = tuple(p for p in group.frames if p in set(here))
        if not going or len(going) == len(group.frames):
            return grouping
        return _split_off(grouping, group, going, change.text)
    if change.action is Action.MERGED:
        others = [g for ref in change.others if (g := find_group(grouping, ref)) is not None]
        # Frames that came to such a group since then go with it.
        here = tuple(
            dict.fromkeys([*here, *(p for g in others if g is not group for p in g.frames)])
        )
    going = tuple(p for p in here if p not in group.frames and _fits(grouping, group, p))
    return _placed(grouping, going, group.id) if going else grouping


def find_group(grouping: Grouping, ref: GroupRef) -> Group | None:
    """Find the group that a change meant: by id, else by its frames, else by an equal key."""
    by_id = next((g for g in grouping.groups if g.id == ref.id), None)
    if by_id is not None:
        return by_id
    same_kind = [g for g in grouping.groups if g.kind == ref.kind]
    held = [(sum(p in g.frames for p in ref.anchors), g) for g in same_kind]
    best = max(held, key=lambda item: item[0], default=(0, None))
    if best[0] > 0:
        return best[1]
    return next((g for g in same_kind if dict(g.key) == dict(ref.key)), None)


def _with_corrections(
    grouping: Grouping, corrections: Mapping[Path, Mapping[str, HeaderValue]]
) -> Grouping:
    """Group again with corrected headers; what the files say is kept beside them."""
    as_read = dict(grouping.as_read)
    headers = dict(grouping.headers)
    for path, values in corrections.items():
        if path in headers:
            as_read.setdefault(path, headers[path])
            headers[path] = correct(as_read[path], values)
    if not as_read:
        return grouping
    left_out = [item for item in grouping.ungrouped if item.path not in headers]
    again = group_frames(
        headers.values(),
        grouping.tolerances,
        left_out=left_out,
        ignored=grouping.ignored,
        keys=grouping.keys,
    )
    return replace(again, as_read=MappingProxyType(as_read))


def _would_change(
    grouping: Grouping,
    held: Mapping[str, HeaderValue],
    path: Path,
    word: str,
    value: HeaderValue | None,
) -> bool:
    if value is None:
        return word in held
    header = grouping.headers[path]
    now = header.kind_word if word == "kind" else getattr(header, word, None)
    return now != value


def _without_corrections(
    changes: ManualChanges, frames: Sequence[Path], words: set[str]
) -> list[Change]:
    """The records without what a new correction of the same frames and words replaces."""
    out: list[Change] = []
    for change in changes:
        if change.action is not Action.CORRECTED or set(change.values) != words:
            out.append(change)
            continue
        left = tuple(p for p in change.frames if p not in set(frames))
        if left:
            out.append(replace(change, frames=left))
    return out


def _known(grouping: Grouping, frames: Iterable[Path]) -> tuple[Path, ...]:
    """The frames in their order, each once; raises `KeyError` for a file that is not known."""
    going = _in_order(grouping, frames)
    for path in going:
        if path not in grouping.headers:
            raise KeyError(path)
    return going


def _in_order(grouping: Grouping, frames: Iterable[Path]) -> tuple[Path, ...]:
    unique = dict.fromkeys(frames)
    headers = grouping.headers
    return tuple(sorted(unique, key=lambda p: frame_order(headers[p]) if p in headers else (p,)))


def _fits(grouping: Grouping, group: Group, path: Path) -> bool:
    header = grouping.headers[path]
    shape = group.key.get("shape")
    return bool(header.images) and not header.damage and (shape is None or header.shape == shape)


def _check_fits(grouping: Grouping, group: Group, frames: Iterable[Path]) -> None:
    for path in frames:
        if _fits(grouping, group, path):
            continue
        header = grouping.headers[path]
        if header.shape is None or header.damage:
            raise CalibrationError(
                f"{path.name} cannot be stacked: {why_not_grouped(header)}", hint="Leave it out."
            )
        wanted = group.key.get("shape")
        there = size(wanted) if isinstance(wanted, tuple) and len(wanted) == 2 else "another size"
        raise CalibrationError(
            f"{path.name} has {size(header.shape)} pixels, the group has {there}.",
            hint="Frames of different sizes cannot be stacked.",
        )


def _ref(group: Group, without: Sequence[Path] = ()) -> GroupRef:
    anchors = tuple(p for p in group.frames if p not in set(without))[:ANCHORS]
    return GroupRef(group.id, group.kind, group.key, anchors)


def _recorded(grouping: Grouping, change: Change) -> Grouping:
    return replace(grouping, changes=ManualChanges((*grouping.changes.records, change)))


def _split_id(group: Group, frames: Sequence[Path], taken: set[str]) -> str:
    names = "|".join(sorted(p.name for p in frames))
    for attempt in range(100):
        text = f"{group.id}|{names}|{attempt}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4)
        new_id = f"{group.kind.replace(' ', '-')}-{digest.hexdigest()}"
        if new_id not in taken:
            return new_id
    raise AssertionError("a hundred ids were taken")


def _split_off(grouping: Grouping, group: Group, frames: Sequence[Path], new_id: str) -> Grouping:
    going = set(frames)
    rest = replace(group, frames=tuple(p for p in group.frames if p not in going))
    part = replace(group, id=new_id, frames=tuple(p for p in group.frames if p in going), name="")
    part = _with_note(part, f"split off {plural(group.kind, len(frames))} of a larger group.")
    others = [g for g in grouping.groups if g.id not in (group.id, new_id)]
    return _sorted(grouping, [*others, rest, part])


def _placed(grouping: Grouping, frames: Sequence[Path], to: str) -> Grouping:
    """Put frames into a group, out of wherever they are."""
    going = set(frames)
    groups: list[Group] = []
    for group in grouping.groups:
        left = tuple(p for p in group.frames if p not in going)
        if group.id == to:
            joined = sorted({*left, *going}, key=lambda p: frame_order(grouping.headers[p]))
            group = replace(group, frames=tuple(joined))
            group = _with_note(group, *_differences(grouping, group, frames))
        elif len(left) != len(group.frames):
            group = replace(group, frames=left)
        groups.append(group)
    ungrouped = tuple(item for item in grouping.ungrouped if item.path not in going)
    out = replace(grouping, ungrouped=ungrouped)
    return _sorted(out, [g for g in groups if g.frames])


def _differences(grouping: Grouping, group: Group, frames: Sequence[Path]) -> list[str]:
    """Say in what moved frames differ from the group they are in now."""
    words: dict[str, int] = {}
    for path in frames:
        header = grouping.headers[path]
        differing = [w for w in group.key if w != "object" and _differs(header, group, w)]
        if header.kind != group.kind:
            differing.insert(0, "kind")
        for word in differing:
            words[word] = words.get(word, 0) + 1
    moved_words = f"{count(len(frames), 'frame')} moved here"
    if not words:
        return [f"{moved_words}."]
    names = listed([WORDS.get(w, w) for w in words])
    return [f"{moved_words}, different in {names}."]


def _differs(header: FrameHeader, group: Group, word: str) -> bool:
    value, wanted = getattr(header, word, None), group.key[word]
    if isinstance(value, (int, float)) and isinstance(wanted, (int, float)):
        return abs(value - wanted) > 0.005 * max(abs(value), abs(wanted)) + 1e-3
    return bool(value != wanted)


def _with_note(group: Group, *notes: str) -> Group:
    added = tuple(f"{BY_HAND}{note}" for note in notes)
    return replace(group, notes=(*group.notes, *added))


def _with_group(grouping: Grouping, group: Group) -> Grouping:
    groups = tuple(group if g.id == group.id else g for g in grouping.groups)
    return replace(grouping, groups=groups)


def _with_excluded(grouping: Grouping, frames: Sequence[Path], reason: str) -> Grouping:
    out = {**grouping.excluded, **dict.fromkeys(frames, reason)}
    return replace(grouping, excluded=MappingProxyType(out))


def _left_in(grouping: Grouping, frames: Sequence[Path]) -> Grouping:
    """Forget that these frames were excluded, in the state and in the records."""
    back = set(frames)
    kept: list[Change] = []
    for change in grouping.changes:
        if change.action is Action.EXCLUDED:
            left = tuple(p for p in change.frames if p not in back)
            if not left:
                continue
            change = replace(change, frames=left)
        kept.append(change)
    still = {p: r for p, r in grouping.excluded.items() if p not in back}
    return replace(grouping, excluded=MappingProxyType(still), changes=ManualChanges(tuple(kept)))


def _sorted(grouping: Grouping, groups: Iterable[Group]) -> Grouping:
    return replace(grouping, groups=tuple(sorted(groups, key=group_order)))
