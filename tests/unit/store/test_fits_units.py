"""Files written in bands have the bytes that astropy gives them, and name their own hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.store import fits_units
from calibstudio.store.fits_units import image_unit, write_units


@pytest.mark.parametrize("shape", [(5, 7), (96, 33), (1, 1)])
def test_the_bytes_are_those_of_astropy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    monkeypatch.setattr(fits_units, "_BAND_BYTES", 150)  # bands of odd lengths
    rng = np.random.default_rng(3)
    image = rng.normal(size=shape).astype(np.float32)
    image[0, 0] = np.nan
    count = rng.integers(0, 500, shape).astype(np.uint16)
    flags = rng.integers(0, 9, shape).astype(np.uint8)
    table = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1, 2])], name="T")
    hdus = [fits.PrimaryHDU(image), fits.ImageHDU(count.astype(np.int16)), fits.ImageHDU(flags)]
    for hdu in (*hdus, table):
        hdu.header["TESTCARD"] = ("a value", "and what it is")
    hdus[0].header.add_history("A sentence.")
    units = [image_unit(image, primary=True), image_unit(count, np.int16), image_unit(flags)]
    for unit in units:
        unit.header["TESTCARD"] = ("a value", "and what it is")
    units[0].header.add_history("A sentence.")

    digest = write_units(tmp_path / "ours.fits", [*units, table.copy()])

    for hdu in (*hdus, table):
        hdu.add_checksum(when="of this HDU")
    fits.HDUList([*hdus, table]).writeto(tmp_path / "astropy.fits", checksum=False)
    ours = (tmp_path / "ours.fits").read_bytes()
    assert ours == (tmp_path / "astropy.fits").read_bytes()
    assert digest == hashlib.sha256(ours).hexdigest()
    with fits.open(tmp_path / "ours.fits", checksum=True) as opened:  # warns where one is wrong
        assert np.array_equal(opened[1].data, count)
