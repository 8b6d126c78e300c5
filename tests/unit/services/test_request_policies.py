"""What is due: by nights, by days, by the filters and exposures that lights use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.quality import Verdict
from calibstudio.services.library import Library
from calibstudio.services.request_policies import Due, ask_for_due, due_of, read_policies
from calibstudio.services.requests import cancel, requests_of
from tests.helpers.masters import make_master_file
from tests.unit.services.test_light_plan import write_light

NIGHT = date(2025, 6, 8)
NOW = datetime(2025, 6, 8, 22, tzinfo=UTC)
CAMERA = "Simulated 24"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def due(library: Library, text: str, night: date = NIGHT) -> list[Due]:
    file = library.folder / "policies.yaml"
    file.write_text(f"calibstudio: 1\nlights: ../lights\npolicies:\n{text}\n")
    now = NOW + (night - NIGHT)
    return due_of(JobContext(), library, read_policies(file), now, night, CAMERA)


@pytest.mark.parametrize(("after_days", "is_due"), [(0, False), (6, False), (7, True), (8, True)])
def test_flats_every_seven_days_are_due_on_the_seventh(
    library: Library, after_days: int, is_due: bool
) -> None:
    made = make_master_file(library.folder / "f.fits", kind="flat", filter="Ha", night=NIGHT)
    library.add(made)
    text = "  - {name: flats, take: flat, every: 7 days, filters: [H-alpha]}"

    found = due(library, text, NIGHT + timedelta(days=after_days))

    assert bool(found) is is_due


def test_a_master_of_another_camera_setting_or_verdict_does_not_count(library: Library) -> None:
    text = "  - {name: bias, take: bias, every: night, gain: 100}"
    for seed, more in enumerate(
        ({"camera": "Other"}, {"gain": 120.0}, {"verdict": Verdict.BAD}), start=1
    ):
        path = library.folder / f"b{seed}.fits"
        library.add(make_master_file(path, kind="bias", seed=seed, night=NIGHT, **more))
    assert len(due(library, text)) == 1

    library.add(make_master_file(library.folder / "b.fits", kind="bias", seed=9, night=NIGHT))

    assert due(library, text) == []


def test_filters_and_exposures_are_those_that_lights_of_this_month_use(
    library: Library, tmp_path: Path
) -> None:
    lights = tmp_path / "lights"
    write_light(lights, "a", 300.0, FILTER="Ha")
    write_light(lights, "b", 30.0, FILTER="h-alpha")
    write_light(lights, "c", 300.0, FILTER="L")
    write_light(lights, "old", 900.0, FILTER="R", DATE__OBS="2025-04-01T01:00:00")
    write_light(lights, "other", 600.0, FILTER="B", INSTRUME="Other")
    text = (
        "  - {name: flats, take: flat, every: 7 days, filters: used}\n"
        "  - {name: darks, take: dark, every: 30 days, exposures: used, longer_than: 60}"
    )

    found = due(library, text)

    flats = [d.wish.filter for d in found if d.policy.name == "flats"]
    assert len(flats) == 2 and flats[1] == "L" and flats[0] in ("Ha", "h-alpha")
    assert [d.wish.exposure_s for d in found if d.policy.name == "darks"] == [300.0]


def test_what_waits_or_was_cancelled_tonight_is_not_asked_for_again(library: Library) -> None:
    text = "  - {name: bias, take: bias, every: night}"
    assert len(due(library, text)) == 1
    policies = read_policies(library.folder / "policies.yaml")

    (request,) = ask_for_due(JobContext(), library, policies, NOW, NIGHT, CAMERA)
    assert due(library, text) == []
    cancel(library, request.id)
    assert due(library, text) == []

    assert len(due(library, text, NIGHT + timedelta(days=1))) == 1
    assert len(requests_of(library)) == 1


def test_a_library_of_the_first_schema_gets_its_queue(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    with Library.open(folder) as library:
        library.add(make_master_file(folder / "d.fits"))
    engine = sa.create_engine(f"sqlite:///{folder / 'library.sqlite'}")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE calibration_requests"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()

    with Library.open(folder) as library:
        assert requests_of(library) == () and len(library.masters()) == 1
