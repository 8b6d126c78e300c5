"""Faults as they are typed."""

from __future__ import annotations

import pytest

from calibstudio.domain.errors import UsageError
from calibstudio.domain.faults import FaultKind, FaultValue, parse_fault, spelling

KINDS = (
    FaultKind("stuck", "Stuck", "It does not move."),
    FaultKind("slow", "Slow", "It is slow.", (FaultValue("delay", "s", 30.0, 0.1, 3600.0),)),
    FaultKind(
        "lost",
        "Lost",
        "It is gone.",
        (FaultValue("exposure", "", 0.0, 0.0, 99.0), FaultValue("back after", "s", 5.0, 0.0, 60.0)),
    ),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stuck", ("stuck", ())),
        (" Stuck ", ("stuck", ())),
        ("slow", ("slow", (30.0,))),
        ("slow:2.5", ("slow", (2.5,))),
        ("lost:3", ("lost", (3.0, 5.0))),
        ("lost:3,20", ("lost", (3.0, 20.0))),
        ("lost:", ("lost", (0.0, 5.0))),
    ],
)
def test_a_fault_is_a_word_with_numbers(text: str, expected: tuple[str, tuple[float, ...]]) -> None:
    assert parse_fault(text, KINDS) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("melted", "no fault “melted”. Choose one of stuck, slow, lost"),
        ("", "no fault “”"),
        ("slow:soon", "“soon” is not a number for the fault “slow”. Type it as slow:30"),
        ("slow:0", "cannot have delay 0. Choose 0 – 3600"),
        ("slow:nan", "cannot have delay"),
        ("slow:1,2", "takes delay"),
        ("stuck:1", "takes no number"),
    ],
)
def test_what_is_not_a_fault_is_refused_with_the_cure(text: str, said: str) -> None:
    with pytest.raises(UsageError) as problem:
        parse_fault(text, KINDS)

    words = f"{problem.value} {problem.value.hint}".replace("\u202f", " ")
    assert said in words


def test_a_fault_is_spelled_with_its_defaults() -> None:
    assert [spelling(kind) for kind in KINDS] == ["stuck", "slow:30", "lost:0,5"]
    assert all(parse_fault(spelling(kind), KINDS)[0] == kind.word for kind in KINDS)
