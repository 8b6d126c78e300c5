"""What groups are called."""

from __future__ import annotations

from datetime import date

import pytest

from calibstudio.domain.group_titles import group_title, group_titles
from calibstudio.domain.grouping import Group
from calibstudio.domain.header import HeaderValue
from calibstudio.domain.wording import MINUS, NARROW


def group(kind: str, name: str = "", **key: HeaderValue) -> Group:
    return Group(id=f"{kind}-{hash(tuple(key.items()))}", kind=kind, key=key, frames=(), name=name)


@pytest.mark.parametrize(
    ("made", "title"),
    [
        (
            group("dark", exposure_s=300.0, set_temp_c=-10.0),
            f"Dark · 300{NARROW}s · {MINUS}10{NARROW}°C",
        ),
        (group("flat", filter="Ha", night=date(2026, 4, 17)), "Flat · Ha · 2026-04-17"),
        (group("bias", set_temp_c=-10.0), f"Bias · {MINUS}10{NARROW}°C"),
        (
            group("dark", exposure_s=2.5, sensor_temp_c=33.64),
            f"Dark · 2.5{NARROW}s · 33.6{NARROW}°C",
        ),
        (group("dark flat", exposure_s=0.004), f"Dark flat · 4{NARROW}ms"),
        (
            group("light", filter="L", exposure_s=120.0, night=date(2026, 4, 17)),
            f"Light · L · 120{NARROW}s · 2026-04-17",
        ),
        (group("arc", object="Xe", exposure_s=10.0), f"Arc · Xe · 10{NARROW}s"),
        (group("flat"), "Flat"),
        (group("flat", name="My flats", filter="Ha"), "My flats"),
    ],
)
def test_a_title_says_what_tells_groups_apart(made: Group, title: str) -> None:
    assert group_title(made) == title


def test_groups_that_would_be_called_the_same_get_what_differs() -> None:
    groups = [
        group("bias", set_temp_c=-10.0, gain=0.0),
        group("bias", set_temp_c=-10.0, gain=100.0),
        group("bias", set_temp_c=-20.0, gain=100.0),
        group("bias", set_temp_c=-10.0),
    ]

    titles = group_titles(groups)

    cold = f"Bias · {MINUS}10{NARROW}°C"
    assert [titles[g.id] for g in groups] == [
        f"{cold} · gain 0",
        f"{cold} · gain 100",
        f"Bias · {MINUS}20{NARROW}°C",
        f"{cold} · gain unknown",
    ]
