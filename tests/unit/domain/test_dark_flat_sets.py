"""The fewest dark flats: against every possible choice, and by the numbers of the rule."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.dark_flat_sets import FlatExposure, bias_is_nearer, least_sets, reach_s
from calibstudio.domain.recipe import Tolerances

FLATS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 20)), min_size=1, max_size=7
)  # fmt: skip


@given(FLATS)
def test_no_choice_of_fewer_exposures_serves_all_flats(drawn: list[tuple[int, int]]) -> None:
    flats = [FlatExposure(str(i), float(t)) for i, (t, _) in enumerate(drawn)]
    reaches = [float(r) for _, r in drawn]

    found = least_sets(flats, reaches)

    served = [flat for one in found for flat in one.serves]
    assert sorted(f.name for f in served) == sorted(f.name for f in flats)
    assert all(
        abs(flat.exposure_s - one.exposure_s) <= reaches[int(flat.name)]
        for one in found
        for flat in one.serves
    )
    times = sorted({f.exposure_s for f in flats})
    assert {one.exposure_s for one in found} <= set(times)

    def serve(chosen: tuple[float, ...]) -> bool:
        return all(
            any(abs(f.exposure_s - t) <= r for t in chosen)
            for f, r in zip(flats, reaches, strict=True)
        )

    assert not any(serve(few) for n in range(len(found)) for few in combinations(times, n))


@pytest.mark.parametrize(
    ("rate", "hot", "light", "reach"),
    [
        # 0.05 % of 30 000 ADU is 15 ADU: 150 s at 0.1 ADU/s.
        (0.1, 0.0, 30_000.0, 150.0),
        # Hot pixels of 5 ADU/s may be wrong by 1 %: 300 ADU, 60 s.
        (0.1, 5.0, 30_000.0, 60.0),
        # Not known: only the same exposure, 0.5 % of 4 s.
        (None, 0.0, 30_000.0, 0.02),
        (0.1, 0.0, None, 0.02),
        # A level that is no level.
        (0.1, 0.0, -3.0, 0.02),
        # So much dark signal that the tolerance of exposures is wider.
        (1e6, 0.0, 30_000.0, 0.02),
    ],
)
def test_a_dark_flat_reaches_as_far_as_the_dark_signal_allows(
    rate: float | None, hot: float, light: float | None, reach: float
) -> None:
    flat = FlatExposure("L", 4.0, light)

    assert reach_s(flat, rate, hot, 0.0005, Tolerances()) == pytest.approx(reach)


def test_without_dark_signal_one_set_serves_everything() -> None:
    flats = [FlatExposure(str(t), t, 1000.0) for t in (0.5, 2.0, 30.0)]
    reaches = [reach_s(f, 0.0, 0.0, 0.0005, Tolerances()) for f in flats]

    assert [len(one.serves) for one in least_sets(flats, reaches)] == [3]


def test_a_bias_is_nearer_to_a_short_flat_than_a_long_plain_dark() -> None:
    assert bias_is_nearer("dark", 10.0, 2.0)
    assert not bias_is_nearer("dark", 10.0, 5.0)
    assert not bias_is_nearer("dark flat", 10.0, 2.0)
