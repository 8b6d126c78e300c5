"""The frame of the command line: exit codes, JSON, problems, signals."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from calibstudio.cli import main as cli
from calibstudio.cli.frame import Outcome, Problem, ProgressBar, write_json
from calibstudio.cli.library import ACTIONS
from calibstudio.domain.errors import CalibStudioError, Cancelled
from calibstudio.domain.jobs import Progress
from tests.helpers.frames import write_frame


class Command:
    """A small real command that does what a test asks."""

    def __init__(self, act):
        self._act = act

    def add_arguments(self, parser):
        parser.add_argument("words", nargs="*")

    def run(self, args, ctx):
        return self._act()


@pytest.fixture
def run_command(monkeypatch):
    def run(act, *argv):
        monkeypatch.setattr(cli.importlib, "import_module", lambda name: Command(act))
        return cli.run(["doctor", *argv])

    return run


def test_success_prints_text_and_exits_0(run_command, capsys):
    assert run_command(lambda: Outcome({"a": 1}, "one line")) == 0
    assert capsys.readouterr().out == "one line\n"


def test_json_is_one_document_and_nothing_else_on_standard_output(run_command, capsys):
    outcome = Outcome(
        {"path": Path("a"), "n": float("nan")}, "text", [Problem("It broke.", "Mend it.")]
    )

    code = run_command(lambda: outcome, "--json")

    out, err = capsys.readouterr()
    assert json.loads(out) == {"path": "a", "n": None}
    assert err == "calibstudio: It broke. Mend it.\n"
    assert code == 1


def test_a_foreseen_failure_is_one_sentence_and_exit_2(run_command, capsys):
    def act():
        raise CalibStudioError("There is no file a.fits.", hint="Check the name.")

    assert run_command(act) == 2
    assert capsys.readouterr().err == "calibstudio: There is no file a.fits. Check the name.\n"


def test_a_cancel_exits_130(run_command):
    def act():
        raise Cancelled

    assert run_command(act) == 130


@pytest.mark.expects_error_log
def test_a_bug_shows_no_traceback_but_names_the_log(run_command, capsys):
    def act():
        raise ZeroDivisionError

    assert run_command(act) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "calibstudio.log" in err


WRONG = [["doctor", "extra"], ["doctor", "--no-such"], ["stack", "--low", "x"]]


@pytest.mark.parametrize("argv", WRONG)
def test_wrong_usage_exits_2_with_a_sentence(argv, capsys):
    assert cli.run(argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("calibstudio: ") and "--help" in err


def test_a_mistyped_command_is_told_its_nearest(capsys):
    assert cli.run(["mastres"]) == 2
    assert "Did you mean masters?" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_help(name, capsys):
    assert cli.run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert "--json" in out and "--log-level" in out


def test_every_action_of_the_library_takes_what_every_command_takes(capsys):
    for action in ACTIONS:
        assert cli.run(["library", action, "--help"]) == 0
        out = capsys.readouterr().out
        assert "--json" in out and "--log-level" in out


def test_the_progress_bar_is_silent_where_there_is_no_terminal():
    stream = io.StringIO()
    bar = ProgressBar(stream)

    bar(Progress(0.5, "half"))
    bar.close()

    assert stream.getvalue() == ""


def test_json_writes_names_that_are_not_utf8(tmp_path):
    stream = io.StringIO()
    write_json({"path": os.fsdecode(b"bad\xff.fits")}, stream)
    assert json.loads(stream.getvalue()) == {"path": "bad\\udcff.fits"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_long_command_within_5_seconds(number, tmp_path):
    code = (
        "import sys; from calibstudio.cli import main as m\n"
        "class C:\n"
        "    def add_arguments(self, p): pass\n"
        "    def run(self, args, ctx):\n"
        "        print('ready', flush=True); ctx.token.wait(60)\n"
        "m.importlib.import_module = lambda name: C()\n"
        "sys.exit(m.run(['doctor']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"

    start = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)

    assert time.monotonic() - start < 5.0
    assert process.returncode == 130
    assert err == b"calibstudio: Stopped. What was complete is kept.\n"


def test_commands_without_a_window_never_import_qt():
    code = (
        "import sys; from calibstudio.cli import main as m; m.run(['doctor', '--json'])\n"
        "sys.exit(any(n.startswith(('PySide6', 'pyqtgraph')) for n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["checks"]


INTERRUPTED_WHILE_IMPORTING = """
import os, sys
class Interrupts:
    def find_spec(self, name, *where):
        if name == "{module}":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {signal})
