"""Masters for programs that prefer XISF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.master import MasterRecord
from calibstudio.store.any_header import find_hdu, read_hdus
from calibstudio.store.master_read import check_unchanged, open_pixels
from calibstudio.store.xisf_write import write_xisf

_TYPES: Mapping[str, str] = {
    FrameKind.BIAS: "MasterBias",
    FrameKind.DARK: "MasterDark",
    FrameKind.DARK_FLAT: "MasterDark",
    FrameKind.FLAT: "MasterFlat",
}


def export_xisf(record: MasterRecord, out: Path) -> tuple[Path, ...]:
    """Write a master as XISF; several detectors become one file each, named after them.

    Raises
    ------
    FileProblemError
        The master is gone, or was changed since it was made.
    UsageError
        The name does not end with ``.xisf``.
    WriteProblemError
        A file cannot be written, or the name is taken by other content.
    """
    if out.suffix.lower() != ".xisf":
        raise UsageError(f"{out.name} does not end with .xisf.", hint=f"Name it {out.stem}.xisf.")
    check_unchanged(record)
    hdus = read_hdus(record.path)
    pixels = open_pixels(record.path)
    written = []
    for name in pixels.detectors:
        several = len(pixels.detectors) > 1
        file = out.with_stem(f"{out.stem}_{name}") if several else out
        own = find_hdu(hdus, name) if several else None
        headers = [hdus[0].cards, *([own.cards] if own is not None else [])]
        cards = {k: c for h in headers for k in h.keywords() if (c := h.get(k)) is not None}
        write_xisf(
            file,
            pixels.image(name or None),
            cards.items(),
            image_type=_TYPES.get(record.kind, ""),
            is_ratio=record.unit == "",
            made=record.observed_last_utc,
        )
        written.append(file)
    return tuple(written)
