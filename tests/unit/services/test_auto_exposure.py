"""The search for the right exposure, on lamps whose truth is known."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from calibstudio.services.auto_exposure import (
    Bounds,
    Circumstances,
    Found,
    GaveUp,
    Goal,
    LevelSearch,
    Measured,
    Outcome,
    Try,
    corrected,
)

TARGET, BIAS, TOP = 32_768.0, 500.0, 65_535.0
GOAL = Goal(TARGET, BIAS, TOP)


class Lamp:
    """A lamp that reaches the target at a known value (exposure or brightness)."""

    def __init__(self, best: float, *, power: float = 1.0, offset: float = 0.0) -> None:
        self.best, self.power, self.offset = best, power, offset
        self.rng = np.random.default_rng(1)
        self.noise_adu = 0.3
        self.uneven = 1.3

    def shine(self, value: float) -> Measured:
        share = ((value + self.offset) / self.best) ** self.power
        signal = (TARGET - BIAS) * share
        level = min(TOP, BIAS + signal + self.rng.normal(0, self.noise_adu))
        return Measured(value, level, min(TOP, BIAS + self.uneven * signal))


def run(search: LevelSearch, lamp: Lamp) -> tuple[Outcome, int]:
    outcome = search.next()
    while isinstance(outcome, Try):
        assert len(search.tries) < 40, "the search does not end"
        outcome = search.record(lamp.shine(outcome.value))
    return outcome, len(search.tries)


@pytest.mark.parametrize(
    ("shortest_s", "longest_s", "untrained"),
    [(3.2e-5, 3600.0, False), (3.2e-5, 3600.0, True), (0.001, 30.0, False), (0.5, 30.0, True)],
)
def test_nearly_every_start_needs_five_frames_at_most_and_none_more_than_six(
    shortest_s: float, longest_s: float, untrained: bool
) -> None:
    rng = np.random.default_rng(17)
    frames: Counter[int] = Counter()
    for _ in range(2000):
        best = 10 ** rng.uniform(np.log10(shortest_s * 1.05), np.log10(longest_s * 0.95))
        start = 1.0 if untrained else 10 ** rng.uniform(np.log10(shortest_s), np.log10(longest_s))
        # The bias was measured in one frame: it is a little wrong.
        goal = Goal(TARGET, BIAS + rng.normal(0, 1.0), TOP)
        outcome, n = run(LevelSearch(goal, Bounds(shortest_s, longest_s, start)), Lamp(best))
        assert isinstance(outcome, Found)
        assert abs(outcome.level_adu - TARGET) <= 0.1 * TARGET
        frames[n] += 1

    assert sum(v for n, v in frames.items() if n <= 5) >= 0.95 * 2000
    assert max(frames) <= 6


def test_an_untrained_search_starts_at_a_second_and_a_trained_one_needs_one_frame() -> None:
    assert LevelSearch(GOAL, Bounds(0.001, 30.0)).next() == Try(1.0)
    assert LevelSearch(GOAL, Bounds(2.0, 30.0)).next() == Try(2.0)

    outcome, n = run(LevelSearch(GOAL, Bounds(0.001, 30.0, 4.1)), Lamp(4.2))

    assert isinstance(outcome, Found) and n == 1


def test_one_measurement_above_the_bias_gives_the_exposure_without_a_limit_on_the_factor() -> None:
    search = LevelSearch(GOAL, Bounds(0.001, 3600.0, 1.0))
    search.next()

    outcome = search.record(Measured(1.0, BIAS + 100.0, BIAS + 120.0))

    assert outcome == Try(pytest.approx((TARGET - BIAS) / 100.0))


def test_two_measurements_give_a_line_so_that_a_shutter_lag_does_not_matter() -> None:
    search = LevelSearch(GOAL, Bounds(0.001, 3600.0, 0.1))

    outcome, n = run(search, Lamp(0.3, offset=0.05))

    assert isinstance(outcome, Found) and n <= 4
    assert outcome.value == pytest.approx(0.25, rel=0.02)


def test_a_saturated_frame_leads_to_the_geometric_middle() -> None:
    search = LevelSearch(GOAL, Bounds(0.01, 100.0, 1.0))
    search.next()

    assert search.record(Measured(1.0, TOP, TOP)) == Try(pytest.approx(0.1))


def test_a_frame_too_dark_to_measure_leads_a_hundred_times_up() -> None:
    search = LevelSearch(GOAL, Bounds(0.01, 100.0, 0.02))
    search.next()

    assert search.record(Measured(0.02, BIAS + 5.0, BIAS + 9.0)) == Try(pytest.approx(2.0))
    assert search.record(Measured(2.0, TOP, TOP)) == Try(pytest.approx(0.2))


def test_too_bright_at_the_shortest_exposure_says_how_far_to_dim() -> None:
    around = Circumstances(brightness=46, max_brightness=4096, can_dim=True)
    search = LevelSearch(GOAL, Bounds(0.2, 10.0, 1.0), around)

    outcome, _ = run(search, Lamp(0.2 * 32_268 / 57_500))

    assert isinstance(outcome, GaveUp)
    assert outcome.message.startswith(
        "Still 58\u202f000\u202fADU at the shortest exposure of 0.2\u202fs"
    )
    assert outcome.hint == "Dim the panel below 26, or put a sheet of paper on it."


def test_too_bright_with_the_panel_at_its_lowest_asks_for_paper() -> None:
    search = LevelSearch(
        GOAL, Bounds(0.2, 10.0, 1.0), Circumstances(brightness=1, max_brightness=255, can_dim=True)
    )

    outcome, _ = run(search, Lamp(0.01))

    assert isinstance(outcome, GaveUp) and "put paper on the panel" in outcome.hint


def test_too_bright_without_a_dial_asks_for_paper_or_cloth() -> None:
    outcome, _ = run(LevelSearch(GOAL, Bounds(0.2, 10.0, 1.0)), Lamp(0.01))

    assert isinstance(outcome, GaveUp) and "paper or cloth" in outcome.hint


def test_too_dark_at_the_longest_exposure_says_how_bright_the_panel_must_be() -> None:
    around = Circumstances(brightness=40, max_brightness=4096, can_dim=True, camera_longest_s=3600)

    outcome, _ = run(LevelSearch(GOAL, Bounds(0.5, 10.0, 1.0), around), Lamp(25.0))

    assert isinstance(outcome, GaveUp)
    assert outcome.message.startswith(
        "Only 13\u202f407\u202fADU at the longest exposure of 10\u202fs"
    )
    assert outcome.hint == "Raise the panel to 100, or allow exposures of 25\u202fs."


def test_too_dark_with_the_panel_at_its_end_offers_only_what_is_possible() -> None:
    around = Circumstances(brightness=255, max_brightness=255, can_dim=True, camera_longest_s=20)

    outcome, _ = run(LevelSearch(GOAL, Bounds(0.5, 10.0, 1.0), around), Lamp(25.0))

    assert isinstance(outcome, GaveUp)
    assert outcome.hint == "Use a brighter light."
    assert "Raise the panel" not in outcome.hint and "allow" not in outcome.hint


def test_no_light_at_all_is_told_from_little_light() -> None:
    outcome, n = run(LevelSearch(GOAL, Bounds(0.001, 10.0, 1.0)), Lamp(1e12))

    assert isinstance(outcome, GaveUp) and n <= 3
    assert outcome.message.startswith("No light at the longest exposure")
    assert "lamp is lit" in outcome.hint


def test_a_target_where_the_camera_is_not_linear_is_refused_before_any_frame() -> None:
    high = LevelSearch(Goal(62_000, BIAS, TOP), Bounds(0.1, 10.0)).next()
    low = LevelSearch(Goal(510, BIAS, TOP), Bounds(0.1, 10.0)).next()

    assert isinstance(high, GaveUp) and "not linear" in high.message
    assert isinstance(low, GaveUp) and "not above the bias" in low.message


def test_a_level_whose_brightest_parts_clip_is_lowered_inside_the_tolerance() -> None:
    lamp = Lamp(1.0)
    lamp.uneven = 1.85  # 1.85 x (T - B) is above 90 % of the top; at 92 % of the level it is below

    outcome, n = run(LevelSearch(GOAL, Bounds(0.1, 10.0, 1.0)), lamp)

    assert isinstance(outcome, Found) and n == 2
    assert 0.9 * TARGET <= outcome.level_adu < 0.95 * TARGET


def test_a_level_that_cannot_be_reached_without_clipping_says_which_one_can() -> None:
    lamp = Lamp(1.0)
    lamp.uneven = 2.2

    outcome, n = run(LevelSearch(GOAL, Bounds(0.1, 10.0, 1.0)), lamp)

    assert isinstance(outcome, GaveUp) and n <= 3
    assert "the brightest parts already reach" in outcome.message
    assert "Lower the target to" in outcome.hint


def test_a_lamp_that_does_not_hold_still_ends_the_search_with_its_levels() -> None:
    rng = np.random.default_rng(3)
    search = LevelSearch(GOAL, Bounds(0.1, 100.0, 1.0))
    outcome = search.next()
    while isinstance(outcome, Try):
        outcome = search.record(Measured(outcome.value, float(rng.choice([2e3, 5e4]))))

    assert isinstance(outcome, GaveUp) and len(search.tries) <= 12
    assert "did not settle" in outcome.message and "warm up" in outcome.hint


def test_a_camera_with_coarse_exposure_steps_does_not_loop_for_ever() -> None:
    search = LevelSearch(Goal(TARGET, BIAS, TOP, 0.02), Bounds(0.001, 10.0, 0.01))
    outcome = search.next()
    lamp = Lamp(0.0145)
    while isinstance(outcome, Try):
        done = max(0.01, round(outcome.value / 0.01) * 0.01)
        outcome = search.record(lamp.shine(done))

    assert isinstance(outcome, GaveUp) and len(search.tries) <= 12


@pytest.mark.parametrize("top", [255, 4096])
@pytest.mark.parametrize("power", [0.7, 1.0, 1.4])
def test_brightness_is_found_in_whole_steps_on_a_panel_that_is_not_linear(
    top: int, power: float
) -> None:
    rng = np.random.default_rng(23)
    for _ in range(200):
        best = 10 ** rng.uniform(np.log10(8), np.log10(top * 0.95))
        search = LevelSearch(GOAL, Bounds(1, top, None, integer=True, max_frames=16))

        outcome, n = run(search, Lamp(best, power=power))

        assert isinstance(outcome, Found) and n <= 8
        assert all(m.value == int(m.value) for m in search.tries)


def test_a_panel_without_a_step_between_two_levels_says_which_exposure_would_do() -> None:
    search = LevelSearch(
        GOAL, Bounds(1, 255, 100, integer=True, max_frames=16), Circumstances(exposure_s=2.0)
    )

    outcome, _ = run(search, Lamp(2.5))

    assert isinstance(outcome, GaveUp)
    assert outcome.message.startswith("Brightness 2 gives") and "and 3" in outcome.message
    assert outcome.hint == "Expose 2.5\u202fs instead of 2\u202fs."


def test_a_panel_too_bright_or_too_dark_at_its_ends_names_the_exposure() -> None:
    around = Circumstances(exposure_s=2.0, camera_shortest_s=0.001)

    bright, _ = run(LevelSearch(GOAL, Bounds(1, 255, 100, integer=True), around), Lamp(0.7))
    dark, _ = run(LevelSearch(GOAL, Bounds(1, 255, 100, integer=True), around), Lamp(510.0))

    assert isinstance(bright, GaveUp)
    assert "lowest brightness of 1" in bright.message
    assert "expose less than 1.4\u202fs" in bright.hint
    assert isinstance(dark, GaveUp)
    assert "highest brightness of 255" in dark.message
    assert dark.hint.startswith("Expose 4\u202fs or longer")


def test_a_drifting_lamp_is_followed_but_noise_is_not() -> None:
    still = corrected(4.0, TARGET * 1.04, GOAL, 0.5, 10.0)
    drifted = corrected(4.0, TARGET * 1.2, GOAL, 0.5, 10.0)

    assert still == 4.0
    assert drifted == pytest.approx(4.0 * (TARGET - BIAS) / (1.2 * TARGET - BIAS))
    assert corrected(4.0, TOP, GOAL, 0.5, 10.0) == 4.0
    assert corrected(4.0, 600.0, GOAL, 0.5, 10.0) == 10.0
