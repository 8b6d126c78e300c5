"""Bad-pixel maps as files: a master whose image is the mask, with a table of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import DefectList
from calibstudio.domain.errors import FileProblemError
from calibstudio.store.master_cards import Card, MasterContent
from calibstudio.store.master_fits import (
    Written,
    append_cards,
    bit_cards,
    named_unit,
    primary_unit,
    publish_units,
    table_hdu,
    with_tables,
)

TABLE = "DEFECTS"


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The bad pixels of one detector."""

    name: str
    """EXTNAME; empty for the only sensor."""
    flags: NDArray[np.uint8]
    pixels: DefectList
    cards: tuple[Card, ...] = ()


def write_defects(path: Path, content: MasterContent, masks: Sequence[Mask]) -> Written:
    """Write a bad-pixel map, or find that it is already there with the same bytes.

    The image is the mask: whole numbers, 0 for a good pixel, else the sum of the bits whose
    meanings are in BPM2, BPM4, ... of its header.

    Raises
    ------
    WriteProblemError
        It cannot be written, or the name is taken by other content.
    """
    single = len(masks) == 1 and not masks[0].name
    first = masks[0]
    own = [*bit_cards(first.flags), *first.cards] if single else []
    units = [primary_unit(content, first.flags if single else None, own)]
    if not single:
        for mask in masks:
            unit = named_unit(mask.flags, mask.name)
            append_cards(unit.header, [*bit_cards(mask.flags), *mask.cards])
            units.append(unit)
    units.append(_table([mask.pixels for mask in masks]))
    return publish_units(path, with_tables(content, units))


def _table(lists: Sequence[DefectList]) -> Any:
    def joined(name: str) -> Any:
        return np.concatenate([getattr(one, name) for one in lists])

    detectors = [one.detector for one in lists for _ in range(len(one))]
    hdu = table_hdu(
        TABLE,
        [
            ("X", "J", "pix", joined("x")),
            ("Y", "J", "pix", joined("y")),
            ("FLAGS", "B", None, joined("flags")),
            ("VALUE", "E", None, joined("value")),
            ("DETECTOR", "A", None, detectors),
        ],
    )
    comment = "unit of VALUE of hot pixels; else a ratio"
    append_cards(hdu.header, [("HOTUNIT", lists[0].unit, comment), ("ORIGIN0", 0, "first pixel")])
    return hdu


def read_defects(path: Path) -> tuple[DefectList, ...]:
    """Read the bad pixels of a map, one list for each detector.

    Raises
    ------
    FileProblemError
        The file cannot be read, or is no bad-pixel map.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            if TABLE not in [hdu.name for hdu in hdus]:
                raise FileProblemError(
                    f"{path} is no bad-pixel map.", hint="Name a master of the kind bpm."
                )
            table, header = hdus[TABLE].data, hdus[TABLE].header
            names = np.char.strip(np.asarray(table["DETECTOR"], dtype=str))
            order = list(dict.fromkeys(names.tolist())) or [""]
            return tuple(
                DefectList(
                    np.asarray(table["X"][names == name], np.int32),
                    np.asarray(table["Y"][names == name], np.int32),
                    np.asarray(table["FLAGS"][names == name], np.uint8),
                    np.asarray(table["VALUE"][names == name], np.float32),
                    str(header["HOTUNIT"]),
                    str(name),
                )
                for name in order
            )
    except OSError as error:
        raise FileProblemError(f"{path} cannot be read: {error}.") from error
