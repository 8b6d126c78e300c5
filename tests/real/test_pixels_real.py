"""Pixels of real files that are not FITS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.overscan import OverscanLevel, OverscanSettings
from calibstudio.services.overscan import OverscanError, read_treated
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


def test_the_overscan_of_a_real_ccd(shared_data: Path) -> None:
    """BIASSEC at the left, the data in the middle, a strip at the right that is neither."""
    path = shared_data / "ccdproc_bsd3" / "a8280271.fits"
    raw = read_image(path).astype(np.float64)
    settings = OverscanSettings(OverscanLevel.MEDIAN, trim=True)

    got = read_treated(path, "", settings)

    expected = raw[0:520, 16:528] - np.median(raw[:, 3:13], axis=1)[:, None]
    assert got.shape == (520, 512)
    np.testing.assert_array_equal(got, expected.astype(np.float32))


def test_sections_of_a_real_header_that_are_none(shared_data: Path) -> None:
    path = shared_data / "stellarphot_bsd3" / "wasp-10-tiny.fit.bz2"
    settings = OverscanSettings(OverscanLevel.MEDIAN, trim=True)
    with pytest.raises(OverscanError, match=r"BIASSEC = '\[4096:4109\]', which is no section"):
        read_treated(path, "", settings)
