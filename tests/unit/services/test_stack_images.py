"""Files with several images: each detector by itself, none dropped in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import CalibrationError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Rejection, StackSettings
from calibstudio.services.stack import stack_files
from calibstudio.services.stack_summary import summary
from tests.helpers.xisf_files import xisf_file

MEAN = StackSettings(reject=Rejection.NONE, min_keep=1)
AMPS = {"GREEN_AMP1": (8, 20), "GREEN_AMP2": (8, 20), "RED_AMP1": (6, 24)}
RNG = np.random.default_rng(11)


def mosaic(
    path: Path, number: int, names: list[str] | None = None, **other: object
) -> dict[str, np.ndarray]:
    """Write a file as KPF's: amplifiers in extensions, a table between, an empty primary."""
    data = {
        name: RNG.integers(900, 1100, AMPS[name]).astype(np.uint16) for name in names or [*AMPS]
    }
    hdus: list[object] = [fits.PrimaryHDU()]
    hdus[0].header["IMTYPE"] = "Bias"
    for i, (name, pixels) in enumerate(data.items()):
        hdus.append(fits.ImageHDU(pixels, name=name))
        hdus[-1].header["DETSEC"] = f"[{i}:1,1:1]"
        if i == 0:
            column = fits.Column("TIME", "D", array=np.arange(3.0))
            hdus.append(fits.BinTableHDU.from_columns([column], name="EXPMETER"))
    fits.HDUList(hdus).writeto(path)
    return data


def mean_of(frames: list[dict[str, np.ndarray]], name: str) -> np.ndarray:
    stack = np.array([f[name] for f in frames if name in f], dtype=np.float64)
    return stack.mean(axis=0).astype(np.float32)


def images(path: Path) -> dict[str, np.ndarray]:
    with fits.open(path) as hdus:
        hdus.verify("exception")
        return {h.name: np.array(h.data) for h in hdus if h.data is not None}


def test_amplifiers_of_different_sizes_in_any_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.fits" for i in range(3)]
    frames = [
        mosaic(paths[0], 0),
        mosaic(paths[1], 1, [*reversed(AMPS)]),
        mosaic(paths[2], 2, ["GREEN_AMP2", "RED_AMP1", "GREEN_AMP1"]),
    ]
    report = stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    got = images(tmp_path / "out.fits")
    assert [n for n in got if "_UNC" not in n and "_CNT" not in n] == [*AMPS]
    for name in AMPS:
        np.testing.assert_array_equal(got[name], mean_of(frames, name))
        assert (got[f"{name}_CNT"] == 3).all()
        assert got[f"{name}_UNC"].shape == AMPS[name]
    assert not report.skipped
    assert fits.getheader(tmp_path / "out.fits", "RED_AMP1")["NCOMBINE"] == 3


