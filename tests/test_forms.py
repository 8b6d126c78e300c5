"""Forms are compiled again and compared, so that no page shows a form of yesterday."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORMS = sorted((ROOT / "ui").glob("*.ui"))
COMPILED = ROOT / "calibstudio" / "gui" / "forms"


def _uic() -> list[str]:
    """How pyside6-uic is started with the packages these tests run with."""
    script = "import sys; from PySide6.scripts.pyside_tool import uic; sys.exit(uic())"
    return [sys.executable, "-c", script]


def _without_header(text: str) -> list[str]:
    """The lines after the header comment, which names the version of uic."""
    lines = text.splitlines()
    while lines and (not lines[0].strip() or lines[0].startswith("#")):
        lines.pop(0)
    return lines


def test_there_are_forms() -> None:
    assert FORMS


@pytest.mark.parametrize("form", FORMS, ids=lambda p: p.stem)
def test_a_form_is_compiled_as_it_is_now(form: Path) -> None:
    done = subprocess.run([*_uic(), str(form)], capture_output=True, text=True, check=True)

    committed = (COMPILED / f"ui_{form.stem}.py").read_text(encoding="utf-8")

    assert _without_header(done.stdout) == _without_header(committed), (
        f"run: pyside6-uic ui/{form.name} -o calibstudio/gui/forms/ui_{form.stem}.py"
    )


def test_nothing_is_compiled_from_a_form_that_is_gone() -> None:
    compiled = {p.stem.removeprefix("ui_") for p in COMPILED.glob("ui_*.py")}

    assert compiled == {p.stem for p in FORMS}
