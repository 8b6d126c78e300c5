"""The last steps of a flat: its regions, smooth light, level and unity, and what the file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import Defect
from calibstudio.domain.errors import CalibrationError, FileProblemError
from calibstudio.domain.recipe import FlatSettings, LevelOf, Smooth
from calibstudio.domain.wording import count, significant, size
from calibstudio.imaging.calibrate import Normalised
from calibstudio.store.master_cards import Card
from calibstudio.store.pixels import image_names, read_image
from calibstudio.store.publish import sha256_of

MOST_REGIONS = 99
"""So many numbers go into NORMVAL cards."""


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions that a flat is normalised in, each by its own level."""

    numbers: NDArray[np.int16]
    """Shape of the flat; 0 is outside."""
    file: Path
    sha256: str


def read_regions(settings: FlatSettings, detector: str, shape: tuple[int, int]) -> Regions | None:
    """Read the mask of a recipe for one detector; None when the recipe has none.

    A mask with an image of the detector's name gives that one, else its first image.

    Raises
    ------
    CalibrationError
        The mask cannot be read, has another size, or no usable numbers.
    """
    if not settings.mask:
        return None
    path = Path(settings.mask)
    cure = "Name a FITS image of region numbers, 0 outside, in flat.mask of the recipe."
    try:
        names = image_names(path)
        values = np.asarray(read_image(path, detector if detector in names else names[0]))
        digest = sha256_of(path)
    except (FileProblemError, OSError) as error:
        raise CalibrationError(
            f"The mask of regions {path} cannot be read: {error}", hint=cure
        ) from error
    if values.shape != shape:
        raise CalibrationError(
            f"The mask of regions {path.name} is {size(values.shape)} pixels, the flats "
            f"{size(shape)}.",
            hint=cure,
        )
    whole = np.rint(np.nan_to_num(values.astype(np.float64)))
    if whole.max() < 1 or whole.max() > MOST_REGIONS:
        raise CalibrationError(
            f"The mask of regions {path.name} has numbers up to {whole.max():g}; they must be "
            f"from 1 to {MOST_REGIONS}.",
            hint=cure,
        )
    return Regions(np.clip(whole, 0, None).astype(np.int16), path, digest)


def flat_cards(
    settings: FlatSettings, regions: Regions | None, *, colour: bool
) -> tuple[Card, ...]:
    """Return the cards that say how a flat was brought to one."""
    where = "all of it" if settings.region == 1 else f"centre {settings.region:g}"
    if regions is not None:
        where = "regions"
    elif colour:
        where += ", by colour"
    how = "median" if regions and settings.level is LevelOf.TILES else settings.level.value
    cards: list[Card] = [
        ("NORMSTAT", how, "statistic of the level that it was divided by"),
        ("NORMAREA", where, "where the level was measured"),
    ]
    if regions is not None:
        cards.append(("NORMMASK", regions.file.name.encode("ascii", "replace").decode(), "mask"))
        cards.append(("NORMMSHA", regions.sha256, "SHA-256 of that file"))
    if settings.smooth is not Smooth.NONE:
        cards.append(("SMOOTH", settings.smooth.value, "smooth light that was divided out"))
        for keyword, value, comment in _smooth_numbers(settings):
            cards.append((keyword, value, comment))
    if settings.low_light:
        cards.append(("LOWLTLIM", settings.low_light, "less light than this is none"))
    return tuple(cards)


def _smooth_numbers(settings: FlatSettings) -> list[tuple[str, Any, str]]:
    if settings.smooth is Smooth.SLIDING:
        return [
            ("SMOOTHX", settings.smooth_width, "[pix] window"),
            ("SMOOTHY", settings.smooth_height, "[pix] window"),
        ]
    if settings.smooth is Smooth.GAUSSIAN:
        return [("GAUSSSIG", settings.smooth_sigma, "[pix] sigma of the Gaussian")]
    return [("SMOOTHDG", settings.smooth_degree, "degree of the polynomial")]


def flat_sentences(
    flat: Normalised, settings: FlatSettings, regions: Regions | None, where: str
) -> list[str]:
    """Say what was done; ``where`` is `` of GREEN`` for one of several detectors."""
    out = []
    if settings.smooth is not Smooth.NONE:
        what = {
            Smooth.SLIDING: f"a sliding mean of {settings.smooth_width} x "
            f"{settings.smooth_height} pixels clipped at 3 sigma",
            Smooth.GAUSSIAN: f"a Gaussian of {settings.smooth_sigma:g} pixels",
            Smooth.POLYNOMIAL: f"a polynomial of degree {settings.smooth_degree}",
        }[settings.smooth]
        out.append(f"The smooth light of the lamp{where} was divided out: {what}.")
    levels = ", ".join(significant(level, 6) for level in flat.levels)
    unit = "" if settings.smooth is not Smooth.NONE else " ADU/s" if settings.per_second else " ADU"
    if regions is None:
        out.append(f"The image{where} was divided by its level, {levels}{unit}.")
    else:
        out.append(
            f"Each region{where} of {regions.file.name} (SHA-256 {regions.sha256}) was divided "
            f"by its own level: {levels}{unit}."
        )
    for bit, words in (
        (Defect.NO_SIGNAL, "without light"),
        (Defect.OUTSIDE, "outside of the regions"),
        (Defect.NO_RESPONSE, "with a value out of limits"),
    ):
        if n := flat.count(bit):
            out.append(
                f"{count(n, 'pixel')}{where} {words}: 1 in the image, 0 in CNT, bit "
                f"{int(bit)} in BPM."
            )
    return out
