"""Files to one file: planes, names, what is left out, and that nothing half done stays."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import (
    CalibrationError,
    Cancelled,
    FileProblemError,
    WriteProblemError,
)
from calibstudio.domain.jobs import CancelToken, JobContext, Progress
from calibstudio.domain.recipe import Floor, Normalization, Rejection, StackSettings
from calibstudio.imaging.kernels import warm_kernels
from calibstudio.services import stack_inputs
from calibstudio.services.stack import stack_files
from calibstudio.services.stack_summary import summary
from calibstudio.store.pixels import FramePixels, open_frame
from tests.helpers.realistic_stack import combined, realistic_stack, write_frames

PLAIN = StackSettings(reject=Rejection.NONE)


def test_the_file_holds_image_uncertainty_and_count(tmp_path: Path) -> None:
    stack = realistic_stack(12, seed=1, shape=(9, 41))
    paths = write_frames(tmp_path / "in", stack, INSTRUME="Camera", EGAIN=0.8, FILTER="Hα"[:1])
    out = tmp_path / "out.fits"

    report = stack_files(JobContext(), paths, out, StackSettings())

    expected, combined_report = combined(stack, StackSettings(floor=Floor.NOISE))
    with fits.open(out) as hdus:
        hdus.verify("exception")
        assert [h.name for h in hdus] == ["PRIMARY", "UNC", "CNT"]
        np.testing.assert_array_equal(hdus[0].data, expected.image)
        np.testing.assert_array_equal(hdus["UNC"].data, expected.unc)
        np.testing.assert_array_equal(hdus["CNT"].data, expected.cnt)
        assert hdus["CNT"].data.dtype == np.uint16
        header = hdus[0].header
    assert header["INSTRUME"] == "Camera"
    assert header["IMAGETYP"] == "Dark Frame"
    assert header["EXPTIME"] == 300.0
    assert (header["NCOMBINE"], header["REJTYPE"]) == (12, "winsorized")
    assert (header["REJLOW"], header["REJHIGH"], header["COMBTYPE"]) == (4.0, 3.0, "mean")
    assert report.n_frames == 12
    assert report.n_rejected_high == combined_report.n_rejected_high
    assert report.megapixels == pytest.approx(12 * 9 * 41 / 1e6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out.fits"]


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(7, seed=2))

    for name, threads, memory in (("a", 1, None), ("b", 2, 200_000)):
        stack_files(
            JobContext(),
            paths,
            tmp_path / f"{name}.fits",
            StackSettings(),
            threads=threads,
            memory_bytes=memory,
        )

    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_several_images_are_combined_one_by_one_under_their_names(tmp_path: Path) -> None:
    left, right = realistic_stack(5, seed=3), realistic_stack(5, seed=4, shape=(10, 30))
    paths = []
    for i in range(5):
        path = tmp_path / f"raw_{i}.fits"
        primary = fits.PrimaryHDU()
        primary.header["INSTRUME"] = "Spectrograph"
        hdus = [primary, fits.ImageHDU(left[i], name="GREEN"), fits.ImageHDU(right[i], name="RED")]
        hdus[1].header["GAIN"] = 5.1
        fits.HDUList(hdus).writeto(path)
        paths.append(path)
    out = tmp_path / "out.fits"

    report = stack_files(JobContext(), paths, out, PLAIN)

    with fits.open(out) as hdus:
        hdus.verify("exception")
        names = ["PRIMARY", "GREEN", "GREEN_UNC", "GREEN_CNT", "RED", "RED_UNC", "RED_CNT"]
        assert [h.name for h in hdus] == names
        np.testing.assert_array_equal(hdus["GREEN"].data, combined(left, PLAIN)[0].image)
        np.testing.assert_array_equal(hdus["RED"].data, combined(right, PLAIN)[0].image)
        np.testing.assert_array_equal(hdus["RED_UNC"].data, combined(right, PLAIN)[0].unc)
        assert hdus["GREEN"].header["GAIN"] == 5.1
        assert hdus[0].header["INSTRUME"] == "Spectrograph"
    assert [name for name, _ in report.images] == ["GREEN", "RED"]


def test_packed_and_plain_files_go_together_within_little_memory(tmp_path: Path) -> None:
    stack = np.random.default_rng(5).integers(0, 60000, (4, 200, 300)).astype(np.uint16)
    paths = write_frames(tmp_path / "in", stack)
    packed = tmp_path / "in" / "dark_002.fits.gz"
    packed.write_bytes(gzip.compress(paths[1].read_bytes(), 1, mtime=0))
    tiles = tmp_path / "in" / "dark_003.fits.fz"
    fits.CompImageHDU(stack[2]).writeto(tiles)
    out = tmp_path / "out.fits"

    stack_files(JobContext(), [paths[0], packed, tiles, paths[3]], out, PLAIN, memory_bytes=150_000)

    assert np.array_equal(fits.getdata(out), combined(stack, PLAIN)[0].image)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out.fits"]


def test_broken_files_are_left_out_and_named(tmp_path: Path) -> None:
    stack = realistic_stack(6, seed=6)
    paths = write_frames(tmp_path / "in", stack)
    os.truncate(paths[1], 3000)
    paths[2].write_bytes(b"")
    paths[3].write_text("no frame")
    missing = tmp_path / "in" / "gone.fits"
    out = tmp_path / "out.fits"

    report = stack_files(JobContext(), [*paths, missing, paths[0]], out, PLAIN)

    assert report.used == (paths[0], paths[4], paths[5])
    assert {one.path.name for one in report.skipped} == {
        "dark_001.fits",
        "dark_002.fits",
        "dark_003.fits",
        "dark_004.fits",
        "gone.fits",
    }
    for one in report.skipped:
        assert str(one.path) in one.message
        assert one.hint
    np.testing.assert_array_equal(fits.getdata(out), combined(stack[[0, 4, 5]], PLAIN)[0].image)


def test_a_file_that_breaks_while_it_is_read_is_left_out_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    stack = np.random.default_rng(7).integers(0, 60000, (4, 300, 300)).astype(np.uint16)
    paths = write_frames(tmp_path / "in", stack)
    out = tmp_path / "out.fits"

    def cut(progress: Progress) -> None:
        if progress.text == "Combining" and paths[2].stat().st_size > 100_000:
            os.truncate(paths[2], 20_000)

    report = stack_files(JobContext(None, cut), paths, out, PLAIN, threads=1)

    assert report.used == (paths[0], paths[1], paths[3])
    assert [one.path for one in report.skipped] == [paths[2]]
    np.testing.assert_array_equal(fits.getdata(out), combined(stack[[0, 1, 3]], PLAIN)[0].image)


@pytest.mark.parametrize("when", ["before", "while it is read"])
def test_the_operator_may_ask_to_stop_at_a_broken_file(tmp_path: Path, when: str) -> None:
    stack = np.random.default_rng(7).integers(0, 60000, (4, 300, 300)).astype(np.uint16)
    paths = write_frames(tmp_path / "in", stack)
    out = tmp_path / "out.fits"

    def vanish(progress: Progress) -> None:
        if progress.text == "Combining" and paths[2].stat().st_size > 100_000:
            os.truncate(paths[2], 20_000)

    if when == "before":
        os.truncate(paths[2], 20_000)

    with pytest.raises(FileProblemError, match=r"dark_003\.fits .* Nothing was combined") as caught:
        stack_files(JobContext(None, vanish), paths, out, PLAIN, threads=1, stop_at_broken=True)

    assert "--broken leave-out" in caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_a_bias_is_taken_out_before_flats_are_scaled(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    bias = rng.normal(500, 20, (60, 80)).astype(np.float32)
    fits.writeto(tmp_path / "bias.fits", bias)
    light = np.linspace(0.5, 1.0, 80)[None, :] * np.array([20000, 25000, 30000])[:, None, None]
    stack = np.rint(light + bias).astype(np.uint16)
    paths = write_frames(tmp_path / "in", stack)
    settings = StackSettings(reject=Rejection.NONE, normalize=Normalization.MULTIPLICATIVE)

    stack_files(
        JobContext(), paths, tmp_path / "out.fits", settings, subtract=tmp_path / "bias.fits"
    )

    image = fits.getdata(tmp_path / "out.fits")
    expected = 25000 * np.linspace(0.5, 1.0, 80)[None, :]
    np.testing.assert_allclose(image, np.broadcast_to(expected, image.shape), atol=1.0)
    assert fits.getheader(tmp_path / "out.fits")["SUBFILE"] == "bias.fits"


def test_what_cannot_be_subtracted_is_named(tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(3, seed=1))
    small = tmp_path / "small.fits"
    fits.writeto(small, np.zeros((4, 5), np.float32))

    with pytest.raises(CalibrationError, match=r"small\.fits is 5 × 4 pixels, the frames 40 × 8"):
        stack_files(JobContext(), paths, tmp_path / "out.fits", PLAIN, subtract=small)
    with pytest.raises(FileProblemError, match=r"gone\.fits is not there"):
        stack_files(
            JobContext(), paths, tmp_path / "o.fits", PLAIN, subtract=tmp_path / "gone.fits"
        )


def test_without_a_single_good_file_it_says_which_and_why(tmp_path: Path) -> None:
    bad = [tmp_path / "a.fits", tmp_path / "b.fits"]
    for path in bad:
        path.write_text("no frame")

    with pytest.raises(FileProblemError, match=r"None of the 2 files .*a\.fits is not a FITS"):
        stack_files(JobContext(), bad, tmp_path / "out.fits", PLAIN)
    with pytest.raises(FileProblemError, match=r"a\.fits is not a FITS file"):
        stack_files(JobContext(), bad[:1], tmp_path / "out.fits", PLAIN)
    with pytest.raises(FileProblemError, match="no file to combine"):
        stack_files(JobContext(), [], tmp_path / "out.fits", PLAIN)
    assert not (tmp_path / "out.fits").exists()


def test_a_copy_under_another_name_is_left_out_and_named(tmp_path: Path) -> None:
    paths = write_frames(tmp_path, realistic_stack(5, seed=8, shape=(20, 30)))
    copy = tmp_path / "again.fits"
    copy.write_bytes(paths[1].read_bytes())
    alone = stack_files(JobContext(), paths, tmp_path / "alone.fits", settings=PLAIN)

    done = stack_files(JobContext(), [*paths, copy], tmp_path / "out.fits", settings=PLAIN)

    assert [(s.path, s.message) for s in done.skipped] == [
        (copy, f"{copy} is a copy of {paths[1]}: it was left out.")
    ]
    assert alone.skipped == ()
    assert np.array_equal(
        fits.getdata(tmp_path / "out.fits"), fits.getdata(tmp_path / "alone.fits")
    )


def test_frames_stored_upside_down_among_the_rest_are_said(tmp_path: Path) -> None:
    stack = realistic_stack(4, seed=8, shape=(20, 30))
    paths = write_frames(tmp_path / "a", stack[:3], ROWORDER="TOP-DOWN")
    (turned,) = write_frames(tmp_path / "b", stack[3:], ROWORDER="BOTTOM-UP")

    done = stack_files(JobContext(), [*paths, turned], tmp_path / "out.fits", settings=PLAIN)

    (said,) = done.skipped
    assert said.path == turned and "upside down" in said.message


def test_a_picture_that_its_header_makes_one_value_is_left_out_and_named(tmp_path: Path) -> None:
    paths = write_frames(tmp_path, realistic_stack(4, seed=8, shape=(20, 30)))
    card = f"{'BSCALE  =':<10}{0:>20}".ljust(80).encode()
    raw = paths[2].read_bytes()
    place = raw.index(b"BSCALE")
    paths[2].write_bytes(raw[:place] + card + raw[place + 80 :])

    done = stack_files(JobContext(), paths, tmp_path / "out.fits", settings=PLAIN)

    assert [s.path for s in done.skipped] == [paths[2]] and "BSCALE is 0" in done.skipped[0].message


def test_frames_of_another_size_or_other_images_are_left_out_and_named(tmp_path: Path) -> None:
    stack = realistic_stack(3, seed=8)
    paths = write_frames(tmp_path / "a", stack)
    smaller = write_frames(tmp_path / "b", realistic_stack(1, seed=8, shape=(9, 40)))
    two = tmp_path / "two.fits"
    planes = [fits.ImageHDU(np.zeros((8, 40), np.uint16), name=n) for n in ("A", "B")]
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(two)
    out = tmp_path / "out.fits"

    report = stack_files(JobContext(), [*smaller, *paths, two], out, PLAIN)

    assert report.used == tuple(paths)
    messages = [one.message for one in report.skipped]
    assert messages[0].startswith(f"{smaller[0]} is 40 × 9 pixels, the other 3 frames")
    assert messages[1] == f"{two} holds other images than the rest."
    np.testing.assert_array_equal(fits.getdata(out), combined(stack, PLAIN)[0].image)


def test_where_no_size_has_most_frames_nothing_is_written(tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "a", realistic_stack(2, seed=8))
    odd = write_frames(tmp_path / "b", realistic_stack(2, seed=8, shape=(9, 40)))

    with pytest.raises(CalibrationError, match=r"dark_001\.fits is 40 × 9 pixels, the other 2"):
        stack_files(JobContext(), [*paths, *odd], tmp_path / "out.fits", PLAIN)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(2, seed=9))
    out = tmp_path / "out.fits"
    out.write_text("my only copy")

    with pytest.raises(WriteProblemError, match="exists already"):
        stack_files(JobContext(), paths, out, PLAIN)

    assert out.read_text() == "my only copy"


def test_a_cancel_leaves_nothing_behind(tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(6, seed=9, shape=(200, 200)))
    token = CancelToken()
    out = tmp_path / "out.fits"

    def cancel(progress: Progress) -> None:
        if progress.text == "Combining":
            token.cancel()

    with pytest.raises(Cancelled):
        stack_files(JobContext(token, cancel), paths, out, PLAIN)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
    assert not [t for t in threading.enumerate() if t.name.startswith("stack-")]


@pytest.mark.parametrize("bayer", [None, "RGGB"])
def test_frames_of_different_brightness_are_brought_to_one_level(
    bayer: str | None, tmp_path: Path
) -> None:
    rng = np.random.default_rng(10)
    colour = np.ones((120, 160)) if bayer is None else np.tile([[1.0, 2.0], [2.0, 0.5]], (60, 80))
    lamp = np.array([1.0, 0.9, 1.2, 1.05, 0.8])
    tint = np.array([1.0, 1.0, 1.1, 1.0, 1.0])  # Of the lamp, in one colour of one frame.
    truth = 10_000 * lamp[:, None, None] * colour
    if bayer:
        truth[:, 0::2, 0::2] *= tint[:, None, None]
    flats = rng.poisson(truth).astype(np.uint16)
    cards = {} if bayer is None else {"BAYERPAT": bayer}
    paths = write_frames(tmp_path / "in", flats, **cards)
    out = tmp_path / "out.fits"
    settings = StackSettings(normalize=Normalization.MULTIPLICATIVE)

    report = stack_files(JobContext(), paths, out, settings)

    image = fits.getdata(out)
    # The middle lamp is 1.0, so nothing but noise is left.
    np.testing.assert_allclose(image, 10_000 * colour, atol=6 * 150)
    assert abs(np.mean(image / colour) / 10_000 - 1) < 1e-3
    assert not [f for _, r in report.images for f in r.marked]
    assert fits.getheader(out)["NORMTYPE"] == "multiplicative"


@pytest.mark.parametrize("n_marked", [0, 2, 25])
def test_frames_that_lost_more_than_noise_are_in_the_header(tmp_path: Path, n_marked: int) -> None:
    stack = np.random.default_rng(9).normal(1000, 10, (60, 40, 60)).astype(np.uint16)
    for i in range(n_marked):
        stack[i, i : i + 2] = 60_000
    paths = write_frames(tmp_path / "in", stack)

    report = stack_files(JobContext(), paths, tmp_path / "out.fits", StackSettings())

    assert [f.marked for f in report.frames] == [i < n_marked for i in range(60)]
    with fits.open(tmp_path / "out.fits") as hdus:
        hdus.verify("exception")
        said = " ".join(str(line) for line in hdus[0].header.get("HISTORY", []))
        assert hdus["UNC"].data.shape == (40, 60)
    named = [path.name in said for path in paths]
    assert named[: min(n_marked, 17)] == [True] * min(n_marked, 17)
    assert not any(named[n_marked:])
    assert ("And of 8 other frames" in said) is (n_marked == 25)


def test_additive_normalisation_takes_out_a_drifting_pedestal(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    drift = np.array([0.0, 30.0, -20.0, 10.0, 5.0])
    bias = np.rint(rng.normal(1000, 5, (5, 120, 160)) + drift[:, None, None]).astype(np.uint16)
    paths = write_frames(tmp_path / "in", bias)
    out = tmp_path / "out.fits"

    stack_files(JobContext(), paths, out, StackSettings(normalize=Normalization.ADDITIVE))

    with fits.open(out) as hdus:
        assert hdus[0].data.mean() == pytest.approx(1005, abs=0.3)
        # The drift is no noise any more: 5 ADU over the root of 5.
        assert np.median(hdus["UNC"].data) == pytest.approx(5 / np.sqrt(5), rel=0.15)


def test_a_frame_without_light_cannot_be_scaled(tmp_path: Path) -> None:
    flats = np.full((3, 120, 160), 1000, np.uint16)
    flats[1] = 0
    paths = write_frames(tmp_path / "in", flats)

    with pytest.raises(CalibrationError, match=r"dark_002\.fits has a level of 0 ADU"):
        stack_files(
            JobContext(),
            paths,
            tmp_path / "out.fits",
            StackSettings(normalize=Normalization.MULTIPLICATIVE),
        )


def test_the_summary_is_one_paragraph_that_names_what_matters(tmp_path: Path) -> None:
    stack = realistic_stack(12, seed=12, shape=(40, 50))
    stack[3, 8:20] += 9000
    paths = write_frames(tmp_path / "in", stack)

    report = stack_files(JobContext(), paths, tmp_path / "out.fits", StackSettings())
    text = summary(report)

    assert "\n" not in text
    assert "12 frames of 50 × 40 pixels" in text
    assert "Winsorized sigma clip 4 low, 3 high (chosen by the number of frames)" in text
    assert "dark_004.fits" in text


def test_additive_scaling_brings_level_and_spread_to_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    scene = rng.normal(0.0, 300.0, (80, 90))
    frames = [
        np.rint(1000.0 * i + i * scene + rng.normal(0, 3, scene.shape) + 2000).astype(np.uint16)
        for i in (1, 2, 3)
    ]
    paths = write_frames(tmp_path / "in", np.stack(frames))
    settings = StackSettings(reject=Rejection.NONE, normalize=Normalization.ADDITIVE_SCALING)

    report = stack_files(JobContext(), paths, tmp_path / "o.fits", settings)

    with fits.open(report.output) as hdus:
        np.testing.assert_allclose(hdus[0].data, 4000 + 2 * scene, atol=25)
        # What is left is noise, not the difference of the frames.
        assert np.median(hdus["UNC"].data) < 6


def test_a_process_that_stacks_loads_nothing_heavy(tmp_path: Path) -> None:
    warm_kernels()
    paths = write_frames(tmp_path / "in", realistic_stack(12, seed=1, shape=(80, 90)))
    program = (
        "import sys\nfrom calibstudio.__main__ import main\n"
        "code = main()\n"
        "names = {'numba', 'astropy', 'PySide6', 'scipy', 'sqlalchemy', 'numpy.ma'}\n"
        "print(code, sorted(names & set(sys.modules)))"
    )
    options = ["--normalize", "multiplicative", "--json"]
    files = [str(path) for path in paths]

    done = subprocess.run(
        [sys.executable, "-c", program, "stack", *files, "-o", str(tmp_path / "o.fits"), *options],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "0 []"


def test_a_cancel_is_heard_between_files_that_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(6, seed=1))
    token = CancelToken()
    opened: list[Path] = []

    def counted(path: Path, **options: Any) -> FramePixels:
        opened.append(path)
        if len(opened) == 2:
            token.cancel()
        return open_frame(path, **options)

    monkeypatch.setattr(stack_inputs, "open_frame", counted)

    with pytest.raises(Cancelled):
        stack_files(JobContext(token), paths, tmp_path / "out.fits", PLAIN)

    assert opened == paths[:2]
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
