"""Pixels of real files that are not FITS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.errors import FileProblemError
from calibstudio.store.headers import read_header
from calibstudio.store.pixels import read_image


def test_a_file_of_an_indi_driver(shared_data: Path) -> None:
    """lz4hc with shuffled bytes; the numbers are those that another reader found."""
    image = read_image(shared_data / "xisf_indi_mw4_apache2" / "test.xisf")

    assert (image.shape, image.dtype) == ((1024, 1280), np.uint16)
    assert (image.min(), np.median(image), image.max()) == (0, 5, 42830)
    assert image.std() == pytest.approx(59.06, abs=0.01)


def test_a_raw_file_of_a_canon(shared_data: Path) -> None:
    path = shared_data / "raw_canon_crw_mit" / "CRW.CRW"
    image, header = read_image(path), read_header(path)

    assert (image.shape, image.dtype) == ((1448, 2176), np.uint16)
    assert (image.min(), np.median(image), image.max()) == (0, 269, 3868)
    assert image.std() == pytest.approx(582.6, abs=0.1)
    assert header.camera == "Canon EOS D30"
    assert (header.gain, header.bayer, header.shape) == (100, "RGGB", image.shape)
    assert header.exposure_s == pytest.approx(5.0, rel=0.01)
    assert header.saturation_adu == 4095


def test_a_raw_file_of_a_canon_that_is_broken(shared_data: Path, tmp_path: Path) -> None:
    raw = (shared_data / "raw_canon_crw_mit" / "CRW.CRW").read_bytes()
    path = tmp_path / "a.crw"
    path.write_bytes(raw[:500_000] + bytes(1_000_000) + raw[1_500_000:])
    with pytest.raises(FileProblemError, match="cannot be decoded"):
        read_image(path)
    path.write_bytes(raw[:-1000])
    with pytest.raises(FileProblemError, match=r"a\.crw"):
        read_image(path)
