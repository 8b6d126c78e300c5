"""What a group should be asked before it is trusted, and what a row without frames says."""

from __future__ import annotations

from dataclasses import dataclass

from calibstudio.domain.group_notes import ASKS
from calibstudio.domain.group_titles import group_title, value_text
from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.offers import Offer, offers
from calibstudio.domain.wording import count
from calibstudio.gui.frames.tree_model import Node


@dataclass(frozen=True, slots=True)
class GroupQuestion:
    """A question about a group and the one-click answer that is offered."""

    head: str
    text: str
    answer: str
    offer: Offer


@dataclass(frozen=True, slots=True)
class Reason:
    """A file that is in no group, and why."""

    file: str
    why: str = ""


def question_for(grouping: Grouping, group: Group) -> GroupQuestion | None:
    """Return the question a group raises, or None when nothing near can be offered."""
    offer = next((o for o in offers(grouping) if o.group_id == group.id), None)
    if offer is None:
        return None
    head, _, rest = offer.text.partition(". ")
    text = f"{rest} {ASKS}".strip()
    return GroupQuestion(head.rstrip("."), text, _answer(grouping, offer), offer)


def _answer(grouping: Grouping, offer: Offer) -> str:
    """The words of the button: what it sets, or where it moves the frames."""
    n = len(offer.frames)
    if set(offer.values) == {"kind"}:
        return f"Make {'it' if n == 1 else 'them'} {offer.values['kind']}"
    if offer.values and len(offer.values) == len(offer.differences):
        said = ", ".join(value_text(word, value) for word, value in offer.values.items())
        return f"Set {said} for {'it' if n == 1 else f'all {n}'}"
    target = grouping.group(offer.target_id)
    return f"Move {count(n, 'frame')} to {group_title(target)}"


def about_row(node: Node | None) -> tuple[str, str, tuple[Reason, ...]]:
    """Say what a row without frames is: files that are not understood, each with its reason."""
    if node is None:
        return "Choose a group at the left.", "", ()
    if node.key.startswith("settings/"):
        return f"{node.text}: choose one of its groups.", "", ()
    if not node.key.startswith("left/"):
        return node.text, "", ()
    return node.text, "", tuple(Reason(*child.text.split(": ", 1)) for child in node.children)
