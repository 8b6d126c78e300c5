"""Images of a file have one name, whoever reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.store.headers import read_header
from calibstudio.store.pixels import image_names, read_image

NAMES = {
    "one": ([None], ("",)),
    "unnamed": ([None, "", "", ""], ("", "HDU1", "HDU2", "HDU3")),
    "only extensions": ([(), "", ""], ("HDU1", "HDU2")),
    "named": ([(), "SCI", "VAR"], ("SCI", "VAR")),
    "mixed": ([(), "SCI", "", "DQ"], ("SCI", "HDU2", "DQ")),
    "repeated with versions": ([(), ("SCI", 1), ("SCI", 2)], ("SCI,1", "SCI,2")),
    "repeated without": ([(), "SCI", "sci"], ("SCI,1", "HDU2")),
    "called as a number": ([(), "HDU2", ""], ("HDU2,1", "HDU2")),
}


@pytest.mark.parametrize("case", NAMES)
def test_headers_and_pixels_call_the_images_the_same(tmp_path: Path, case: str) -> None:
    written, wanted = NAMES[case]
    path = tmp_path / "x.fits"
    hdus = fits.HDUList()
    for i, name in enumerate(written):
        data = np.full((4, 5), i, np.int16)
        if i == 0:
            hdus.append(fits.PrimaryHDU(None if name == () else data))
            continue
        text, version = name if isinstance(name, tuple) else (name, None)
        image = fits.ImageHDU(data)
        if text:
            image.header["EXTNAME"] = text
        if version:
            image.header["EXTVER"] = version
        hdus.append(image)
    hdus.writeto(path)

    assert read_header(path).images == image_names(path) == wanted
    first = 1 if written[0] == () else 0
    for offset, name in enumerate(wanted):
        if name:
            assert read_image(path, name)[0, 0] == first + offset