sys.meta_path.insert(0, Interrupts())
sys.argv = ["calibstudio", "masters", "{folder}", "--library", "{folder}/library"]
from calibstudio.__main__ import main
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to a process ends it there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("argparse", "Stopped before anything began."),
        ("calibstudio.cli.masters", "Stopped before anything began."),
        ("calibstudio.services.import_frames", "Stopped. What was complete is kept."),
    ],
)
def test_an_interrupt_at_the_start_is_a_sentence(
    module: str, said: str, number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "a.fits").write_bytes(b"SIMPLE  = ")
    code = INTERRUPTED_WHILE_IMPORTING.format(
        module=module, signal=int(number), folder=tmp_path.as_posix()
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr, done.stdout) == (130, f"calibstudio: {said}\n", "")
    assert [p.name for p in tmp_path.iterdir()] == ["a.fits"]


@pytest.mark.parametrize("words", [["-m", "calibstudio", "--help"], ["dev.py", "--help"]])
def test_a_reader_that_goes_away_is_no_error(words, checkout):
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [sys.executable, *words], stdout=write, stderr=subprocess.PIPE, text=True, cwd=checkout
    )

    os.close(write)
    assert done.stderr == ""
    assert done.returncode in (0, 141)


def test_problems_that_nobody_reads_are_no_error(tmp_path):
    (tmp_path / "empty.fits").write_bytes(b"")
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "calibstudio", "groups", str(tmp_path)]

    done = subprocess.run(words, stdout=write, stderr=write)

    os.close(write)
    assert done.returncode == 0


def test_an_unknown_command_is_told_which_there_are(capsys):
    assert cli.run(["calibrate"]) == 2

    said = capsys.readouterr().err
    assert "There is no command or folder 'calibrate'. There are: gui, headers, groups" in said
    assert cli.run(["maters"]) == 2
    assert "Did you mean masters?" in capsys.readouterr().err


def on_terminal(encoding, *words):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    words = [sys.executable, "-m", "calibstudio", *map(str, words)]
    return subprocess.run(words, capture_output=True, env=environment)


def test_a_terminal_of_few_letters_gets_plainer_text_and_whole_json(tmp_path):
    path = write_frame(tmp_path / "dark_é.fits", IMAGETYP="DARK", EXPTIME=2.5, CCD__TEMP=-10.0)

    text = on_terminal("ascii", "headers", path)
    document = on_terminal("ascii", "headers", "--json", path)

    assert (text.returncode, text.stderr) == (0, b"")
    assert b"2.5 s" in text.stdout and b"-10.0" in text.stdout
    assert b"dark_\\xe9.fits" in text.stdout
    assert json.loads(document.stdout)["files"][0]["path"] == str(path)


def test_names_of_files_cannot_steer_a_terminal(tmp_path):
    frame = write_frame(tmp_path / "dark\x1b[31m.fits", IMAGETYP="DARK", EXPTIME=2.5)
    frame.rename(frame.with_name(os.fsdecode(b"dark\xff\x1b[31m.fits")))
    (tmp_path / "empty\x1b[2J.fits").write_bytes(b"")

    done = on_terminal("utf-8", "headers", *tmp_path.iterdir())

    assert done.returncode == 1
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\\x1b[31m.fits" in done.stdout and b"empty\\x1b[2J.fits" in done.stderr


@pytest.mark.parametrize("command", ["headers", "groups", "qc"])
def test_a_link_in_a_circle_is_one_file_that_cannot_be_read(command, tmp_path, capsys):
    frame = write_frame(tmp_path / "dark.fits", IMAGETYP="DARK", EXPTIME=2.5, shape=(40, 40))
    loop = tmp_path / "loop.fits"
    loop.symlink_to(loop)

    code = cli.run([command, "--json", str(loop), str(frame)])

    said = capsys.readouterr()
    assert code == 1
    assert "loop.fits" in said.err
    assert str(frame) in said.out
