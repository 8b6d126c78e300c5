"""Masters of real frames: pixels and words worked out independently with astropy and numpy."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from numpy.typing import NDArray

from calibstudio.cli.main import run

ARCSAT, STL = "test-only/arcsat_maxim650", "test-only/stl1001e_ccdsoft"
SMALL = Path(__file__).parents[1] / "data"
Capture = pytest.CaptureFixture[str]


def masters(capsys: Capture, *argv: object) -> tuple[int, dict[str, Any], str]:
    """Run `calibstudio masters --json`; returns exit code, document, standard error."""
    code = run(["masters", *(str(a) for a in argv), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def of_kind(document: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [m for m in document["masters"] if m["kind"] == f"master {kind}"]
    return found


def pixels(paths: list[Path]) -> NDArray[np.float64]:
    return np.stack([fits.getdata(p).astype(np.float64) for p in paths])


def clipped_mean(stack: NDArray[np.float64], read_noise: float) -> NDArray[np.float64]:
    """RULES 4 for 4 to 9 frames, word for word, pixel by pixel in numpy.

    One pass about the median at 5 s, s = max(1.4826 b_N MAD, read noise, one ADU); at least the
    3 nearest values stay.
    """
    n = len(stack)
    factor = {4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}[n]
    middle = np.median(stack, axis=0)
    away = np.abs(stack - middle)
    spread = np.maximum(1.4826 * factor * np.median(away, axis=0), max(read_noise, 1.0))
    keep = away <= 5.0 * spread
    nearest = np.argsort(np.argsort(away, axis=0, kind="stable"), axis=0, kind="stable") < 3
    keep |= nearest & (keep.sum(axis=0) < 3)
    return np.asarray(np.where(keep, stack, 0).sum(axis=0) / keep.sum(axis=0))


def noise_of_pairs(stack: NDArray[np.float64]) -> float:
    """Noise of one frame from differences clipped at 5 sigma, in the frames' order."""
    pairs = [stack[i] - stack[i + 1] for i in range(0, len(stack) - 1, 2)]
    away = [np.abs(d - np.median(d)) for d in pairs]
    kept = [d[a < 5 * 1.4826 * np.median(a)] for d, a in zip(pairs, away, strict=True)]
    return float(np.sqrt(np.mean([np.var(d) for d in kept]) / 2))


def tile_level(image: NDArray[np.float64]) -> float:
    """Median of the medians of the 64 tiles of 64 x 64 in the middle of a 1024 x 1024 picture."""
    middle = image[256:768, 256:768].reshape(8, 64, 8, 64).swapaxes(1, 2).reshape(64, -1)
    return float(np.median(np.median(middle, axis=1)))


