"""What must not change the result does not change it, to the last bit."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from calibstudio.imaging.kernels import warm_kernels
from tests.helpers.realistic_stack import combined, realistic_stack, write_frames

rules = st.sampled_from([r for r in Rejection if r is not Rejection.AUTO] + [Rejection.AUTO])
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


@few
@given(reject=rules, n=st.integers(1, 24), seed=seeds, floats=st.booleans(), median=st.booleans())
def test_the_order_of_the_files_does_not_matter(
    reject: Rejection, n: int, seed: int, floats: bool, median: bool
) -> None:
    stack = realistic_stack(n, seed=seed, floats=floats)
    choice = StackSettings(reject=reject, combine=Combine.MEDIAN if median else Combine.MEAN)
    shuffled = np.random.default_rng(seed).permutation(n)

    one, _ = combined(stack, choice)
    other, _ = combined(stack[shuffled], choice)

    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.unc, other.unc)
    np.testing.assert_array_equal(one.cnt, other.cnt)


@few
@given(
    reject=rules,
    n=st.integers(2, 12),
    seed=seeds,
    floats=st.booleans(),
    rows=st.integers(1, 9),
    threads=st.integers(1, 4),
)
def test_threads_and_strip_height_do_not_matter(
    reject: Rejection, n: int, seed: int, floats: bool, rows: int, threads: int
) -> None:
    stack = realistic_stack(n, seed=seed, floats=floats, shape=(9, 67))
    choice = StackSettings(reject=reject)

    one, first = combined(stack, choice, threads=1, band_rows=9)
    other, second = combined(stack, choice, threads=threads, band_rows=rows)

    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.unc, other.unc)
    np.testing.assert_array_equal(one.cnt, other.cnt)
    assert first.frames == second.frames
    assert first.n_held == second.n_held


@few
@given(n=st.integers(3, 15), seed=seeds, shift=st.integers(1, 3000), reject=rules)
def test_a_constant_added_to_all_frames_is_added_to_the_result(
    n: int, seed: int, shift: int, reject: Rejection
) -> None:
    if reject is Rejection.PERCENTILE:  # Its limits are fractions of the level.
        return
    stack = realistic_stack(n, seed=seed)
    stack = np.minimum(stack, 60000).astype(np.uint16)

    one, _ = combined(stack, StackSettings(reject=reject))
    other, _ = combined(stack + np.uint16(shift), StackSettings(reject=reject))

    np.testing.assert_array_equal(one.cnt, other.cnt)
    # float32 holds the shifted mean to half a unit of its last place.
    np.testing.assert_allclose(other.image, one.image.astype(float) + shift, rtol=3e-7)
    np.testing.assert_array_equal(one.unc, other.unc)


@few
@given(n=st.integers(3, 15), seed=seeds, power=st.integers(-3, 3), reject=rules)
def test_a_power_of_two_on_all_frames_scales_the_result_to_the_last_bit(
    n: int, seed: int, power: int, reject: Rejection
) -> None:
    stack = realistic_stack(n, seed=seed, floats=True)
    scale = 2.0**power

    one, _ = combined(stack, StackSettings(reject=reject))
    other, _ = combined(stack, StackSettings(reject=reject), scales=[scale] * n)

    np.testing.assert_array_equal(other.cnt, one.cnt)
    np.testing.assert_array_equal(other.image, one.image * np.float32(scale))
    np.testing.assert_array_equal(other.unc, one.unc * np.float32(scale))


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 16, 17, 41, 100, 500])
def test_the_median_of_any_number_of_frames_is_the_median(n: int) -> None:
    stack = np.random.default_rng(n).integers(0, 65536, (n, 2, 70)).astype(np.uint16)

    result, _ = combined(stack, StackSettings(combine=Combine.MEDIAN, reject=Rejection.NONE))
    floats, _ = combined(
        stack.astype(np.float32), StackSettings(combine=Combine.MEDIAN, reject=Rejection.NONE)
    )

    np.testing.assert_array_equal(result.image, np.median(stack, axis=0).astype(np.float32))
    np.testing.assert_array_equal(floats.image, result.image)


@pytest.mark.parametrize("n", [2, 9, 40, 500])
def test_the_mean_is_exact_for_codes_of_the_whole_range(n: int) -> None:
    stack = np.random.default_rng(n).integers(0, 65536, (n, 2, 70)).astype(np.uint16)

    result, report = combined(stack, StackSettings(reject=Rejection.NONE))

    exact = stack.astype(np.float64).mean(axis=0)
    np.testing.assert_array_equal(result.image, exact.astype(np.float32))
    unc = np.sqrt(stack.astype(np.float64).var(axis=0, ddof=1) / n)
    np.testing.assert_allclose(result.unc, unc, rtol=2e-7)
    assert report.exact


def test_values_are_shifted_then_scaled_by_the_colour_of_their_pixel() -> None:
    rng = np.random.default_rng(3)
    stack = rng.integers(900, 1100, (4, 5, 67)).astype(np.uint16)
    dark = rng.normal(100, 5, (5, 67)).astype(np.float32)
    offsets = [1.0, 2.0, 3.0, 4.0]
    scales = [(1.0, 1.1, 1.2, 1.3), 2.0, (0.5, 0.6, 0.7, 0.8), 1.0]

    result, _ = combined(
        stack,
        StackSettings(reject=Rejection.NONE),
        subtract=[dark, dark, None, dark],
        offsets=offsets,
        scales=scales,
        band_rows=2,
    )

    expected = np.zeros((4, 5, 67))
    for i, scale in enumerate(scales):
        four = scale if isinstance(scale, tuple) else (scale,) * 4
        for y in range(5):
            for x in range(67):
                plane = 0.0 if i == 2 else float(dark[y, x])
                value = float(stack[i, y, x]) - plane - offsets[i]
                expected[i, y, x] = value * four[2 * (y % 2) + x % 2]
    np.testing.assert_allclose(result.image, expected.mean(axis=0), rtol=2e-7)


PART = """
import json, sys
from pathlib import Path
import numpy as np
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import StackSettings
from calibstudio.imaging.combine import ArraySink, combine
from calibstudio.store.pixels import open_rows

