"""The same frames through Siril: rules agree where they have one definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.realistic_stack import combined
from tests.helpers.siril import RULES, linear_fit_by_least_squares, run_siril, siril_version

pytestmark = pytest.mark.skipif(siril_version() is None, reason="siril-cli is not installed")

EQUAL_ADU = 0.01


@pytest.fixture(scope="module")
def frames() -> NDArray[np.uint16]:
    """Noise with hits: 14 frames of 60 x 80 pixels."""
    rng = np.random.default_rng(11)
    a = rng.normal(1000.0, 12.0, (14, 60, 80))
    hits = rng.random(a.shape) < 0.005
    a[hits] += 60.0 + rng.exponential(1500.0, int(hits.sum()))
    return np.rint(a).astype(np.uint16)


@pytest.fixture(scope="module")
def theirs(
    frames: NDArray[np.uint16], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, NDArray[np.float64]]:
    """Siril's result of every rule."""
    folder: Path = tmp_path_factory.mktemp("siril")
    return run_siril(frames, folder, list(RULES))


@pytest.mark.parametrize(
    ("rule", "least"),
    [
        ("mean", 1.0),
        ("median", 1.0),
        ("sigma 3, 3", 1.0),
        ("percentile 0.02, 0.02", 1.0),
        ("winsorized 4, 3", 0.97),
        ("MAD 7.4, 7.4 (5 sigma)", 0.95),
    ],
)
def test_a_rule_agrees_with_siril(
    rule: str,
    least: float,
    frames: NDArray[np.uint16],
    theirs: dict[str, NDArray[np.float64]],
) -> None:
    ours, _ = combined(frames, RULES[rule][1])

    equal = np.abs(ours.image - theirs[rule]) < EQUAL_ADU
    assert equal.mean() >= least


def test_siril_fits_its_line_by_least_squares(
    frames: NDArray[np.uint16], theirs: dict[str, NDArray[np.float64]]
) -> None:
    image = theirs["linear fit 5, 5 (2.5 of ours)"]
    model = np.array(
        [linear_fit_by_least_squares(frames[:, y, x].astype(float), 5, 5) for y, x in PLACES]
    )

    equal = np.abs(model - image[tuple(zip(*PLACES, strict=True))]) < EQUAL_ADU
    assert equal.mean() > 0.95


PLACES = [(y, x) for y in range(0, 60, 5) for x in range(0, 80, 5)]