@pytest.fixture(scope="module")
def arcsat(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that ARCSAT's folder gives."""
    folder = tmp_path_factory.mktemp("arcsat")
    assert run(["masters", str(shared_data / ARCSAT), "--library", str(folder)]) == 0
    return folder


def only(folder: Path, kind: str) -> Path:
    (path,) = folder.rglob(f"master_{kind}_*.fits")
    return path


def test_arcsat_bias_and_dark_are_what_the_rule_gives(shared_data: Path, arcsat: Path) -> None:
    source = shared_data / ARCSAT
    for kind, exposure in (("bias", 0.0), ("dark", 10.0)):
        frames = sorted((source / kind).glob("*.gz"))
        path = only(arcsat, kind)
        header = fits.getheader(path)
        with fits.open(path) as hdus:
            stack = pixels(frames)
            assert header["REJFLOOR"] == pytest.approx(noise_of_pairs(stack), rel=0.03)
            expected = clipped_mean(stack, header["REJFLOOR"])

            np.testing.assert_allclose(hdus[0].data, expected, rtol=1e-6)
            assert int(hdus["CNT"].data.min()) >= 3
            table = hdus["INPUTS"].data
            assert list(table["FILE"]) == [f.name for f in frames]
            assert list(table["EXPTIME"]) == [exposure] * 5
        first = [fits.getheader(f) for f in frames]
        assert header["EXPTIME"] == exposure
        assert header["INSTRUME"] == "dcam-spare"
        assert header["TELESCOP"] == first[0]["TELESCOP"]
        assert header["SET-TEMP"] == -25.0
        temps = [h["CCD-TEMP"] for h in first]
        assert header["CCD-TEMP"] == pytest.approx(np.mean(temps), abs=1e-6)
        if len(set(temps)) > 1:
            assert (header["CCD-TMIN"], header["CCD-TMAX"]) == (min(temps), max(temps))
        assert header["ROWORDER"] == "TOP-DOWN"
        assert (header["XPIXSZ"], header["FOCALLEN"]) == (13.0, 4014.0)
        assert "GAIN" not in header, "unknown is not written as a number"
        assert (header["NFRAMES"], header["NCOMBINE"]) == (5, 5)
        assert (header["COMBTYPE"], header["REJTYPE"]) == ("mean", "mad")
        assert (header["BIASSUB"], header["DARKSUB"]) == (False, False)
        assert header["BUNIT"] == "adu"
        starts = sorted(Time(h["DATE-OBS"], scale="utc").mjd for h in first)
        assert header["MINMJD"] == pytest.approx(starts[0], abs=1e-8)
        assert header["MAXMJD"] == pytest.approx(starts[-1], abs=1e-8)
        assert header["NIGHT"] == "2025-05-31", "03 UTC in New Mexico is the evening before"
        assert header["INFOBITS"] == 1, "five frames are fewer than KPF's ten"


def test_arcsat_flat_takes_the_dark_of_ten_seconds_out(shared_data: Path, arcsat: Path) -> None:
    flats = pixels(sorted((shared_data / ARCSAT / "flat").glob("*.gz")))
    dark = fits.getdata(only(arcsat, "dark")).astype(np.float64)
    path = only(arcsat, "flat")

    light = flats - dark
    levels = np.array([tile_level(frame) for frame in light])
    expected = np.median(light * (np.median(levels) / levels)[:, None, None], axis=0)
    expected /= tile_level(expected)

    # The program works in float32: one part in 1.7e7 of 20 000 ADU in each of a few steps.
    np.testing.assert_allclose(fits.getdata(path), expected, rtol=2e-6)
    header = fits.getheader(path)
    assert header["NORMVAL"] == pytest.approx(18_601.5, rel=1e-3)
    assert header["CAL_DARK"] == only(arcsat, "dark").name
    assert (header["BIASSUB"], header["DARKSUB"]) == (True, True)
    assert header["FILTER"] == "r"
    assert (header["EXPTIMIN"], header["EXPTIMAX"]) == (13.59, 13.9)
    history = " ".join(str(line) for line in header["HISTORY"])
    assert "0.05 % of their level" in history
    assert "Neither the flats nor these masters say: gain, offset" in history


def test_arcsat_dark_calibrates_a_light_to_a_flat_background(
    shared_data: Path, arcsat: Path
) -> None:
    light = fits.getdata(next((shared_data / ARCSAT / "light").glob("*_r_*"))).astype(np.float64)
    dark, flat = (fits.getdata(only(arcsat, k)).astype(np.float64) for k in ("dark", "flat"))

    calibrated = (light - dark) / flat

    # Some 200 pixels gather more than 20 ADU/s, the hottest 1 170; they come to the sky within
    # the telegraph noise of hot pixels.
    hot = dark > 1_555
    assert hot.sum() > 100
    assert np.median((light - 1_355)[hot]) > 300
    assert abs(np.median(calibrated[hot]) - np.median(calibrated)) < 20
    assert 20 < np.median(calibrated) < 40


def test_arcsat_again_and_elsewhere_gives_the_same_bytes(
    shared_data: Path, arcsat: Path, tmp_path: Path, capsys: Capture
) -> None:
    copy = tmp_path / "a copy"
    shutil.copytree(shared_data / ARCSAT, copy)

    code, again, _ = masters(capsys, shared_data / ARCSAT, "--library", arcsat)
    _, elsewhere, _ = masters(capsys, copy, "--library", tmp_path / "second")

    assert code == 0
    assert [m["new"] for m in again["masters"]] == [False] * 4
    for one, two in zip(again["masters"], elsewhere["masters"], strict=True):
        assert Path(one["path"]).name == Path(two["path"]).name
        assert Path(one["path"]).read_bytes() == Path(two["path"]).read_bytes()


def test_arcsats_dark_alone_and_with_the_rest_is_never_refused(
    shared_data: Path, arcsat: Path, tmp_path: Path, capsys: Capture
) -> None:
    source = shared_data / ARCSAT

    code, alone, _ = masters(capsys, source / "dark", "--library", tmp_path)
    whole_code, whole, err = masters(capsys, source, "--library", tmp_path)

    assert (code, whole_code, whole["skipped"], err) == (0, 0, [], "")
    one, two = Path(of_kind(alone, "dark")["path"]), Path(of_kind(whole, "dark")["path"])
    for plane in (0, "UNC", "CNT"):
        np.testing.assert_array_equal(fits.getdata(one, plane), fits.getdata(two, plane))
    assert two.read_bytes() == only(arcsat, "dark").read_bytes()
    assert fits.getval(one, "REJFLOOR") == pytest.approx(12.0, abs=0.1)


@pytest.fixture(scope="module")
def stl(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that the folder of the STL-1001E gives with its flats called flats."""
    folder = tmp_path_factory.mktemp("stl")
    argv = ["masters", shared_data / STL, "--library", folder, "--set", "*flat-expos*:kind=flat"]
    assert run([str(a) for a in argv]) == 1, "a single bias at -10 C and a single dark are skipped"
    return folder


def test_stl_flats_called_light_are_a_problem_until_they_are_corrected(
    shared_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    flats = sorted((shared_data / STL).glob("flat-*.gz"))
    biases = sorted((shared_data / STL).glob("biases-*.gz"))
    library = ("--library", tmp_path / "lib")

    code, document, err = masters(capsys, *flats, *biases, *library)

    assert (code, len(document["masters"]), document["not_stacked"]) == (1, 1, [])
    (entry,) = document["skipped"]
    assert entry["kind"] == "light"
    glob = "flat-expos23s-Neg5-Vis.*:kind=flat"
    assert entry["reason"].endswith(f"say light, their names say flat. Use --set '{glob}'.")
    assert entry["reason"] in err

    code, document, err = masters(capsys, *flats, *biases, *library, "--set", glob)

    assert (code, document["skipped"], err) == (0, [], "")
    assert of_kind(document, "flat")["n_combined"] == 3


def test_stl_flat_takes_the_bias_out_because_no_dark_serves(shared_data: Path, stl: Path) -> None:
    path = only(stl, "flat")
    header = fits.getheader(path)

    # 37 s at 0.4 ADU/s are 0.08 % of the light: more than a dark of 60 s may leave.
    assert "CAL_DARK" not in header
    assert header["CAL_BIAS"] == only(stl, "bias").name
    bias = fits.getdata(only(stl, "bias")).astype(np.float64)
    light = pixels(sorted((shared_data / STL).glob("flat-*.gz"))) - bias
    levels = np.array([tile_level(frame) for frame in light])
    expected = np.median(light * (np.median(levels) / levels)[:, None, None], axis=0)
    expected /= tile_level(expected)
    image = fits.getdata(path)
    lit = expected >= 0.05
    np.testing.assert_allclose(image[lit], expected[lit], rtol=2e-6)
    assert np.all(image[~lit] == 1.0)
    assert np.array_equal(fits.getdata(path, "BPM") == 1, ~lit)
    assert header["EGAIN"] == 2.06
    assert "GAIN" not in header
    assert (header["BIASSUB"], header["DARKSUB"]) == (True, False)
    assert any("kind was corrected by hand" in str(line) for line in header["HISTORY"])


def test_stl_darks_show_the_known_read_noise_and_dark_current(
    shared_data: Path, stl: Path, capsys: Capture
) -> None:
    run(["library", "list", "--library", str(stl), "--json"])
    listed = json.loads(capsys.readouterr().out)["masters"]
    run(["library", "show", *(m["id"] for m in listed), "--library", str(stl), "--json"])
    document = json.loads(capsys.readouterr().out)

    bias, dark = of_kind(document, "bias"), of_kind(document, "dark")
    assert bias["metrics"]["read_noise_adu"]["value"] == pytest.approx(6.7, abs=0.1)
    source = shared_data / STL
    signal = np.median(pixels(sorted(source.glob("darks-expos1*.gz"))), axis=0) - np.median(
        pixels(sorted(source.glob("biases-Neg5*.gz"))), axis=0
    )
    # Clipped means against medians of a skew distribution: they agree to a tenth.
    assert dark["metrics"]["dark_current"]["value"] == pytest.approx(
        np.median(signal) / 60 * 2.06, rel=0.1
    )
    assert dark["key"]["exposure_s"] == 60
    assert fits.getval(dark["path"], "FILTER") == "Visible", "all of these frames say so"


def test_msumastro_leaves_a_ramp_out_of_the_biases_and_finds_the_false_darks(
    tmp_path: Path, capsys: Capture
) -> None:
    code, document, err = masters(capsys, SMALL / "msumastro_bsd3", "--library", tmp_path / "lib")

    bias, dark = of_kind(document, "bias"), of_kind(document, "dark")
    assert code == 1
    assert (bias["n_frames"], bias["n_combined"]) == (6, 5)
    assert [Path(e["path"]).name for e in bias["excluded"]] == ["flattest.fit"]
    # darktest*.fit are the pixels of biastest*.fit with another header.
    assert dark["verdict"] == "BAD"
    assert "the very same pixels as the bias" in err
    frames = sorted((SMALL / "msumastro_bsd3").glob("biastest*.fit"))
    expected = clipped_mean(pixels(frames), fits.getval(bias["path"], "REJFLOOR"))
    np.testing.assert_allclose(fits.getdata(bias["path"]), expected, rtol=1e-6)


def test_masters_of_another_program_are_not_stacked_again(
    shared_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    code, document, err = masters(
        capsys, shared_data / "asi174_masters_mit", "--library", tmp_path / "lib"
    )

    assert (code, document["masters"], document["skipped"]) == (1, [], [])
    assert len(document["not_stacked"]) == 3
    assert all("masters are not stacked again" in e["reason"] for e in document["not_stacked"])
    assert "nothing to stack" in err


def test_sprat_has_single_frames_of_many_kinds(
    shared_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    code, document, err = masters(
        capsys, shared_data / "lt_sprat_bsd3", "--library", tmp_path / "lib"
    )

    assert (code, document["masters"]) == (1, [])
    assert [e["kind"] for e in document["skipped"]] == ["dark"]
    assert "single frame" in err
    kinds = {e.get("kind") for e in document["not_stacked"]}
    assert {"light", "arc", "standard"} <= kinds


def test_sprat_lights_stack_as_their_kind_where_a_recipe_says_so(
    shared_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    recipe = tmp_path / "spectra.toml"
    recipe.write_text('[frames]\nleave_out_bad = false\n[stack."slit view"]\nreject = "none"\n')

    _, document, err = masters(
        capsys,
        shared_data / "lt_sprat_bsd3",
        "--library",
        tmp_path / "lib",
        "--recipe",
        recipe,
        "--set",
        "v_e_*:kind=slit view",
    )

    master = of_kind(document, "slit view")
    frames = sorted((shared_data / "lt_sprat_bsd3").glob("v_e_*.gz"))
    expected = pixels(frames).mean(axis=0)
    np.testing.assert_allclose(fits.getdata(master["path"]), expected, rtol=1e-6), err
    assert fits.getval(master["path"], "IMAGETYP") == "Master Slit View"
    assert fits.getval(master["path"], "EGAIN") == 2.45


def test_four_detectors_of_hubble_are_stacked_one_by_one(
    shared_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    rng = np.random.default_rng(7)
    planes: list[NDArray[np.float64]] = []
    for name in ("test0.fits", "test1.fits"):
        # Both files of the collection hold the same pixels: a second exposure has its own noise.
        with fits.open(shared_data / "astropy_edge_bsd3" / name) as hdus:
            for hdu in hdus[1:]:
                hdu.data = hdu.data + rng.integers(0, 3, hdu.data.shape).astype(hdu.data.dtype)
            hdus.writeto(tmp_path / name, output_verify="silentfix+ignore")
            planes.append(np.stack([hdu.data.astype(np.float64) for hdu in hdus[1:]]))

    _, document, err = masters(
        capsys, tmp_path, "--library", tmp_path / "lib", "--set", "test*:kind=bias"
    )

    master = of_kind(document, "bias")
    with fits.open(master["path"], checksum=True) as hdus:
        for version in range(1, 5):
            # Two frames: the median is the mean.
            expected = np.mean([p[version - 1] for p in planes], axis=0)
            np.testing.assert_allclose(hdus["SCI", version].data, expected, rtol=1e-6)
            assert hdus["SCI_CNT", version].data.max() == 2
            assert "DETECTOR" in hdus["SCI", version].header, err
        assert hdus[0].data is None
        assert hdus[0].header["INFOBITS"] == 15


def test_a_frame_and_its_unpacked_copy_are_used_once(
    shared_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    frames = sorted((shared_data / ARCSAT / "bias").glob("*.gz"))[:3]
    for frame in frames:
        (tmp_path / frame.stem).write_bytes(gzip.decompress(frame.read_bytes()))
    shutil.copy(frames[0], tmp_path)

    _, document, _ = masters(capsys, tmp_path, "--library", tmp_path / "lib")

    bias = of_kind(document, "bias")
    assert (bias["n_frames"], bias["n_combined"]) == (4, 3)
    (left,) = bias["excluded"]
    assert "the same pixels" in left["reason"]
    assert bias["metrics"]["duplicates"]["value"] == 0