work = json.loads(sys.argv[1])
usual = StackSettings()
read = {k: v if v is None else type(getattr(usual, k))(v) for k, v in work["settings"].items()
        if getattr(usual, k) is not None}
chosen = StackSettings(**work["settings"] | read)
sources = [open_rows(path) for path in work["files"]]
sink = ArraySink(sources[0].shape)
rows = work["rows"]
combine(JobContext(), sources, chosen, sink, scales=work["scales"], rows=tuple(rows))
np.savez(work["out"], *(plane[slice(*rows)] for plane in (sink.image, sink.unc, sink.cnt)))
"""


def test_a_part_of_the_work_fits_in_a_letter_and_parts_make_the_whole(tmp_path: Path) -> None:
    warm_kernels()
    stack = realistic_stack(12, seed=5, shape=(31, 67))
    paths = write_frames(tmp_path, stack)
    settings = StackSettings(reject=Rejection.AUTO)
    scales = [1.0 + 0.01 * i for i in range(12)]
    whole, _ = combined(stack, settings, scales=scales)
    parts = []

    for rows in ((0, 13), (13, 31)):
        letter = {
            "files": [str(path) for path in paths],
            "settings": asdict(settings),
            "scales": scales,
            "rows": rows,
            "out": str(tmp_path / f"{rows[0]}.npz"),
        }
        subprocess.run([sys.executable, "-c", PART, json.dumps(letter)], check=True)
        with np.load(letter["out"]) as file:
            parts.append([file[f"arr_{i}"] for i in range(3)])

    for i, plane in enumerate((whole.image, whole.unc, whole.cnt)):
        np.testing.assert_array_equal(np.concatenate([part[i] for part in parts]), plane)
