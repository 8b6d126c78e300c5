"""Which frames of a group a recipe takes, by their cards, names and exposures, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from calibstudio.domain.grouping import Group
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.recipe import Selection
from calibstudio.domain.wording import exposure, number
from calibstudio.store.copied_cards import card_texts


def not_selected(
    group: Group, headers: Mapping[Path, FrameHeader], selection: Selection | None
) -> dict[Path, str]:
    """Return the frames that a recipe does not take, each with the reason.

    A frame without a card that the recipe asks for is not taken: missing is missing. A frame
    without a card of quality is.
    """
    if selection is None:
        return {}
    wanted = (*selection.keywords, *selection.gates)
    reasons: dict[Path, str] = {}
    taken = 0
    for path in group.frames:
        reason = _by_name(path, selection) or _by_exposure(headers[path], selection)
        if not reason and wanted:
            reason = _by_cards(card_texts(path, wanted), selection)
        if not reason and selection.max_frames is not None and taken >= selection.max_frames:
            reason = f"The recipe takes the first {number(selection.max_frames)} frames."
        if reason:
            reasons[path] = reason
        else:
            taken += 1
    return reasons


def _by_name(path: Path, selection: Selection) -> str:
    for pattern in selection.ignore_names:
        if fnmatchcase(path.name.casefold(), pattern.casefold()):
            return f"The recipe does not take files called {pattern}."
    return ""


def _by_exposure(header: FrameHeader, selection: Selection) -> str:
    least, most, time = selection.min_exposure_s, selection.max_exposure_s, header.exposure_s
    if least is None and most is None:
        return ""
    if time is None:
        return "The recipe asks for an exposure, and the frame does not say its own."
    if least is not None and time < least:
        return f"Exposure {exposure(time)}; the recipe takes {exposure(least)} and longer."
    if most is not None and time > most:
        return f"Exposure {exposure(time)}; the recipe takes {exposure(most)} and shorter."
    return ""


def _by_cards(cards: Mapping[str, str], selection: Selection) -> str:
    for keyword, asked in selection.keywords.items():
        said = cards.get(keyword.upper())
        if said is None:
            return f"It has no card {keyword}; the recipe asks for {keyword} = {asked}."
        if not _says(said, asked):
            return f"{keyword} is {said}; the recipe asks for {asked}."
    for keyword, failed in selection.gates.items():
        said = cards.get(keyword.upper())
        if said is not None and _says(said, failed):
            return f"It failed its own check: {keyword} = {said}."
    return ""


def _says(said: str, asked: str) -> bool:
    """Compare as numbers where both are, else as texts without capitals and with ``*``."""
    try:
        return float(said) == float(asked)
    except ValueError:
        return fnmatchcase(said.strip().casefold(), asked.strip().casefold())
