"""Medians and percentiles band by band are those of the whole, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibstudio.imaging.order import median_of, percentiles_of


def bands_of(values: NDArray[np.float32], size: int) -> Callable[[], Iterator[NDArray[np.float32]]]:
    return lambda: (values[i : i + size] for i in range(0, len(values), size))


FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=False)


@given(st.lists(FLOATS, max_size=60), st.integers(1, 17))
def test_the_median_is_that_of_numpy(values: list[float], size: int) -> None:
    data = np.array(values, np.float32)
    known = data[np.isfinite(data)]

    found = median_of(bands_of(data, size))

    if not known.size:
        assert np.isnan(found)
    else:
        with np.errstate(over="ignore"):
            assert found == float(np.median(known))


@pytest.mark.parametrize("n", [1, 2, 999, 1000])
def test_percentiles_lie_between_values_in_proportion(n: int) -> None:
    data = np.random.default_rng(4).normal(-3.0, 40.0, n).astype(np.float32)
    data[::7] = 0.0

    found = percentiles_of(bands_of(data, 64), [0.0, 0.1, 50.0, 99.9, 100.0])

    expected = np.percentile(data.astype(np.float64), [0.0, 0.1, 50.0, 99.9, 100.0])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_nothing_has_no_percentile() -> None:
    empty = np.full(9, np.nan, np.float32)

    assert np.isnan(percentiles_of(bands_of(empty, 4), [50.0])).all()
