"""What the headers of a stack's frames say, and what its own header says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.pixels import RowSource
from calibstudio.domain.recipe import Floor, Normalization, StackSettings, Weight
from calibstudio.domain.row_order import turned_over
from calibstudio.domain.wording import quantity
from calibstudio.imaging.combine import CombineReport
from calibstudio.imaging.reject import resolve
from calibstudio.services.overscan import TreatedRows, overscan_cards
from calibstudio.services.stack_inputs import Skipped, StackedImage, StackInputs
from calibstudio.store.kind_words import kind_from_word
from calibstudio.store.stack_fits import HeaderCard, kept_cards

ADU = "adu"
_KINDS = ("IMAGETYP", "FRAME", "OBSTYPE")
_COVERED = (FrameKind.BIAS, FrameKind.DARK, FrameKind.DARK_FLAT)


@dataclass(frozen=True, slots=True)
class FramesSay:
    """What the frames of one image say about themselves."""

    unit: str
    """Of the pixels, as BUNIT; empty where the frames do not agree."""
    covered: bool
    """All are bias, dark or dark-flat frames."""
    kept: tuple[HeaderCard, ...]
    """What is taken over from the first."""
    problems: tuple[Skipped, ...] = ()
    """Frames of several units, or stored in several ways."""


def frames_say(inputs: StackInputs, image: StackedImage) -> FramesSay:
    """Read what the frames of an image say: their kinds, units and the cards of the first.

    Raises
    ------
    FileProblemError
        If one cannot be read any more.
    """
    paths = inputs.paths_of(image)
    found = [
        kept_cards(path, name if image.name else "")
        for path, (_, name) in zip(paths, image.members, strict=True)
    ]
    units = [_unit(cards) for cards in found]
    odd = next((i for i, unit in enumerate(units) if unit != units[0]), None)
    problems = _turned_over(paths, found)
    if odd is not None:
        said = Skipped(
            paths[odd],
            f"{paths[odd]} is in {units[odd]}, {paths[0].name} in {units[0]}; they were combined "
            "as they are, and the result says no unit.",
            "Combine frames of one unit.",
        )
        problems.append(said)
    kept = tuple(one for one in found[0] if one[0] != "BUNIT")
    covered = all(_kind(cards) in _COVERED for cards in found)
    return FramesSay("" if odd is not None else units[0], covered, kept, tuple(problems))


def _turned_over(paths: Sequence[Path], found: Sequence[Sequence[HeaderCard]]) -> list[Skipped]:
    """Say which frames are upside down among the rest: the bare engine combines what it gets."""
    orders = {
        path: next((str(value) for keyword, value, _ in cards if keyword == "ROWORDER"), None)
        for path, cards in zip(paths, found, strict=True)
    }
    return [
        Skipped(path, f"{path} was combined as it is, but {why}", "Leave it out, or turn it first.")
        for path, why in turned_over(orders).items()
    ]


def with_floor(settings: StackSettings, n_frames: int, said: FramesSay) -> StackSettings:
    """Return the settings with the floor that masters have: the noise, of covered frames."""
    if settings.floor is Floor.AUTO and said.covered and resolve(settings, n_frames).floored:
        return replace(settings, floor=Floor.NOISE)
    return settings


def floor_word(report: CombineReport) -> str | None:
    """Return what the least sigma of the rule is: ``noise``, ``code``, or None without one."""
    if not report.floor_adu:
        return None
    return "noise" if report.settings.floor is Floor.NOISE else "code"


def floor_sentence(report: CombineReport, said: FramesSay | None) -> str:
    """Say the least sigma of the rule and why it is that; empty without one."""
    if not report.floor_adu:
        return ""
    unit = "" if said is None or not said.unit else said.unit
    least = quantity(report.floor_adu, "ADU" if unit == ADU else unit, 3)
    if floor_word(report) == "code":
        why = (
            "one code, because the frames are not said to be covered (--floor noise takes "
            "their noise)"
        )
    elif said is not None and said.covered:
        why = "the noise of one of these covered frames"
    else:
        why = "the noise of one frame, as asked"
    return f"The sigma of the rule is at least {least}: {why}."


def floor_cards(report: CombineReport) -> list[HeaderCard]:
    """Return the card that says the least sigma of the rule, as masters have it."""
    if not report.floor_adu:
        return []
    return [("REJFLOOR", float(f"{report.floor_adu:.6g}"), "least sigma of the rejection")]


def stack_cards(
    inputs: StackInputs,
    image: StackedImage,
    said: FramesSay,
    settings: StackSettings,
    rows: Sequence[RowSource],
    subtracted: Path | None,
) -> tuple[HeaderCard, ...]:
    """Return what the file says: what the first frame says of itself, and how it was combined."""
    n = len(image.members)
    applied = resolve(replace(settings, normalize=Normalization.NONE), n).settings
    own: list[HeaderCard] = [
        ("NCOMBINE", n, "number of frames combined"),
        ("COMBTYPE", applied.combine.value, "how values were combined"),
        ("REJTYPE", applied.reject.value, "how values were rejected"),
        ("REJLOW", applied.low or 0.0, "lower limit of the rejection"),
        ("REJHIGH", applied.high or 0.0, "upper limit of the rejection"),
        ("NORMTYPE", settings.normalize.value, "how levels were matched"),
    ]
    if said.unit:
        own.insert(0, ("BUNIT", said.unit, "unit of the pixels"))
    if settings.weight is not Weight.NONE:
        own.append(("WGHTTYPE", settings.weight.value, "how much each frame counts"))
    if subtracted is not None:
        own.append(("SUBFILE", subtracted.name, "taken out of every frame"))
    return (*_shifted_bayer(said.kept, rows[0]), *own, *overscan_cards(rows, inputs.overscan))


def _shifted_bayer(kept: Sequence[HeaderCard], source: RowSource) -> list[HeaderCard]:
    """Let the colours begin where the kept part of the picture begins."""
    if not isinstance(source, TreatedRows) or all(k != "BAYERPAT" for k, _, _ in kept):
        return list(kept)
    start = {"XBAYROFF": source.plan.columns[0][0] % 2, "YBAYROFF": source.plan.rows[0][0] % 2}
    for keyword, value, _ in kept:
        if keyword in start and isinstance(value, int | float):
            start[keyword] = (start[keyword] + int(value)) % 2
    others = [one for one in kept if one[0] not in start]
    return [*others, *((k, n, "pattern of the kept part") for k, n in start.items())]


def _unit(cards: Sequence[HeaderCard]) -> str:
    """Return the unit of one frame; counts of the converter, however they are written, are adu."""
    word = next((str(value).strip() for keyword, value, _ in cards if keyword == "BUNIT"), "")
    return ADU if word.lower() in ("", "adu", "adus", "count", "counts", "dn") else word


def _kind(cards: Sequence[HeaderCard]) -> str | None:
    """Return the kind of one frame by the first card with a word that everybody knows."""
    by_keyword = {keyword: value for keyword, value, _ in cards}
    for keyword in _KINDS:
        found = kind_from_word(str(by_keyword.get(keyword, "")))
        if found is not None and found[2]:
            return found[0]
    return None
