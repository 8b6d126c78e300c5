"""Pixels that are decided sixteen at a time are decided as each would be by itself."""

from __future__ import annotations

import numpy as np
import pytest

from calibstudio.domain.pixels import ArrayRows, Stored
from calibstudio.domain.recipe import Combine, Floor, Rejection, StackSettings
from tests.helpers.realistic_stack import combined, realistic_stack

LIMITS = {
    Rejection.LINEAR_FIT: [(5.0, 3.5), (3.0, 3.0), (1.0, 0.7)],
    Rejection.ESD: [(0.3, 0.05), (0.5, 0.3), (0.1, 0.001)],
}


@pytest.mark.parametrize("floor", list(Floor))
@pytest.mark.parametrize("n", [4, 5, 6, 9, 20, 33, 120])
@pytest.mark.parametrize("rule", list(LIMITS))
def test_codes_give_what_the_same_numbers_give_one_by_one(
    rule: Rejection, n: int, floor: Floor
) -> None:
    rng = np.random.default_rng(n)
    shape = (12, 83) if n < 50 else (8, 37)
    stack = realistic_stack(n, seed=n, shape=shape)
    # Few codes: many lines are equally good, and many values equal.
    stack[:, 3] = rng.integers(100, 104, stack[:, 3].shape)
    # All codes: beyond what float32 holds exactly for many frames.
    stack[:, 4] = rng.integers(0, 65536, stack[:, 4].shape)
    # Two levels: each residual is exact, and for many frames their sum is not.
    stack[:, 5] = 60_000 * rng.integers(0, 2, stack[:, 5].shape) + rng.integers(0, 900)

    for low, high in LIMITS[rule]:
        settings = StackSettings(reject=rule, low=low, high=high, floor=floor)
        codes, first = combined(stack, settings)
        numbers, second = combined(stack.astype(np.float32), settings)

        np.testing.assert_array_equal(codes.cnt, numbers.cnt)
        np.testing.assert_allclose(codes.image, numbers.image, rtol=2e-7)
        np.testing.assert_array_equal(
            [(f.rejected_low, f.rejected_high) for f in first.frames],
            [(f.rejected_low, f.rejected_high) for f in second.frames],
        )
        assert first.n_held == second.n_held


@pytest.mark.parametrize("iterations", [1, 2])
def test_rounds_of_the_line_are_counted(iterations: int) -> None:
    stack = realistic_stack(15, seed=3, shape=(8, 50))
    settings = StackSettings(
        reject=Rejection.LINEAR_FIT, low=1.0, high=1.0, iterations=iterations, min_keep=14
    )

    codes, first = combined(stack, settings)
    numbers, second = combined(stack.astype(np.float32), settings)

    np.testing.assert_array_equal(codes.cnt, numbers.cnt)
    assert first.n_held == second.n_held > 0


class SignedRows(ArrayRows):
    """An image as signed 16-bit FITS would lie in a file."""

    def __init__(self, pixels: np.ndarray) -> None:
        super().__init__(pixels)
        self._raw = pixels.astype(">i2")

    @property
    def stored(self) -> Stored:
        return Stored.FITS_INT16

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        buffer[:] = self._raw[y0:y1].tobytes()


def test_fractions_are_of_the_value_and_not_of_its_code() -> None:
    from calibstudio.domain.jobs import JobContext
    from calibstudio.imaging.combine import ArraySink, combine

    stack = np.full((5, 2, 3), 100, np.int16)
    stack[4] = 130
    settings = StackSettings(reject=Rejection.PERCENTILE, low=0.2, high=0.1)
    sink = ArraySink((2, 3))

    combine(JobContext(), [SignedRows(frame) for frame in stack], settings, sink)

    assert (sink.cnt == 4).all()
    assert (sink.image == 100).all()


@pytest.mark.parametrize("n", [2, 3, 5, 20, 120])
@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [
        (Rejection.SIGMA, 3.0, 2.0),
        (Rejection.SIGMA, 1.0, 0.7),
        (Rejection.MINMAX, 1.0, 0.0),
        (Rejection.PERCENTILE, 0.01, 0.005),
    ],
)
def test_codes_trimmed_by_their_sums_give_what_the_same_numbers_give(
    rule: Rejection, low: float, high: float, n: int
) -> None:
    stack = realistic_stack(n, seed=n, shape=(8, 83))
    # Squares of all codes do not fit 32 bits.
    stack[:, 4] = np.random.default_rng(n).integers(0, 65536, stack[:, 4].shape)

    for combine in Combine:
        settings = StackSettings(combine=combine, reject=rule, low=low, high=high)
        codes, first = combined(stack, settings)
        numbers, second = combined(stack.astype(np.float32), settings)

        np.testing.assert_array_equal(codes.cnt, numbers.cnt)
        np.testing.assert_allclose(codes.image, numbers.image, rtol=2e-7)
        np.testing.assert_allclose(codes.unc, numbers.unc, rtol=1e-6)
        assert [(f.rejected_low, f.rejected_high) for f in first.frames] == [
            (f.rejected_low, f.rejected_high) for f in second.frames
        ]
        assert first.n_held == second.n_held
