"""Camera raw: the sensor's own values of the visible area, and what the camera says of them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.services.import_frames import scan
from calibstudio.store.any_header import read_hdus
from calibstudio.store.camera_exif import CameraFacts, read_facts
from calibstudio.store.headers import read_header
from calibstudio.store.pixels import UnpackBudget, image_names, open_frame, open_rows, read_image
from tests.helpers.dng_file import dng_file

NY, NX = 48, 64


def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 16384, (NY, NX), dtype=np.uint16)


def test_pixels_are_those_of_the_sensor(tmp_path: Path) -> None:
    data = pixels()
    path = dng_file(tmp_path / "a.dng", data)

    image = read_image(path)

    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, data)
    assert image_names(path) == ("",)
    with open_rows(path) as rows:
        np.testing.assert_array_equal(rows.read_rows(5, 9), data[5:9])
    with open_rows(path, budget=UnpackBudget(tmp_path, 10)) as rows:
        np.testing.assert_array_equal(rows.read_rows(5, 9), data[5:9])


@pytest.mark.parametrize(
    ("border", "seen"), [((0, 0), "RGGB"), ((3, 2), "GBRG"), ((4, 5), "GRBG"), ((1, 1), "BGGR")]
)
def test_covered_borders_are_cut_and_the_pattern_follows(
    border: tuple[int, int], seen: str, tmp_path: Path
) -> None:
    data = pixels()
    path = dng_file(tmp_path / "a.dng", data, border=border, model=f"Borders {border}")

    # LibRaw leaves out an odd border's neighbour, too, so that the visible part begins even.
    top, left = (n + n % 2 for n in border)
    np.testing.assert_array_equal(read_image(path), data[top:, left:])
    header = read_header(path)
    assert header.bayer == seen
    assert header.shape == (NY - top, NX - left)


def test_what_the_camera_says(tmp_path: Path) -> None:
    folder = tmp_path / "darks"
    folder.mkdir()
    header = read_header(dng_file(folder / "a.dng", pixels()))

    assert header.kind == "dark"
    assert header.camera == "Imaginary D1"
    assert header.serial == "12345"
    assert header.exposure_s == pytest.approx(0.02)
    assert header.gain == 800
    assert header.observed_utc == datetime(2026, 3, 4, 20, 30, tzinfo=UTC)
    assert header.saturation_adu == 16383
    assert header.origin["gain"] == "ISOSPEED EXIF"
    assert any("black level is 512 ADU" in note for note in header.notes)


def test_a_clock_without_zone_is_local_time(tmp_path: Path) -> None:
    path = dng_file(tmp_path / "a.dng", pixels(), zone="")
    site = Site("Here", 47.0, 11.0, timezone="Europe/Vienna")

    assert read_header(path, site=site).observed_utc == datetime(2026, 3, 4, 20, 30, tzinfo=UTC)
    assert read_header(path).observed_utc is None


def test_raw_files_are_grouped_like_others(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / "bias").mkdir(exist_ok=True)
        dng_file(tmp_path / "bias" / f"{i}.DNG", pixels(), taken=f"2026:03:04 21:30:0{i}")
    result = scan(JobContext(), [tmp_path])
    assert [h.kind for h in result.headers] == ["bias"] * 3
    assert not result.ungrouped


def test_cards_for_masters(tmp_path: Path) -> None:
    (hdu,) = read_hdus(dng_file(tmp_path / "a.dng", pixels()))
    assert hdu.cards.value("BAYERPAT") == "RGGB"
    assert hdu.cards.value("ISOSPEED") == 800


@pytest.mark.parametrize("size", [0, 5, 100, 2000, 5000])
def test_cut_off_files_are_named(size: int, tmp_path: Path) -> None:
    path = dng_file(tmp_path / "a.dng", pixels())
    path.write_bytes(path.read_bytes()[:size])
    for read in (read_image, read_header):
        with pytest.raises(FileProblemError, match=r"a\.dng") as caught:
            read(path)
        assert caught.value.hint


def test_a_picture_that_is_cut_off_behind_its_header(tmp_path: Path) -> None:
    """The directory stands before the pixels here: LibRaw alone would give zeros for the rest."""
    path = dng_file(tmp_path / "a.dng", pixels())
    raw = path.read_bytes()
    # Let the strip begin so late that half of it is beyond the end.
    at = raw.index(struct.pack("<HHI", 273, 4, 1)) + 8
    late = len(raw) - NY * NX
    path.write_bytes(raw[:at] + struct.pack("<I", late) + raw[at + 4 :])
    with pytest.raises(FileProblemError, match=r"cut off|decoded"):
        read_image(path)


def test_an_absurd_size_is_refused(tmp_path: Path) -> None:
    path = dng_file(tmp_path / "a.dng", pixels())
    raw = path.read_bytes()
    for tag in (256, 257):
        at = raw.index(struct.pack("<HHI", tag, 4, 1)) + 8
        raw = raw[:at] + struct.pack("<I", 60_000) + raw[at + 4 :]
    path.write_bytes(raw)
    with pytest.raises(FileProblemError, match=r"a\.dng"):
        read_image(path)


def test_a_frame_with_a_wrong_ending_is_read_for_what_it_is(tmp_path: Path) -> None:
    from astropy.io import fits

    fits.PrimaryHDU(np.ones((4, 5), np.float32)).writeto(tmp_path / "a.fits")
    (tmp_path / "a.fits").rename(tmp_path / "a.mef")
    dng_file(tmp_path / "b.dng", pixels())
    with open_frame(tmp_path / "a.mef") as file:
        assert file.shape() == (4, 5)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_metadata_costs_nothing(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    raw = bytearray(dng_file(tmp_path / "a.dng", pixels()).read_bytes())
    for at in rng.integers(0, len(raw), 200):
        raw[at] = rng.integers(0, 256)
    for start in (b"", b"II*\0\x08\0\0\0"):
        whole = start + bytes(raw[len(start) :])
        assert isinstance(read_facts(lambda o, n, w=whole: w[o : o + n], len(whole)), CameraFacts)
