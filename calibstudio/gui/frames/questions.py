"""What a group should be asked before it is trusted, with a one-click answer where one is near."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from calibstudio.domain.group_notes import WORDS, plural
from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.header import HeaderValue, json_value

ASKED = ("offset", "gain", "set_temp_c", "exposure_s", "filter", "camera", "binning")
"""Unknown keys worth a question, the most telling first."""


@dataclass(frozen=True, slots=True)
class GroupQuestion:
    """A question about a group and the answer that is offered."""

    head: str
    text: str
    answer: str = ""
    frames: tuple[Path, ...] = ()
    values: Mapping[str, HeaderValue | None] | None = None
    """Corrections that the answer makes; None when there is nothing to offer."""


def question_for(grouping: Grouping, group: Group) -> GroupQuestion | None:
    """Return the first question a group raises, or None.

    An answer is offered when the other groups of the same camera all say one value.
    """
    n = len(group.frames)
    for word in ASKED:
        if word not in group.unknown:
            continue
        said = {
            g.key[word]
            for g in grouping.groups
            if word in g.key and g.id != group.id and _alike(g, group, word)
        }
        if len(said) != 1:
            continue
        value = said.pop()
        name = WORDS.get(word, word)
        verb = "does not say its" if n == 1 else "do not say their"
        shown = json_value(value)
        return GroupQuestion(
            head=f"{plural(group.kind, n)} {verb} {name}",
            text=f"Other frames of this camera have {name} {shown}. "
            "Nothing is assumed until you answer.",
            answer=f"Set {name} {shown} for {'it' if n == 1 else f'all {n}'}",
            frames=group.frames,
            values={word: value},
        )
    return None


def _alike(other: Group, group: Group, word: str) -> bool:
    """Whether two groups may come from the same camera: what both say is equal."""
    if word != "camera" and other.key.get("camera") != group.key.get("camera"):
        return False
    if word in ("exposure_s", "filter") and other.kind != group.kind:
        return False
    return other.key.get("shape") == group.key.get("shape")
