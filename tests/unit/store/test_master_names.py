"""Names of masters: what is known, safe everywhere, the same for the same inputs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from calibstudio.domain.errors import UsageError
from calibstudio.domain.master import InputRecord, UsedMaster
from calibstudio.domain.recipe import DEFAULT_MASTER_NAME
from calibstudio.store.master_names import master_name, short_hash

VALUES: dict[str, Any] = {
    "camera": "ZWO ASI2600MM Pro",
    "exposure_s": 300.0,
    "filter": "Hα",
    "gain": 100.0,
    "set_temp_c": -10.0,
    "binning": (1, 1),
    "night": date(2026, 4, 17),
}
AT = datetime(2026, 4, 17, 22, 10, 5, tzinfo=UTC)


def name(kind: str, pattern: str = DEFAULT_MASTER_NAME, **changes: Any) -> str:
    values = {word: value for word, value in {**VALUES, **changes}.items() if value is not None}
    return master_name(pattern, kind, values, first_utc=AT, short_hash="abc123").as_posix()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bias", "bias/2026-04-17/master_bias_g100_-10C_2026-04-17_abc123.fits"),
        ("dark", "dark/300s/2026-04-17/master_dark_300s_g100_-10C_2026-04-17_abc123.fits"),
        (
            "dark flat",
            "dark-flat/300s/2026-04-17/master_dark-flat_300s_g100_-10C_2026-04-17_abc123.fits",
        ),
        ("flat", "flat/Hα/2026-04-17/master_flat_Hα_g100_-10C_2026-04-17_abc123.fits"),
        ("arc", "arc/Hα/2026-04-17/master_arc_Hα_300s_g100_-10C_2026-04-17_abc123.fits"),
    ],
)
def test_the_default_name_says_what_tells_masters_apart(kind: str, expected: str) -> None:
    assert name(kind) == f"ZWO-ASI2600MM-Pro/{expected}"


def test_what_is_not_known_disappears_from_the_name() -> None:
    found = name("dark", camera=None, gain=None, night=None, set_temp_c=None)

    assert found == "unknown-camera/dark/300s/master_dark_300s_abc123.fits"


def test_binning_and_the_sensors_own_temperature_are_named() -> None:
    found = name("bias", binning=(2, 2), set_temp_c=None, sensor_temp_c=21.26)

    assert found.endswith("master_bias_g100_21.3C_bin2x2_2026-04-17_abc123.fits")


def test_a_recipe_may_name_masters_its_own_way() -> None:
    assert name("bias", "kpf_{date}_master_{kind}.fits") == "kpf_20260417_master_bias.fits"
    assert name("dark", "m/{utc}_{exposure}s_{hash}.fits") == "m/20260417T221005_300s_abc123.fits"
    with pytest.raises(UsageError, match="no field called moon"):
        name("dark", "{moon}.fits")


@pytest.mark.parametrize(
    "evil", ["../../etc", "a/b\\c", "CON", "<script>", "x" * 300, "  ", "\x00"]
)
def test_names_stay_below_the_folder_and_short(evil: str) -> None:
    path = Path(name("flat", camera=evil, filter=evil))

    assert not path.is_absolute()
    assert ".." not in path.parts
    assert all(0 < len(part.encode()) <= 255 for part in path.parts)
    assert not any(c in path.name for c in '<>:"|?*\x00')


def test_the_hash_changes_with_everything_that_changes_the_master() -> None:
    inputs = (InputRecord("a", "1" * 64), InputRecord("b", "2" * 64))
    used = (UsedMaster("dark", "d.fits", "3" * 64),)
    base: dict[str, Any] = {
        "recipe": {"name": "default"},
        "kind": "flat",
        "key": VALUES,
        "inputs": inputs,
        "used": used,
        "software": "CalibStudio 1",
    }
    changes: list[dict[str, Any]] = [
        {},
        {"recipe": {"name": "other"}},
        {"kind": "dark"},
        {"key": {**VALUES, "gain": 0.0}},
        {"inputs": inputs[:1]},
        {"inputs": (inputs[0], replace(inputs[1], used=False))},
        {"used": ()},
        {"software": "CalibStudio 2"},
        {"history": ("The bias is taken out of the flats.",)},
        {"inputs": (replace(inputs[0], file="moved"), inputs[1])},
        {"inputs": (replace(inputs[0], reason="a copy"), inputs[1])},
    ]

    hashes = [short_hash(**{**base, **change}) for change in changes]

    assert len(set(hashes)) == len(changes)
    assert short_hash(**base) == hashes[0]
