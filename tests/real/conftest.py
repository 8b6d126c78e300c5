"""The collection of real frames that lies beside the checkout, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real frames; tests that need it are skipped where it is not."""
    if not (SHARED / "MANIFEST.md").is_file():
        pytest.skip(
            f"the collection of real frames is not at {SHARED}: "
            "only the small sets in tests/data are tested"
        )
    return SHARED
