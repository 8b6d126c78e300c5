"""Bad pixels against a known truth: made by hand, and of the simulated observatory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.defects import Defect, defect_word
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import ArrayRows
from calibstudio.domain.recipe import DefectSettings
from calibstudio.imaging.defects import (
    DarkSignal,
    Edges,
    Found,
    Scatter,
    find_defects,
    hot_edges,
    measure_scatter,
)
from tests.unit.devices.shots import bias, cooled, dark

SHAPE = (120, 160)
NOISE, TIME = 4.0, 60.0
HOT, COLD, DEAD, UNSTABLE = Defect.HOT, Defect.COLD, Defect.DEAD, Defect.UNSTABLE


def search(
    frames: NDArray[np.float64],
    *,
    below: NDArray[np.float64] | float = 0.0,
    egain: float | None = None,
    bayer: str | None = None,
    settings: DefectSettings | None = None,
    time: float = TIME,
) -> tuple[Found, Scatter]:
    """Look for bad pixels of a dark set, as the masters do."""
    settings = settings or DefectSettings()
    under = np.broadcast_to(np.asarray(below, np.float32), frames.shape[1:]).copy()
    middle = np.median(frames, axis=0).astype(np.float32) - under
    signal = DarkSignal(middle, time, under, egain, float(np.median(frames.std(axis=0))))
    edges = hot_edges(signal, bayer, settings)
    sources = [ArrayRows(frame.astype(np.float32)) for frame in frames]
    scatter = measure_scatter(JobContext(), sources, signal, edges)
    found = find_defects(signal, edges, scatter, None, None, settings, bayer=bayer)
    return found, scatter


def quiet(n: int = 20, seed: int = 1) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.asarray(1000.0 + 6.0 + rng.normal(0, NOISE, (n, *SHAPE)))


def test_a_hot_pixel_is_hot_in_every_frame_and_a_cosmic_ray_is_none() -> None:
    frames = quiet()
    frames[:, 30, 40] += 100.0
    frames[3, 50, 60] += 5000.0
    frames[:10, 70, 80] += 5000.0

    found, scatter = search(frames, below=1000.0)

    assert found.flags[30, 40] == HOT
    assert found.flags[50, 60] == 0
    assert found.flags[70, 80] == UNSTABLE, "in half of the frames: not hot, but it jumps"
    assert np.count_nonzero(found.flags) == 2
    assert scatter.hot_in[30, 40] == 20
    row = {(x, y): (kind, value) for x, y, kind, value in found.pixels.rows()}
    kind, value = row[(40, 30)]
    assert kind == "hot"
    assert value == pytest.approx(106.0 / TIME, rel=0.03)
    assert found.pixels.unit == "adu/s"


def test_a_pixel_at_two_levels_is_unstable_below_the_limit_of_the_scatter() -> None:
    frames = quiet(32)
    frames[::2, 20, 20] += 8.0 * NOISE

    found, scatter = search(frames, below=1000.0)

    # Standard deviation 4.2 times the noise: below the limit of 5, but in two levels.
    assert scatter.two_levels[20, 20]
    assert found.flags[20, 20] == UNSTABLE
    assert np.count_nonzero(found.flags) == 1


def test_the_photon_noise_of_a_hot_pixel_is_not_unstable() -> None:
    rng = np.random.default_rng(5)
    egain = 0.5
    signal = np.full(SHAPE, 20.0)
    signal[::12, ::16] = 40_000.0
    electrons = rng.poisson(signal * egain, (20, *SHAPE))
    frames = 1000.0 + electrons / egain + rng.normal(0, NOISE, (20, *SHAPE))

    known, _ = search(frames, below=1000.0, egain=egain)
    guessed, _ = search(frames, below=1000.0)

    for found in (known, guessed):
        assert found.pixels.count(UNSTABLE) == 0
        assert found.pixels.count(HOT) == 100
    assert known.pixels.unit == "e-/s"
    assert np.median(known.pixels.value) == pytest.approx(40_000 * egain / TIME, rel=0.01)


def test_glow_is_no_defect_and_a_hot_pixel_in_it_is() -> None:
    frames = quiet()
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    frames += 400.0 * np.exp(-((y - 119) ** 2 + (x - 159) ** 2) / 800.0)
    frames[:, 100, 140] += 200.0

    found, _ = search(frames, below=1000.0)

    assert found.flags[100, 140] == HOT
    assert np.count_nonzero(found.flags) == 1


def test_colours_are_compared_with_their_own() -> None:
    frames = quiet()
    frames[:, 1::2, 1::2] += 300.0
    frames[:, 40, 40] += 150.0

    found, _ = search(frames, below=1000.0, bayer="RGGB")

    assert np.argwhere(found.flags).tolist() == [[40, 40]]


@pytest.mark.parametrize(("bayer", "shape"), [(None, (50, 61)), ("RGGB", (51, 60))])
def test_edges_in_pieces_are_those_of_the_whole(bayer: str | None, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    signal = DarkSignal(rng.normal(0, 1, shape).astype(np.float32), TIME, noise_adu=1.0)
    edges: Edges = hot_edges(signal, bayer, DefectSettings())

    whole = edges.rows(0, shape[0])
    pieces = [edges.rows(y, min(y + 7, shape[0])) for y in range(0, shape[0], 7)]

    assert np.array_equal(np.concatenate(pieces), whole)
    assert np.isfinite(whole).all()


def make_flat() -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    rng = np.random.default_rng(3)
    flat = 1.1 - 0.3 * (x**2 + y**2) + rng.normal(0, 0.002, SHAPE)
    return np.asarray(flat, np.float32)


def test_cold_and_dead_pixels_are_told_from_dust_and_vignetting() -> None:
    flat = make_flat()
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    shadow = 0.4 * np.exp(-((y - 60) ** 2 + (x - 100) ** 2) / 300.0)
    flat *= (1.0 - shadow).astype(np.float32)
    flat[20, 30] *= 0.75
    flat[21, 60] *= 0.3
    flat[60, 100] *= 0.6
    flat[90, 90] *= 0.85
    bpm = np.zeros(SHAPE, np.uint8)
    bpm[70, 20] = Defect.NO_SIGNAL
    bpm[:, :12] = Defect.NO_SIGNAL
    flat[bpm != 0] = 1.0

    found = find_defects(None, None, None, flat, bpm, DefectSettings(), flat_noise=0.002)

    table = {(x, y): (kind, value) for x, y, kind, value in found.pixels.rows()}
    assert set(table) == {(30, 20), (60, 21), (100, 60), (20, 70)}
    assert table[(30, 20)] == ("cold", pytest.approx(0.75, abs=0.01))
    assert table[(60, 21)] == ("dead+cold", pytest.approx(0.3, abs=0.01))
    assert table[(100, 60)] == ("cold", pytest.approx(0.6, abs=0.03))
    assert table[(20, 70)] == ("dead+cold", 0.0)


def test_noise_of_a_poor_flat_is_no_cold_pixel() -> None:
    rng = np.random.default_rng(6)
    flat = (1 + rng.normal(0, 0.08, SHAPE)).astype(np.float32)

    found = find_defects(None, None, None, flat, None, DefectSettings(), flat_noise=0.08)

    assert found.pixels.count(COLD) == 0


def test_words_name_every_defect() -> None:
    assert defect_word(HOT | UNSTABLE) == "hot+unstable"
    assert defect_word(0) == ""


def test_the_hot_and_unstable_pixels_of_the_simulated_observatory_are_found() -> None:
    """Purity and completeness at the definitions' own limits, against the truth of the sensor."""
    night = simulated_observatory(
        "small", speed=inf, start=datetime(2026, 4, 17, 22, 0, tzinfo=UTC), seed=6
    )
    try:
        truth, maps = night.camera.truth, night.camera.truth_maps()
        cooled(night, 0.0)
        under = np.mean([bias(night) for _ in range(9)], axis=0)
        frames = np.array([dark(night, TIME) for _ in range(20)])
        hot, telegraph = maps.hot_pixels(), maps.telegraph_e()
        rate = maps.dark_e_per_s(0.0)
    finally:
        night.close()
    gain = truth.e_per_adu(100)

    found, scatter = search(frames, below=under, egain=gain)

    # Hot: 0.5 e-/s and 5 sigma of a frame; blinking ones belong to the unstable.
    noise_e = float(np.median(scatter.sigma)) * gain
    limit = max(0.5, 5.0 * noise_e / TIME)
    steady = np.ones(truth.shape, bool)
    steady[hot.y[hot.blinking], hot.x[hot.blinking]] = False
    is_hot = (found.flags & np.uint8(HOT)) != 0
    wanted = steady & (rate > 1.3 * limit)
    assert wanted.sum() >= 40
    complete, pure = is_hot[wanted].mean(), (rate[is_hot] > 0.7 * limit).mean()
    assert complete >= 0.99, f"hot: completeness {complete:.4f}"
    assert pure >= 0.99, f"hot: purity {pure:.4f}"
    # Telegraph noise: 15 % of the reads above, 15 % below, so its sigma is sqrt(0.3) of its size.
    jumps = np.zeros(truth.shape, bool)
    jumps[hot.y[hot.blinking], hot.x[hot.blinking]] = True
    sigma = np.hypot(noise_e, np.sqrt(0.3) * telegraph)
    own = np.sqrt(noise_e**2 + np.maximum(rate - np.median(rate), 0.0) * TIME)
    unstable = (found.flags & np.uint8(UNSTABLE)) != 0
    # At 1.4 times the limit some jump too seldom in 20 frames; at twice the limit hardly any.
    for times, least in ((7.0, 0.9), (10.0, 0.97)):
        wanted = (sigma > times * own) & ~jumps
        complete = unstable[wanted].mean()
        assert wanted.sum() >= 30
        assert complete >= least, f"unstable above {times}: completeness {complete:.4f}"
    pure = ((sigma[unstable] > 3.0 * own[unstable]) | jumps[unstable]).mean()
    assert pure >= 0.97, f"unstable: purity {pure:.4f}"


def test_settings_move_the_limits() -> None:
    frames = quiet()
    frames[:, 30, 40] += 30.0
    strict = replace(DefectSettings(), sigmas=10.0)
    loose = replace(DefectSettings(), hot_times_median=1.0)

    assert search(frames, below=1000.0, settings=loose)[0].flags[30, 40] == HOT
    both = replace(strict, hot_times_median=1.0)
    assert search(frames, below=1000.0, settings=both)[0].flags[30, 40] == 0
