"""Bad-pixel maps for other programs, tables and masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from calibstudio.domain.errors import UsageError

if TYPE_CHECKING:
    from calibstudio.domain.master import MasterRecord
    from calibstudio.store.defect_lists import ListForm


def export_defects(record: MasterRecord, form: ListForm, out: Path) -> tuple[Path, ...]:
    """Write the bad pixels of a map; several detectors become one file each, named after them.

    Returns
    -------
    tuple
        The files that are there now.

    Raises
    ------
    FileProblemError
        The map is gone or none, or was changed since it was made.
    UsageError
        The name has an ending that the other program does not take.
    WriteProblemError
        A file cannot be written, or the name is taken by other content.
    """
    from calibstudio.store.defect_fits import read_defects
    from calibstudio.store.defect_lists import ENDINGS, write_list
    from calibstudio.store.master_read import check_unchanged, open_pixels

    if out.suffix.lower() not in ENDINGS[form]:
        endings = " or ".join(ENDINGS[form])
        raise UsageError(
            f"{out.name}: a list for {form.value} must end with {endings}.",
            hint=f"Name it {out.stem}{ENDINGS[form][0]}.",
        )
    check_unchanged(record)
    lists = {pixels.detector: pixels for pixels in read_defects(record.path)}
    opened = open_pixels(record.path)
    written = []
    for name in opened.detectors:
        file = out if len(opened.detectors) == 1 else out.with_stem(f"{out.stem}_{name}")
        ny, nx = opened.image(name or None).shape
        pixels = lists.get(name)
        if pixels is None:
            pixels = next(iter(lists.values())).empty(name)
        write_list(file, form, pixels, (ny, nx))
        written.append(file)
    return tuple(written)
