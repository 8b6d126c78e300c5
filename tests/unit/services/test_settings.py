"""Settings: a bad value costs only itself, unknown keys are kept, nothing is lost in writing."""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import UsageError, WriteProblemError
from calibstudio.services.settings import (
    Settings,
    SettingsStore,
    checked_folder,
    read_settings,
    settings_path,
    write_settings,
)


def test_no_file_gives_the_defaults_and_no_complaint(tmp_path: Path) -> None:
    found = SettingsStore(tmp_path / "none" / "settings.toml").read()

    assert found.settings == Settings()
    assert found.complaints == ()
    assert not (tmp_path / "none").exists()


def test_a_bad_value_costs_only_itself_and_one_sentence() -> None:
    text = 'theme = "sepia"\nnight_brightness = 70\nworker_threads = "two"\ntouch = 1\n'

    found = read_settings(text)

    assert found.settings == Settings(night_brightness=70)
    assert len(found.complaints) == 3
    assert "theme" in found.complaints[0]
    assert all(c.endswith(".") for c in found.complaints)


def test_a_value_outside_its_limits_is_refused() -> None:
    with pytest.raises(ValueError, match="night_brightness must be from 40 to 100"):
        Settings(night_brightness=20)


def test_settings_survive_being_written_and_read(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "deep" / "settings.toml")
    wanted = Settings(
        frames_folder=tmp_path / 'with "quotes" and ünïcode\\',
        library="postgresql://astro@localhost/masters",
        theme="night",
        night_brightness=60,
        touch=True,
        rig="bayer24",
        site_name="Gornergrat",
        site_latitude_deg=45.98,
        site_longitude_deg=-7.78,
    )

    store.write(wanted)

    assert SettingsStore(store.path).read().settings == wanted


@given(st.text(), st.floats(-90, 90), st.booleans())
def test_any_text_survives(name: str, latitude: float, touch: bool) -> None:
    wanted = Settings(site_name=name, site_latitude_deg=latitude, touch=touch)

    assert read_settings(write_settings(wanted)).settings == wanted


def test_keys_of_a_newer_version_are_kept_when_we_write(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('theme = "light"\nspeech = true\n[dome]\nslaved = true\nnames = ["a", "b"]\n')
    store = SettingsStore(path)
    found = store.read()

    store.write(replace(found.settings, touch=True))

    values = tomllib.loads(path.read_text(encoding="utf-8"))
    assert values["speech"] is True
    assert values["dome"] == {"slaved": True, "names": ["a", "b"]}
    assert (values["theme"], values["touch"]) == ("light", True)
    assert found.complaints == ()


def test_a_file_that_is_no_toml_is_kept_aside_and_said(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("theme = = night")

    found = SettingsStore(path).read()

    (kept,) = tmp_path.glob("settings.unreadable-*.toml")
    assert kept.read_text() == "theme = = night"
    assert found.settings == Settings()
    assert kept.name in found.complaints[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(WriteProblemError):
        SettingsStore(tmp_path / "settings.toml").write(Settings())


def test_a_place_that_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(WriteProblemError, match="could not be written"):
        SettingsStore(tmp_path / "file" / "settings.toml").write(Settings())


def test_a_half_written_file_is_never_seen(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "settings.toml")
    store.write(Settings(theme="night"))

    store.write(Settings(theme="light"))

    assert [p.name for p in tmp_path.iterdir()] == ["settings.toml"]


def test_the_own_site_counts_once_it_has_a_name() -> None:
    assert Settings(site_latitude_deg=46.0).site is None
    own = Settings(site_name="Home", site_latitude_deg=46.0, site_timezone="Europe/Zurich")
    assert own.site == Site("Home", 46.0, 0.0, 0.0, "Europe/Zurich")


def test_a_typed_folder_is_checked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert checked_folder(f"  {tmp_path} ") == tmp_path
    assert checked_folder("~/frames") == Path.home() / "frames"
    for text in ("", "  ", str(tmp_path / "file")):
        with pytest.raises(UsageError):
            checked_folder(text)


def test_asking_for_the_path_makes_no_folder() -> None:
    path = settings_path()

    assert path.name == "settings.toml"
    assert not path.parent.exists()


def test_every_setting_has_a_type_that_a_file_can_say() -> None:
    for f in fields(Settings):
        assert isinstance(getattr(Settings(), f.name), bool | int | float | str | Path), f.name