def test_an_extension_that_some_files_lack_comes_from_the_others(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.fits" for i in range(4)]
    frames = [mosaic(p, i) for i, p in enumerate(paths[:3])]
    frames.append(mosaic(paths[3], 3, ["GREEN_AMP1", "RED_AMP1"]))

    report = stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    got = images(tmp_path / "out.fits")
    np.testing.assert_array_equal(got["GREEN_AMP2"], mean_of(frames, "GREEN_AMP2"))
    assert (got["GREEN_AMP2_CNT"] == 3).all()
    assert (got["GREEN_AMP1_CNT"] == 4).all()
    assert fits.getheader(tmp_path / "out.fits", "GREEN_AMP2")["NCOMBINE"] == 3
    assert [s.message for s in report.skipped] == [
        f"{paths[3]} has no image GREEN_AMP2: that image was combined from the other 3 frames."
    ]


def test_an_extension_of_one_file_alone_is_said_and_not_stacked(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.fits" for i in range(3)]
    mosaic(paths[0], 0)
    for i in (1, 2):
        mosaic(paths[i], i, ["GREEN_AMP1", "GREEN_AMP2"])

    report = stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    assert "RED_AMP1" not in images(tmp_path / "out.fits")
    assert [s.message for s in report.skipped] == [
        f"{paths[0]} alone has the image RED_AMP1: it was left out."
    ]
    assert report.n_frames == 3


def test_an_extension_of_another_size_costs_its_file(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.fits" for i in range(3)]
    for i, path in enumerate(paths):
        mosaic(path, i)
    with fits.open(paths[1], mode="update") as hdus:
        hdus["RED_AMP1"].data = np.zeros((6, 23), np.uint16)

    report = stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    assert report.used == (paths[0], paths[2])
    assert "is 23 × 6 pixels in RED_AMP1, the other 2 frames 24 × 6." in report.skipped[0].message


def test_a_picture_in_the_primary_beside_others(tmp_path: Path) -> None:
    paths, first, second = [], [], []
    for i in range(3):
        first.append(RNG.normal(500, 5, (5, 6)).astype(np.float32))
        second.append(RNG.normal(100, 5, (4, 9)).astype(np.float32))
        paths.append(tmp_path / f"{i}.fits")
        fits.HDUList([fits.PrimaryHDU(first[i]), fits.ImageHDU(second[i], name="GUIDE")]).writeto(
            paths[i]
        )
    stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    with fits.open(tmp_path / "out.fits") as hdus:
        names = [h.header.get("EXTNAME") for h in hdus]
        assert names == [
            None,
            *("PRIMARY", "PRIMARY_UNC", "PRIMARY_CNT"),
            *("GUIDE", "GUIDE_UNC", "GUIDE_CNT"),
        ]
        np.testing.assert_allclose(hdus[1].data, np.mean(first, axis=0), rtol=1e-6)
        np.testing.assert_allclose(hdus["GUIDE"].data, np.mean(second, axis=0), rtol=1e-6)


def test_masks_and_variances_are_no_pictures_and_versions_keep_their_numbers(
    tmp_path: Path,
) -> None:
    paths = []
    for i in range(3):
        hdus: list[object] = [fits.PrimaryHDU()]
        for version in (1, 2):
            for name in ("SCI", "VAR", "DQ"):
                pixels = np.full((4, 5), 100 * version + i, np.float32)
                hdus.append(fits.ImageHDU(pixels, name=name, ver=version))
                hdus[-1].header["GAIN"] = 1.0 + version
        paths.append(tmp_path / f"{i}.fits")
        fits.HDUList(hdus).writeto(paths[i])

    report = stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    with fits.open(tmp_path / "out.fits") as hdus:
        assert [(h.name, h.ver) for h in hdus[1:]] == [
            *(("SCI", 1), ("SCI_UNC", 1), ("SCI_CNT", 1)),
            *(("SCI", 2), ("SCI_UNC", 2), ("SCI_CNT", 2)),
        ]
        np.testing.assert_array_equal(hdus["SCI", 2].data, 201)
        assert hdus["SCI", 2].header["GAIN"] == 3.0
    assert not report.skipped
    assert "no pictures of their own: DQ,1, DQ,2, VAR,1, VAR,2." in summary(report)


def test_extensions_without_names(tmp_path: Path) -> None:
    paths = []
    for i in range(3):
        hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(np.full((4, 4), 10 * k + i)) for k in (1, 2))]
        paths.append(tmp_path / f"{i}.fits")
        fits.HDUList(hdus).writeto(paths[i])
    stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    got = images(tmp_path / "out.fits")
    np.testing.assert_array_equal(got["HDU1"], 11)
    np.testing.assert_array_equal(got["HDU2"], 21)


def test_files_that_share_nothing_are_refused(tmp_path: Path) -> None:
    mosaic(tmp_path / "a.fits", 0)
    fits.PrimaryHDU(np.zeros((8, 20), np.uint16)).writeto(tmp_path / "b.fits")
    with pytest.raises(CalibrationError, match=r"b\.fits holds other images"):
        stack_files(
            JobContext(), [tmp_path / "a.fits", tmp_path / "b.fits"], tmp_path / "out.fits", MEAN
        )


def test_colours_of_xisf(tmp_path: Path) -> None:
    paths, cubes = [], []
    for i in range(3):
        cubes.append(RNG.integers(0, 60000, (3, 6, 7)).astype(np.uint16))
        paths.append(xisf_file(tmp_path / f"{i}.xisf", cubes[i], codec="zstd+sh" if i else ""))
    stack_files(JobContext(), paths, tmp_path / "out.fits", MEAN)

    got = images(tmp_path / "out.fits")
    for k, name in enumerate("RGB"):
        expected = np.mean([c[k] for c in cubes], axis=0, dtype=np.float64)
        np.testing.assert_array_equal(got[name], expected.astype(np.float32))
