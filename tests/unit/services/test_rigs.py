"""Rigs on disk: readable files, nothing lost, names that stay in their folder."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.errors import FileProblemError, UsageError, WriteProblemError
from calibstudio.domain.rig import DeviceRef, Rig
from calibstudio.services.rigs import Rigs
from calibstudio.services.trained import TrainedKey, TrainedStore
from calibstudio.store.rig_file import read_rig, rig_text

CAMERA = DeviceRef("alpaca", "camera", 'ZWO "2600"', "10.0.0.2", 11111, 0, "id-a")
RIG = Rig(
    "Newton / 200",
    (CAMERA, DeviceRef("indi", "filterwheel", "EFW", "fe80::1", 7624)),
    Optics("Newton", 1000.0, 200.0),
    Site("Hof", 50.3, 11.9, 500.0, "Europe/Berlin"),
    focus={"L": 10_250, "H alpha": -30},
)


@pytest.fixture
def rigs(tmp_path: Path) -> Rigs:
    return Rigs(tmp_path / "rigs", data_folder=tmp_path / "data", reserved=("tiny",))


def test_a_rig_comes_back_as_it_was(rigs: Rigs) -> None:
    rigs.save(RIG, new=True)

    assert rigs.list().rigs == (RIG,)
    assert rigs.find("newton / 200") == RIG
    (path,) = rigs.folder.iterdir()
    assert path.name == "Newton-200.toml"
    assert tomllib.loads(path.read_text())["device"][0]["unique_id"] == "id-a"


@given(st.text(min_size=1, max_size=80))
def test_names_and_texts_of_any_kind_survive_the_file(text: str) -> None:
    device = replace(CAMERA, name=text)
    assert read_rig(rig_text(Rig("r", (device,)))).rig.devices == (device,)


def test_what_a_newer_version_wrote_is_kept(rigs: Rigs) -> None:
    rigs.save(RIG, new=True)
    (path,) = rigs.folder.iterdir()
    path.write_text("mood = 'good'\n" + path.read_text() + "\n[rotator]\nname = 'R'\n")

    rigs.save(replace(rigs.get(RIG.name), optics=None))

    document = tomllib.loads(path.read_text())
    assert (document["mood"], document["rotator"]) == ("good", {"name": "R"})
    assert "optics" not in document


def test_a_bad_value_costs_only_its_part(rigs: Rigs) -> None:
    rigs.folder.mkdir()
    (rigs.folder / "a.toml").write_text(
        'name = "A"\n[optics]\ntelescope = "N"\nfocal_length_mm = "long"\n'
        '[site]\nname = "x"\nlatitude_deg = 95\nlongitude_deg = 0\n'
        '[[device]]\nprotocol = "alpaca"\ntype = "gps"\nname = "D"\n'
        '[[device]]\nprotocol = "alpaca"\ntype = "camera"\nname = "C"\n'
    )
    (rigs.folder / "b.toml").write_text("name = [")

    found = rigs.list()

    assert [d.name for d in found.rigs[0].devices] == ["C"]
    assert (found.rigs[0].optics, found.rigs[0].site) == (None, None)
    said = "\n".join(found.problems)
    assert len(found.problems) == 4
    for words in ("focal_length_mm", "latitude", "'gps'", "b.toml is not the file of a rig"):
        assert words in said


def test_a_name_is_taken_once_whatever_its_case(rigs: Rigs) -> None:
    rigs.save(RIG, new=True)
    for name in ("NEWTON / 200", "tiny"):
        with pytest.raises(UsageError):
            rigs.save(Rig(name), new=True)
    rigs.save(Rig("Newton-200"), new=True)  # the same name of a file
    assert len(list(rigs.folder.glob("*.toml"))) == 2


def test_a_new_name_takes_what_was_learned_along(rigs: Rigs, tmp_path: Path) -> None:
    rigs.save(RIG, new=True)
    key = TrainedKey("Ha", 100, 50, 1, None, 46)
    now = datetime(2026, 4, 17, tzinfo=UTC)
    TrainedStore.for_rig(tmp_path / "data", RIG.name).learn(key, 4.0, 30_000.0, now)

    rigs.rename(RIG.name, "Refraktor")

    assert [r.name for r in rigs.list().rigs] == ["Refraktor"]
    assert TrainedStore.for_rig(tmp_path / "data", "Refraktor").find(key) is not None
    with pytest.raises(UsageError, match="no rig called"):
        rigs.get(RIG.name)


def test_deleted_is_put_aside_and_comes_back(rigs: Rigs) -> None:
    rigs.save(RIG, new=True)
    kept = rigs.delete(RIG.name)
    assert rigs.list().rigs == ()
    rigs.save(RIG, new=True)
    again = rigs.delete(RIG.name)

    assert kept != again and kept.exists()
    assert rigs.restore(again) == RIG
    with pytest.raises(UsageError, match="already"):
        rigs.restore(kept)
    assert rigs.list().rigs == (RIG,)


def test_copies_are_free_of_each_other(rigs: Rigs) -> None:
    rigs.save(RIG, new=True)
    assert [rigs.duplicate(RIG.name).name for _ in range(2)] == [f"{RIG.name} {n}" for n in (2, 3)]


def test_a_rig_goes_to_another_computer(rigs: Rigs, tmp_path: Path) -> None:
    rigs.save(RIG, new=True)
    rigs.export(RIG.name, tmp_path / "newton.toml")

    assert rigs.read_file(tmp_path / "newton.toml").rig == RIG
    with pytest.raises(UsageError, match="already"):
        rigs.export(RIG.name, tmp_path / "newton.toml")
    with pytest.raises(FileProblemError, match="cannot be read"):
        rigs.read_file(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("x = 1")
    with pytest.raises(FileProblemError, match="no name"):
        rigs.read_file(tmp_path / "bad.toml")


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "rigs").write_text("a file")
    with pytest.raises(WriteProblemError, match="could not be written"):
        Rigs(tmp_path / "rigs").save(RIG, new=True)
