"""Limits and the words of verdicts."""

from __future__ import annotations

from dataclasses import fields

import pytest

from calibstudio.domain.errors import UsageError
from calibstudio.domain.quality import Verdict
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Limit, Thresholds
from calibstudio.domain.verdict_words import ADVICE, METRICS, advice
from calibstudio.domain.verdicts import Judge, metric_text, more_flats

GOOD, WARN, BAD = Verdict.GOOD, Verdict.WARN, Verdict.BAD


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(-1, BAD), (5, BAD), (5.1, BAD), (10, WARN), (20, GOOD), (50, GOOD), (70, GOOD), (71, WARN),
     (90, WARN), (90.1, BAD)],
)  # fmt: skip
def test_a_value_at_the_limit_is_still_good_on_both_sides(value, verdict):
    limit = Limit(warn_above=70, bad_above=90, warn_below=20, bad_below=6)

    assert limit.judge(value) is verdict


def test_the_side_that_decides_is_the_side_of_the_value():
    both = Limit(warn_above=70, bad_above=90, warn_below=20, bad_below=5)

    assert both.side(80) == (70, 90, "above")
    assert both.side(10) == (20, 5, "below")
    assert Limit(warn_below=50).side(80) == (50, None, "below")
    assert Limit(warn_above=50).side(10) == (50, None, "above")
    assert both.is_two_sided
    assert not Limit(warn_above=1).is_two_sided


def test_limits_in_units_of_noise_become_adu():
    assert Limit(warn_above=2, bad_below=0.5).scaled(3) == Limit(warn_above=6, bad_below=1.5)


def test_every_default_limit_has_warn_before_bad():
    for entry in fields(Thresholds):
        limit = getattr(DEFAULT_THRESHOLDS, entry.name)
        if not isinstance(limit, Limit):
            continue
        if limit.warn_above is not None and limit.bad_above is not None:
            assert limit.warn_above <= limit.bad_above, entry.name
        if limit.warn_below is not None and limit.bad_below is not None:
            assert limit.warn_below >= limit.bad_below, entry.name


def test_a_rigs_own_limits_are_kept_and_read_back():
    own = Thresholds.from_dict(
        {"gradient": {"warn_above": 1.0, "bad_above": 5.0}, "outlier_sigma": 4}
    )

    assert own.gradient == Limit(warn_above=1.0, bad_above=5.0)
    assert own.outlier_sigma == 4.0
    assert own.to_dict() == {
        "gradient": {"warn_above": 1.0, "bad_above": 5.0},
        "outlier_sigma": 4.0,
    }
    assert Thresholds.from_dict(own.to_dict()) == own
    assert DEFAULT_THRESHOLDS.to_dict() == {}


@pytest.mark.parametrize(
    ("plain", "named"),
    [
        ({"gradiant": {}}, "gradiant"),
        ({"gradient": {"above": 3}}, "gradient"),
        ({"gradient": 3}, "gradient"),
        ({"gradient": {"warn_above": "3"}}, "gradient"),
        ({"outlier_sigma": True}, "outlier_sigma"),
        ({"to_dict": 3}, "to_dict"),
        ({"outlier_sigma": float("nan")}, "outlier_sigma"),
    ],
)
def test_a_limit_that_is_not_understood_is_named(plain, named):
    with pytest.raises(UsageError, match=named):
        Thresholds.from_dict(plain)


def test_a_finding_names_metric_value_and_limit():
    judge = Judge("dark")

    judge.add("gradient", 23.5, Limit(warn_above=2.0, bad_above=8.0))

    found = judge.result()
    assert found.verdict is BAD
    assert found.findings[0].what == "Gradient 23.5\u202fADU, limit 8.0\u202fADU."
    assert found.findings[0].metric == "gradient"
    assert found.metrics[0].why == "Above the limit of 8.0\u202fADU."
    assert (found.metrics[0].warn, found.metrics[0].bad) == (2.0, 8.0)


def test_good_values_say_their_limit_and_make_no_finding():
    judge = Judge("flat")

    judge.add("gradient", 0.5, Limit(warn_above=3.5, bad_above=10.0), unit="%")
    judge.add("level_of_range", 47.0, DEFAULT_THRESHOLDS.level_of_range)
    judge.add("mean", 501.25)

    found = judge.result()
    assert found.findings == ()
    assert found.metrics[0].why == "Within the limit of 3.5\u202f%."
    assert found.metrics[1].why == "Within 20.0\u202f% – 70.0\u202f%."
    assert found.metrics[2].verdict is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_not_measured(value):
    judge = Judge("bias")

    judge.add("noise", value, Limit(warn_above=1.0), missing="the image is too small")

    metric = judge.result().metrics[0]
    assert metric.value is None
    assert metric.verdict is None
    assert metric.why == "Noise not measured: the image is too small."
    assert metric_text(metric) == "–"


@pytest.mark.parametrize("kind", ["bias", "dark", "dark flat", "flat", "light"])
def test_every_judged_metric_has_advice_with_a_cure(kind):
    for entry in fields(Thresholds):
        if entry.name in METRICS and isinstance(getattr(DEFAULT_THRESHOLDS, entry.name), Limit):
            for side in ("above", "below"):
                said = advice(entry.name, kind, side)
                assert said.title
                if getattr(DEFAULT_THRESHOLDS, entry.name).side(1e9)[2] == side:
                    assert said.cause, (entry.name, side)
                    assert said.cure, (entry.name, side)


def test_more_flats_are_said_with_what_they_give():
    assert (
        more_flats(499.0, 32, 625.0) == "19 more flats: noise 0.16\u202f% instead of 0.20\u202f%."
    )
    assert more_flats(499.0, 32, 500.0).startswith("1 more flat: ")


def test_dark_flats_are_advised_like_darks():
    assert advice("saturated", "dark flat", "above") == advice("saturated", "dark", "above")


def test_advice_is_written_in_plain_sentences():
    for said in ADVICE.values():
        assert said.cure.endswith(".")
        assert said.cause.endswith(".")
        assert not any(word in said.cause + said.cure for word in ("please", "oops", "!"))
        assert not said.title.endswith(".")


@pytest.mark.parametrize(
    ("frame", "master"), [(89, 501), (87, 490), (50, 300)], ids=["drawn", "simulated", "least"]
)
def test_a_sound_set_of_flats_is_good_frame_by_frame_and_stacked(frame, master):
    assert DEFAULT_THRESHOLDS.snr.judge(frame) is GOOD
    assert DEFAULT_THRESHOLDS.master_snr.judge(master) is GOOD


def test_flats_of_too_few_photons_warn_and_then_fail():
    assert DEFAULT_THRESHOLDS.snr.judge(49) is WARN
    assert [DEFAULT_THRESHOLDS.master_snr.judge(v) for v in (299, 199)] == [WARN, BAD]


def test_the_mere_number_of_dust_shadows_is_no_alarm():
    assert [DEFAULT_THRESHOLDS.dust.judge(n) for n in (21, 200, 201)] == [GOOD, GOOD, WARN]
