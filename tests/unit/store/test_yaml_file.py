"""YAML of strangers: plain values with their lines, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibstudio.domain.errors import FileProblemError
from calibstudio.store.yaml_file import MOST_BYTES, parse_yaml, read_yaml
from calibstudio.store.yaml_keys import CELSIUS, SECONDS, Mistakes, Section, number_of


def section(text: str) -> Section:
    return Section(parse_yaml(text, "x.yaml"), "", Mistakes("x.yaml"))


def test_values_know_their_lines() -> None:
    root = parse_yaml("a: 1\nb:\n  - x\n  - 2.5\nc: {d: null, e: yes}\n", "x.yaml")

    assert root.value["a"].value == 1 and root.value["a"].line == 1
    assert [(e.value, e.line) for e in root.value["b"].value] == [("x", 3), (2.5, 4)]
    assert root.value["c"].value["d"].value is None
    assert root.value["c"].value["e"].value is True
    assert root.value["c"].value["e"].raw == "yes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, 2", "line 1: expected"),
        ("a: !!python/object/apply:os.system ['echo']", "line 1: .*python.* is not allowed"),
        ("a: !danger x", "line 1: !danger is not allowed"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key a stands twice .line 1 too"),
        ("? [1, 2]\n: x\n", "line 1: a key must be a single word"),
        ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
        ("a: &x [*x]\n", "too deep"),
        ("\ta: 1", "cannot start any token"),
        ("a: \x00", "no YAML that can be read"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(FileProblemError, match=said):
        parse_yaml(text, "x.yaml")


def test_a_file_that_would_unfold_into_a_monster_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]

    with pytest.raises(FileProblemError, match="more than 20"):
        parse_yaml("\n".join(lines), "bomb.yaml")


def test_a_file_that_is_too_deep_for_the_parser_is_refused() -> None:
    with pytest.raises(FileProblemError):
        parse_yaml("[" * 300 + "]" * 300, "deep.yaml")


def test_files_that_cannot_be_read_are_said_by_name(tmp_path: Path) -> None:
    large, latin = tmp_path / "large.yaml", tmp_path / "latin.yaml"
    large.write_bytes(b"#" * (MOST_BYTES + 1))
    latin.write_bytes(b"a: \xff\xfe")

    for path, said in ((large, "1.MB"), (latin, "UTF-8"), (tmp_path / "none.yaml", "none")):
        with pytest.raises(FileProblemError, match=said):
            read_yaml(path)


def test_merged_keys_and_empty_files_are_understood() -> None:
    merged = parse_yaml("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n", "x.yaml")

    assert {k: e.value for k, e in merged.value["y"].value.items()} == {"a": 1, "b": 3}
    assert parse_yaml("# nothing\n", "x.yaml").value == {}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (300, 300.0),
        ("300 s", 300.0),
        ("1 ms", 0.001),
        ("2 min", 120.0),
        ("2,5", 2.5),
        ("1e-3", 0.001),
        ("5 kg", None),
        ("many", None),
        (True, None),
        (None, None),
    ],
)
def test_times_may_have_units(value: object, seconds: float | None) -> None:
    assert number_of(value, SECONDS) == (None if seconds is None else pytest.approx(seconds))


def test_temperatures_may_have_a_proper_minus() -> None:
    assert number_of("\u221210 °C", CELSIUS) == -10.0


def test_every_mistake_is_collected_with_line_and_key() -> None:
    top = section("count: 2.5\nsize: huge\nmode: [1]\nflag: maybe\nlow: -5\nsizze: 3\n")

    assert top.whole("count", low=1, high=10) is None
    assert top.number("size") is None
    assert top.text("mode") is None
    assert top.flag("flag") is None
    assert top.number("low", low=0) is None
    top.refuse_unknown()
    with pytest.raises(FileProblemError) as caught:
        top.mistakes.raise_any()

    assert str(caught.value) == (
        "x.yaml cannot be used: line 1, count: 2.5 is no whole number; "
        "line 2, size: “huge” is no number; line 3, mode: a single word or number is needed; "
        "line 4, flag: “maybe” is neither true nor false; line 5, low: \u22125 is not 0 or more; "
        "line 6, sizze: there is no such key; did you mean size."
    )


def test_filters_called_like_other_things_keep_their_names() -> None:
    top = section("filters: [1, no, L, 2026-01-01, 12:30]\n")

    assert top.texts("filters") == ("1", "no", "L", "2026-01-01", "12:30")
