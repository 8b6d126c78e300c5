"""Frames of every type in one stack: exact against double precision, and nothing overflows."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import ArrayRows
from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from calibstudio.imaging.combine import ArraySink, combine
from calibstudio.services.stack import stack_files
from tests.helpers.dng_file import dng_file
from tests.helpers.xisf_files import xisf_file

NY, NX = 24, 34
PLAIN = {reject: StackSettings(reject=reject, min_keep=1) for reject in Rejection}


def plain(path: Path, data: np.ndarray) -> Path:
    fits.PrimaryHDU(data).writeto(path)
    return path


def scaled(path: Path, data: np.ndarray) -> Path:
    """Quarters of an ADU by BSCALE, with a blank that is not used."""
    hdu = fits.PrimaryHDU(np.rint((data - 1000) * 4).astype(np.int32))
    hdu.writeto(path)
    for keyword, value in (("BSCALE", 0.25), ("BZERO", 1000.0), ("BLANK", -9999)):
        fits.setval(path, keyword, value=value)
    return path


def packed(path: Path, data: np.ndarray) -> Path:
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(data, compression_type="RICE_1")]
    fits.HDUList(hdus).writeto(path)
    return path


def unpacked_by(pack: Callable[[bytes], bytes]) -> Callable[[Path, np.ndarray], Path]:
    def write(path: Path, data: np.ndarray) -> Path:
        # Not by its name: astropy would pack it, too.
        whole = plain(path.with_name("whole.fits"), data)
        path.write_bytes(pack(whole.read_bytes()))
        whole.unlink()
        return path

    return write


WRITERS: dict[str, tuple[str, Callable[[Path, np.ndarray], Path], str]] = {
    "uint16": ("u2", plain, "a.fits"),
    "float32": ("f4", plain, "b.fits"),
    "int32": ("i4", plain, "c.fits"),
    "int16": ("i2", plain, "d.fits"),
    "uint32": ("u4", plain, "e.fits"),
    "int64": ("i8", plain, "f.fits"),
    "float64": ("f8", plain, "g.fits"),
    "BSCALE": ("i4", scaled, "h.fits"),
    "Rice": ("u2", packed, "i.fits.fz"),
    "gzip": ("u2", unpacked_by(gzip.compress), "j.fits.gz"),
    "bzip2": ("f4", unpacked_by(bz2.compress), "k.fits.bz2"),
    "XISF": ("u2", lambda p, d: xisf_file(p, d), "l.xisf"),
    "XISF lz4": ("u2", lambda p, d: xisf_file(p, d, codec="lz4+sh"), "m.xisf"),
    "XISF big": ("u4", lambda p, d: xisf_file(p, d, order="big"), "n.xisf"),
    "camera raw": ("u2", lambda p, d: dng_file(p, d), "o.dng"),
}


@pytest.mark.parametrize("combination", [Combine.MEAN, Combine.MEDIAN])
def test_all_types_in_one_stack(combination: Combine, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    paths, stack = [], []
    for kind, writer, name in WRITERS.values():
        data = rng.integers(900, 1100, (NY, NX)).astype(kind)
        stack.append(data.astype(np.float64))
        paths.append(writer(tmp_path / name, data))
    choice = StackSettings(combine=combination, reject=Rejection.NONE)

    report = stack_files(JobContext(), paths, tmp_path / "out.fits", choice, memory_bytes=1 << 24)

    assert not report.skipped
    assert report.n_frames == len(WRITERS)
    middle = np.mean if combination is Combine.MEAN else np.median
    expected = middle(np.array(stack), axis=0).astype(np.float32)
    with fits.open(tmp_path / "out.fits") as hdus:
        np.testing.assert_array_equal(hdus[0].data, expected)
        assert (hdus["CNT"].data == len(WRITERS)).all()
        if combination is Combine.MEAN:
            unc = np.std(np.array(stack), axis=0, ddof=1) / np.sqrt(len(stack))
            np.testing.assert_allclose(hdus["UNC"].data, unc, rtol=1e-6)


def combined(frames: list[np.ndarray], choice: StackSettings) -> ArraySink:
    sink = ArraySink((frames[0].shape[0], frames[0].shape[1]))
    combine(JobContext(), [ArrayRows(f) for f in frames], choice, sink)
    return sink


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 10, 51, 128, 255, 256, 257, 500])
def test_any_number_of_frames_of_mixed_types(n: int) -> None:
    rng = np.random.default_rng(n)
    kinds = ("u2", "f4", "i4", "u1", "f8", "i8")
    frames = [rng.integers(0, 250, (5, 40)).astype(kinds[i % len(kinds)]) for i in range(n)]
    stack = np.array([f.astype(np.float64) for f in frames])

    mean = combined(frames, StackSettings(reject=Rejection.NONE, min_keep=1))
    median = combined(frames, StackSettings(Combine.MEDIAN, Rejection.NONE, min_keep=1))

    np.testing.assert_array_equal(mean.image, stack.mean(axis=0).astype(np.float32))
    np.testing.assert_array_equal(median.image, np.median(stack, axis=0).astype(np.float32))
    assert (mean.cnt == n).all()
    if n > 1:
        # Equal integers are uncertain by their rounding.
        unc = np.sqrt(np.maximum(np.var(stack, axis=0, ddof=1), 1 / 12) / n)
        np.testing.assert_allclose(mean.unc, unc, rtol=1e-6)
    else:
        assert np.isnan(mean.unc).all()


LIMITS = {
    "i4": (-(2**31), 2**31 - 1),
    "u4": (0, 2**32 - 1),
    "i8": (-(2**63), 2**63 - 1),
    "u8": (0, 2**64 - 1),
}
rules = st.sampled_from([*Rejection])
few = settings(max_examples=30, deadline=None)


@few
@given(kind=st.sampled_from([*LIMITS]), n=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_integers_at_their_limits(kind: str, n: int, seed: int) -> None:
    """The sum of many is far beyond the type; each value is rounded to 24 bits once."""
    rng = np.random.default_rng(seed)
    low, high = LIMITS[kind]
    frames = [rng.choice(np.array([low, high], dtype=kind), (2, 17)) for _ in range(n)]
    stack = np.array([f.astype(np.float32).astype(np.float64) for f in frames])

    sink = combined(frames, StackSettings(reject=Rejection.NONE, min_keep=1))

    np.testing.assert_allclose(sink.image, stack.mean(axis=0), rtol=1e-6, atol=high * 1e-7)
    if n > 1:
        unc = np.std(stack, axis=0, ddof=1) / np.sqrt(n)
        np.testing.assert_allclose(sink.unc, unc, rtol=1e-5, atol=high * 1e-7)


@few
@given(
    reject=rules,
    n=st.integers(3, 30),
    power=st.integers(0, 100),
    median=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_large_numbers_scale_like_small_ones(
    reject: Rejection, n: int, power: int, median: bool, seed: int
) -> None:
    """Up to 1e30 (2^100): no square, sum or fourth power on the way is too large for its type.

    A power of two changes no digit, so the result must be the same one, scaled.
    """
    rng = np.random.default_rng(seed)
    small = [rng.normal(5, 1, (3, 19)).astype(np.float32) for _ in range(n)]
    small[0][1, 3:9] += 60
    factor = np.float32(2.0) ** power
    choice = StackSettings(Combine.MEDIAN if median else Combine.MEAN, reject)

    one = combined(small, choice)
    other = combined([f * factor for f in small], choice)

    np.testing.assert_array_equal(one.cnt, other.cnt)
    np.testing.assert_array_equal(one.image * factor, other.image)
    assert np.isfinite(other.image).all()
    np.testing.assert_allclose(one.unc * factor, other.unc, rtol=1e-6)


def test_what_single_precision_cannot_hold_is_left_out_and_not_infinite(tmp_path: Path) -> None:
    paths = []
    for i in range(5):
        data = np.full((4, 5), 100.0 + i)
        if i == 0:
            data[2, 3] = 1e300
        paths.append(plain(tmp_path / f"{i}.fits", data))
    stack_files(JobContext(), paths, tmp_path / "out.fits", PLAIN[Rejection.NONE])
    with fits.open(tmp_path / "out.fits") as hdus:
        assert hdus[0].data[2, 3] == 102.5
        assert hdus["CNT"].data[2, 3] == 4
        assert (hdus["CNT"].data == 5).sum() == 19


def test_blank_pixels_of_some_types_are_left_out(tmp_path: Path) -> None:
    paths = []
    for i in range(4):
        hdu = fits.PrimaryHDU(np.full((4, 5), 50 + i, np.int16))
        hdu.data[1, 1] = -5 if i < 2 else 60
        path = tmp_path / f"{i}.fits"
        hdu.writeto(path)
        fits.setval(path, "BLANK", value=-5)
        paths.append(path)
    paths.append(plain(tmp_path / "x.fits", np.full((4, 5), np.nan, np.float32)))
    stack_files(JobContext(), paths, tmp_path / "out.fits", PLAIN[Rejection.NONE])
    with fits.open(tmp_path / "out.fits") as hdus:
        assert hdus[0].data[1, 1] == 60
        assert hdus["CNT"].data[1, 1] == 2
        assert hdus["CNT"].data[0, 0] == 4
