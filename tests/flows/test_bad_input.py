"""Bad input at the command line: a sentence that names it, the rest goes on, nothing is lost."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.cli import main as cli

pytestmark = pytest.mark.filterwarnings("error")


class Ran(NamedTuple):
    """What a command line gave."""

    code: int
    document: dict[str, Any]
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line in this process; every promise about its answer is checked here."""

    def run(*argv: object) -> Ran:
        capsys.readouterr()
        code = cli.run([str(a) for a in argv])
        out, err = capsys.readouterr()
        assert code in (0, 1, 2, 130)
        assert "Traceback" not in err
        assert "did not expect" not in err
        assert bool(err) == (code != 0), "a problem is said, and nothing else"
        document = {}
        if "--json" in argv:
            assert bool(out) == (code in (0, 1))
            document = json.loads(out) if out else {}
        return Ran(code, document, out, err)

    return run


def header(kind: str = "Bias Frame", second: int = 0, **cards: object) -> fits.Header:
    """The header of a cooled camera's frame."""
    said = {
        "IMAGETYP": kind,
        "INSTRUME": "ZWO ASI2600MM",
        "GAIN": 100,
        "OFFSET": 50,
        "EXPTIME": 0.001 if "Bias" in kind else 10.0,
        "SET-TEMP": -10.0,
        "CCD-TEMP": -10.0,
        "DATE-OBS": f"2026-04-17T22:00:{second:02d}",
        **{k.replace("__", "-"): v for k, v in cards.items()},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # long strings and odd words are what is wanted
        return fits.Header(list(said.items()))


def fits_bytes(data: np.ndarray | None = None, **cards: object) -> bytes:
    """A FITS file, a bias frame unless told."""
    if data is None:
        data = np.random.default_rng(5).normal(500, 5, (24, 32)).astype(np.uint16)
    file = io.BytesIO()
    fits.PrimaryHDU(data, header(**cards)).writeto(file)
    return file.getvalue()


def patched(raw: bytes, keyword: str, value: str) -> bytes:
    """The same file with another value in one card, as broken writers leave it."""
    at = raw.index(keyword.ljust(8).encode() + b"=")
    return raw[:at] + f"{keyword:<8}= {value:>20}".ljust(80).encode("latin-1") + raw[at + 80 :]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five sound bias frames."""
    folder = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(1)
    paths = []
    for i in range(5):
        path = folder / f"good{i}.fits"
        data = rng.normal(500, 5, (24, 32)).astype(np.uint16)
        path.write_bytes(fits_bytes(data, second=i))
        paths.append(path)
    return paths


ABSURD = {
    "EXPTIME": ("1E308", "-5", "99999999999999999999", "NAN", "INF", "'1,5'"),
    "DATE-OBS": (
        "'9999-12-31T23:59:59.999'",
        "'9999-12-31T23:59:59-14:00'",
        "'0001-01-01T00:00:00+14:00'",
        "'0000-00-00T00:00:00'",
        "1E300",
    ),
    "GAIN": ("1E308", "-1"),
    "SET-TEMP": ("1E300",),
}


@pytest.mark.parametrize(("keyword", "value"), [(k, v) for k, vs in ABSURD.items() for v in vs])
def test_an_absurd_value_stops_neither_its_file_nor_the_rest(
    run: Callable[..., Ran], tmp_path: Path, good: list[Path], keyword: str, value: str
) -> None:
    bad = tmp_path / "bad.fits"
    bad.write_bytes(patched(fits_bytes(), keyword, value))

    said = run("headers", "--json", bad)
    grouped = run("groups", "--json", bad.parent, good[0].parent)

    assert said.document["files"][0]["kind"] == "bias"
    assert sum(len(g["frames"]) for g in grouped.document["groups"]) == 6


def test_an_impossible_exposure_and_date_are_said(run: Callable[..., Ran], tmp_path: Path) -> None:
    path = tmp_path / "bad.fits"
    raw = patched(fits_bytes(), "EXPTIME", "1E300")
    path.write_bytes(patched(raw, "DATE-OBS", "'9999-12-31T00:00:00'"))

    found = run("headers", "--json", path).document["files"][0]

    assert "exposure_s" not in found["values"]
    assert "observed_utc" not in found["values"]
    assert [n.split()[0] for n in found["notes"]] == ["EXPTIME", "DATE-OBS"]


@pytest.mark.parametrize("bits", ["7", "0", "-16", "9" * 30])
def test_pixels_of_an_impossible_size_are_damage(
    run: Callable[..., Ran], tmp_path: Path, bits: str
) -> None:
    path = tmp_path / "bits.fits"
    path.write_bytes(patched(fits_bytes(), "BITPIX", bits))

    assert "bits for each pixel" in run("headers", path).err


def packed(method: str, **settings: Any) -> bytes:
    """A picture compressed in tiles."""
    file = io.BytesIO()
    data = np.random.default_rng(2).normal(1000, 30, (24, 32)).astype(np.int16)
    hdu = fits.CompImageHDU(data, header(), compression_type=method, **settings)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file)
    return file.getvalue()


def in_tiles(raw: bytes, keyword: str, value: str) -> bytes:
    """The same with another value in the header of the tiles."""
    at = raw.index(b"XTENSION")
    return raw[:at] + patched(raw[at:], keyword, value)


METHODS = ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1")
TRAPS = [
    *(("ZTILE1", v) for v in ("0", "-1", "7")),
    *(("ZNAXIS1", v) for v in ("1000000", "31", "-3")),
    *(("PCOUNT", v) for v in ("0", "99999999")),
    ("NAXIS1", "0"),
    ("NAXIS2", "100000"),
    ("TFIELDS", "0"),
    ("TFORM1", "'1PZ(9)'"),
    ("ZCMPTYPE", "'NONSENSE'"),
    ("ZBITPIX", "-7"),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("keyword", "value"), TRAPS)
def test_tiles_that_do_not_fit_their_header_are_left_out_and_end_nothing(
    run: Callable[..., Ran],
    tmp_path: Path,
    good: list[Path],
    method: str,
    keyword: str,
    value: str,
) -> None:
    bad = tmp_path / "bad.fits.fz"
    bad.write_bytes(in_tiles(packed(method), keyword, value))

    stacked = run("stack", "--json", bad, *good, "-o", tmp_path / "o.fits")

    assert stacked.code == 1
    assert stacked.document["n_frames"] == len(good)
    assert "bad.fits.fz" in stacked.err


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_stream_of_tiles_is_left_out(
    run: Callable[..., Ran], tmp_path: Path, good: list[Path], method: str
) -> None:
    raw = bytearray(packed(method))
    draw = random.Random(3)
    for _ in range(200):
        raw[draw.randrange(5760, len(raw))] = draw.randrange(256)
    bad = tmp_path / "bad.fits.fz"
    bad.write_bytes(raw)

    stacked = run("stack", "--json", bad, *good, "-o", tmp_path / "o.fits")

    assert stacked.code == 1
    assert "bad.fits.fz is broken" in stacked.err


@pytest.mark.parametrize("method", METHODS)
def test_sound_tiles_are_read(run: Callable[..., Ran], tmp_path: Path, method: str) -> None:
    path = tmp_path / "ok.fits.fz"
    path.write_bytes(packed(method, tile_shape=(8, 32)))

    run("stack", path, "-o", tmp_path / "o.fits")

    with fits.open(path) as there, fits.open(tmp_path / "o.fits") as ours:
        assert np.array_equal(there[1].data, ours[0].data)


ZEROS = b"\0" * (16 << 20)
CLAIMS_MUCH = patched(patched(fits_bytes(), "NAXIS1", "80000"), "NAXIS2", "67000")[:2880]
BOMBS = {
    "behind": (fits_bytes(), "far more than the picture"),
    "claimed": (CLAIMS_MUCH, "would unpack to 10.7"),
    "zeros": (b"", "not a FITS file"),
    "no-end": (b"SIMPLE  =                    T".ljust(80), "no END"),
}


@pytest.mark.parametrize(
    ("name", "packer"),
    [*((name, gzip) for name in BOMBS), ("behind", bz2), ("behind", lzma), ("claimed", bz2)],
)
def test_a_bomb_is_refused_before_it_fills_the_memory(
    run: Callable[..., Ran], tmp_path: Path, good: list[Path], name: str, packer: Any
) -> None:
    # Given ten gigabytes in few bytes: parts that unpack one after the other.
    start, words = BOMBS[name]
    filler = b"COMMENT ".ljust(80) * 200_000 if name == "no-end" else ZEROS
    bomb = tmp_path / "bomb.fits.gz"
    bomb.write_bytes(packer.compress(start) + packer.compress(filler) * 640)
    assert bomb.stat().st_size < 40_000_000

    began = time.monotonic()
    looked = run("headers", bomb)
    stacked = run("stack", "--json", bomb, *good, "-o", tmp_path / "o.fits")

    assert time.monotonic() - began < 10
    assert stacked.document["n_frames"] == len(good)
    assert "bomb.fits.gz" in stacked.err and words in stacked.err
    assert looked.code == (0 if name == "behind" else 1)


def test_a_gzip_bomb_in_a_tile_is_refused(
    run: Callable[..., Ran], tmp_path: Path, good: list[Path]
) -> None:
    raw = packed("GZIP_1", tile_shape=(24, 32))
    stream = gzip.compress(b"\0" * (64 << 20), mtime=0)
    table = raw.index(b"XTENSION")
    at = raw.index(b"END".ljust(80), table)
    rows = (at // 2880 + 1) * 2880
    heap = np.array([len(stream), 0], ">i4").tobytes() + stream
    bad = tmp_path / "bad.fits.fz"
    bad.write_bytes(in_tiles(raw, "PCOUNT", str(len(stream)))[:rows] + heap)

    stacked = run("stack", bad, *good, "-o", tmp_path / "o.fits")

    assert "a tile unpacks to more than its pixels" in stacked.err


def test_a_picture_too_large_for_this_computer_is_refused(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    # Given a file with holes: it takes no room on the disk and 512 GB in memory.
    path = tmp_path / "holes.fits"
    raw = patched(patched(fits_bytes(), "NAXIS1", "256000"), "NAXIS2", "256000")
    with path.open("wb") as file:
        file.write(raw[:2880])
        file.truncate(2880 + 2 * 256000 * 256000 + 2880)

    assert "too large for this computer" in run("qc", path).err


@pytest.mark.parametrize("packer", [gzip, bz2, lzma])
def test_every_packing_that_pixels_are_read_from_is_read_by_a_scan(
    run: Callable[..., Ran], tmp_path: Path, packer: Any
) -> None:
    path = tmp_path / "x.fits.xz"
    path.write_bytes(packer.compress(fits_bytes()))

    assert len(run("groups", "--json", tmp_path).document["groups"][0]["frames"]) == 1
    assert run("stack", path, "-o", tmp_path / "o.fits").code == 0
