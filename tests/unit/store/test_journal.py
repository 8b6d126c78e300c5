"""The journal: appended whole, read back, half a line passed over."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calibstudio.domain.errors import LibraryError, WriteProblemError
from calibstudio.store.journal import Journal

AT = datetime(2025, 6, 1, 12, 0, 0, 5, tzinfo=UTC)


def test_entries_come_back_in_order_with_their_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new")

    journal.append([{"what": "approved", "reason": "gut, Hα"}], at=AT)
    journal.append([{"what": "retired"}, {"what": "restored"}], at=AT)

    entries = list(Journal(tmp_path / "new").entries())
    assert [e["what"] for e in entries] == ["approved", "retired", "restored"]
    assert entries[0] == {"at": AT, "what": "approved", "reason": "gut, Hα"}


def test_no_journal_is_no_entries(tmp_path: Path) -> None:
    assert list(Journal(tmp_path).entries()) == []


def test_a_half_written_line_is_passed_over_and_the_next_entry_is_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([{"what": "approved"}], at=AT)
    with journal.path.open("ab") as file:
        file.write(b'{"at":"2025-06-01T12:00:00Z","what":"ret')

    journal.append([{"what": "rejected"}], at=AT)

    assert [e["what"] for e in journal.entries()] == ["approved", "rejected"]


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"[]\n", b'{"at": 3, "what": "x"}\n', b"null\n"])
def test_lines_that_are_no_entries_are_passed_over(tmp_path: Path, line: bytes) -> None:
    journal = Journal(tmp_path)
    journal.path.write_bytes(line)

    journal.append([{"what": "approved"}], at=AT)

    assert [e["what"] for e in journal.entries()] == ["approved"]


def test_entries_of_several_threads_never_mix(tmp_path: Path) -> None:
    journals = [Journal(tmp_path) for _ in range(4)]

    def write(journal: Journal, who: int) -> None:
        for number in range(25):
            journal.append([{"what": "x", "who": who, "number": number}], at=AT)

    threads = [
        threading.Thread(target=write, args=(journal, who)) for who, journal in enumerate(journals)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entries = list(Journal(tmp_path).entries())
    assert len(entries) == 100
    for who in range(4):
        assert [e["number"] for e in entries if e["who"] == who] == list(range(25))


def test_a_journal_that_cannot_be_written_or_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()

    with pytest.raises(WriteProblemError, match=r"journal\.jsonl"):
        Journal(tmp_path).append([{"what": "approved"}], at=AT)
    with pytest.raises(LibraryError, match="cannot be read"):
        list(Journal(tmp_path).entries())
