"""Make a master again and compare, from the Library."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.recipe import Recipe
from calibstudio.gui.library.again import MakeAgain
from calibstudio.services.import_frames import scan
from calibstudio.services.masters import build_masters
from tests.helpers.night import Camera, take


@pytest.fixture
def master(context, tmp_path: Path):
    """A bias of three frames in the library."""
    take(tmp_path / "night", Camera(), "bias", 3)
    found = scan(JobContext(), [tmp_path / "night"], cache=False)
    grouping = group_frames(found.headers)
    report = build_masters(
        JobContext(), grouping, grouping.headers, context.open_library(), Recipe()
    )
    return report.masters[0].record


@pytest.fixture
def widget(qtbot, context, master):
    made = MakeAgain(context)
    qtbot.addWidget(made)
    made.show_master(master)
    made.show()
    return made


def test_the_result_is_a_sentence(qtbot, widget):
    with qtbot.waitSignal(widget.done, timeout=30000):
        widget.button.click()
        assert not widget.button.isEnabled()

    assert widget.result.text().endswith("was made again and is the same to the byte.")
    assert widget.result.property("tone") == "good"
    qtbot.waitUntil(widget.button.isEnabled, timeout=10000)


def test_frames_that_are_gone_are_named(qtbot, widget, tmp_path):
    gone = sorted((tmp_path / "night").rglob("*.fit*"))[0]
    gone.unlink()

    with qtbot.waitSignal(widget.done, timeout=30000):
        widget.button.click()

    assert gone.name in widget.result.text().replace("\u200b", "")
    assert widget.result.property("tone") == "warn"


def test_another_master_has_no_result_yet(qtbot, widget, master):
    with qtbot.waitSignal(widget.done, timeout=30000):
        widget.button.click()

    widget.show_master(None)

    assert widget.result.text() == ""
    qtbot.waitUntil(lambda: not widget._at_work, timeout=10000)
    assert not widget.button.isEnabled()


def test_a_long_name_leaves_the_panel_as_narrow_as_it_was(qtbot, widget, master):
    before = widget.minimumSizeHint().width()

    with qtbot.waitSignal(widget.done, timeout=30000):
        widget.button.click()

    assert len(master.path.name) > 40
    assert widget.result.isVisible()
    assert widget.minimumSizeHint().width() == before
