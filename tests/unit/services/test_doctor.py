"""What the doctor finds."""

from __future__ import annotations

from calibstudio.domain.quality import Verdict
from calibstudio.services import doctor, system_check


def test_a_folder_that_cannot_be_written_is_bad_and_says_the_cure(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)

    check = next(c for c in doctor.examine(tmp_path) if c.name == "Data folder")

    assert check.verdict is Verdict.BAD
    assert "chmod" in check.cure and str(tmp_path) in check.found


def test_every_dependency_of_the_program_is_examined(checkout):
    import tomllib

    wanted = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {w.split(">")[0].split("=")[0].lower() for w in wanted}

    found = {c.name.lower() for c in doctor.examine()}

    assert names <= found


def test_a_missing_screen_is_said_with_what_still_works():
    sentences = system_check.missing_for_window({})
    assert any("no screen" in s and "calibstudio --help" in s for s in sentences)
    assert system_check.has_screen({"QT_QPA_PLATFORM": "offscreen"})


def test_the_install_line_names_every_package_once():
    line = system_check.install_command({"libGL.so.1": "libgl1", "libEGL.so.1": "libegl1"})
    assert "libegl1 libgl1" in line
