"""What the tests of batches share: a command with untrained weights, and clips of a simulated person."""

from collections.abc import Callable
from pathlib import Path

import pytest

from capture.conftest import clip, spgnet, video  # noqa: F401
from spgnet.files import read_json


@pytest.fixture
def clips(clip, tmp_path) -> Callable[..., list[str]]:  # noqa: F811
    """Write clips of the same walk to the given paths."""

    def write(*names: str) -> list[str]:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            if tmp_path / name != clip:
                (tmp_path / name).write_bytes(clip.read_bytes())
        return list(names)

    return write


@pytest.fixture
def states() -> Callable[..., dict[str, str]]:
    """The states in a report by the names of the results."""

    def read(out: str = "out") -> dict[str, str]:
        return {each["name"]: each["state"] for each in read_json(Path(out, "report.json"))["inputs"]}

    return read
