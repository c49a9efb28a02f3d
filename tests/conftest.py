"""What every test shares: where real recordings lie, if they are there."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def real_motion() -> Path:
    """The folder of real motion capture archives."""
    return _shared("motion")


@pytest.fixture(scope="session")
def real_detections() -> Path:
    """The folder of real detections with marker truth."""
    return _shared("real")


def _shared(name: str) -> Path:
    if not (SHARED / name).is_dir():
        pytest.skip(f"the real recordings (shared/{name}) are not beside this checkout")
    return SHARED / name
