"""Cards that a master takes over: only those on which all frames agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from calibstudio.store.copied_cards import agreeing_cards


def write(path: Path, **cards: object) -> Path:
    hdu = fits.PrimaryHDU(np.zeros((2, 2), np.uint16))
    for keyword, value in cards.items():
        hdu.header[keyword] = value
    hdu.writeto(path)
    return path


def test_only_cards_on_which_all_agree_are_taken(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a.fits", ROWORDER="TOP-DOWN", SITELAT=52.5, DETECTOR="x", PEDESTAL=100),
        write(tmp_path / "b.fits", ROWORDER="TOP-DOWN", SITELAT=52.6, PEDESTAL=100),
    ]

    assert agreeing_cards(paths) == (("ROWORDER", "TOP-DOWN", ""),)


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    good = write(tmp_path / "a.fits", BAYERPAT="RGGB")
    (tmp_path / "b.fits").write_bytes(b"rubbish")

    found = agreeing_cards([good, tmp_path / "b.fits", tmp_path / "gone.fits"])

    assert found == (("BAYERPAT", "RGGB", ""),)
    assert agreeing_cards([tmp_path / "gone.fits"]) == ()


def test_each_detector_gives_its_own_cards_by_name_and_version(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU()]
    for version, noise in ((1, 3.1), (2, 4.2)):
        hdu = fits.ImageHDU(np.zeros((2, 2), np.uint16), name="SCI", ver=version)
        hdu.header["RDNOISE"] = (noise, "[e-]")
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")

    assert agreeing_cards([tmp_path / "a.fits"], "SCI,2") == (("RDNOISE", 4.2, "[e-]"),)
    assert agreeing_cards([tmp_path / "a.fits"], "SCI,1") == (("RDNOISE", 3.1, "[e-]"),)
