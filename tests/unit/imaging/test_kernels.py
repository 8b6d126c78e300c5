"""The compiled kernels: loaded without numba, kept in a cache that is never trusted blindly."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from calibstudio.domain.errors import Cancelled
from calibstudio.imaging import kernels
from calibstudio.imaging.combine_network import comparisons
from calibstudio.imaging.kernels_layout import RUN, STEP
from calibstudio.imaging.kernels_network import merge_exchange


def test_a_process_that_finds_them_in_the_cache_never_imports_numba() -> None:
    kernels.warm_kernels()
    program = (
        "import sys\n"
        "from calibstudio.imaging.kernels import warm_kernels, kernels_ready\n"
        "assert not kernels_ready()\n"
        "warm_kernels()\n"
        "assert kernels_ready()\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'numba', 'astropy', 'PySide6'}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_what_is_compiled_for_the_first_time_says_how_far_it_is_and_hears_a_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "_cache_folders", lambda: [tmp_path])
    monkeypatch.setattr(kernels, "_loaded", None)
    shares: list[float] = []
    began: list[float] = []

    def listen(share: float) -> None:
        shares.append(share)
        if len(shares) == 4:
            began.append(time.perf_counter())
            raise Cancelled

    with pytest.raises(Cancelled):
        kernels.warm_kernels(listen)

    assert time.perf_counter() - began[0] < 5  # It was not waited for.
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1


def test_a_damaged_cache_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels.warm_kernels()
    content = kernels._from_cache()
    assert content is not None
    monkeypatch.setattr(kernels, "_cache_folders", lambda: [tmp_path])
    assert kernels._from_cache() is None
    head = b'{"symbols": {}, "sha256": "0"}\n'

    for damaged in (b"", b"nonsense", head + content[0], head[:-1]):
        (tmp_path / kernels._cache_name()).write_bytes(damaged)
        assert kernels._from_cache() is None


def test_what_was_compiled_is_kept_where_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is needed")
    monkeypatch.setattr(kernels, "_cache_folders", lambda: [blocked, tmp_path / "user"])

    kernels._keep(b"content")

    assert (tmp_path / "user" / kernels._cache_name()).read_bytes() == b"content"
    assert len(list((tmp_path / "user").iterdir())) == 1


@pytest.mark.parametrize("n", [1, 7, 32, 33, 40, 67, 100])
def test_the_network_sorts_every_pattern_of_zeros_and_ones_it_is_given(n: int) -> None:
    # The zero-one principle: what sorts all patterns of 0 and 1 sorts everything.
    import numpy as np

    patterns = np.random.default_rng(n).integers(0, 2, (n, 4000)).astype(np.uint8)
    for i in range(0, n, RUN):
        patterns[i : i + RUN].sort(axis=0)

    for low, high in comparisons(n, 1):
        a, b = patterns[low].copy(), patterns[high].copy()
        patterns[low], patterns[high] = np.minimum(a, b), np.maximum(a, b)

    assert (np.diff(patterns.astype(np.int8), axis=0) >= 0).all()


@pytest.mark.parametrize("n", range(STEP, RUN + 1, STEP))
def test_the_networks_of_short_runs_sort_every_pattern_of_zeros_and_ones(n: int) -> None:
    import numpy as np

    patterns = np.random.default_rng(n).integers(0, 2, (n, 4000)).astype(np.uint8)

    for low, high in merge_exchange(n):
        a, b = patterns[low].copy(), patterns[high].copy()
        patterns[low], patterns[high] = np.minimum(a, b), np.maximum(a, b)

    assert (np.diff(patterns.astype(np.int8), axis=0) >= 0).all()


def test_a_median_needs_fewer_comparisons() -> None:
    assert len(comparisons(32, 128)) == 0
    assert len(comparisons(40, 128, [19, 20])) < 0.5 * len(comparisons(40, 128))
