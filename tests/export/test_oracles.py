"""What other programs make of the files, where they are installed (``make oracles``)."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from spgnet.lifting.motion import Motion

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = ("Blender", "the glTF validator and three.js", "OpenSim", "Pose2Sim", "C3D readers")


def late(motion: Motion) -> Motion:
    """A second person with feet, who comes half a second later and leaves earlier."""
    arrays = ("joints", "confidence", "pixels", "timestamps", "foot_contact")
    return replace(motion, track=4, **{name: getattr(motion, name)[25:80] for name in arrays})


@pytest.mark.parametrize("name", NAMES)
def test_other_programs_agree_with_the_files(tmp_path, monkeypatch, walker, name):
    monkeypatch.syspath_prepend(BENCHMARKS)
    oracles = importlib.import_module("export_oracles")
    assert tuple(oracles.ORACLES) == NAMES
    command, checks = oracles.ORACLES[name]
    if not command():
        pytest.skip(f"{name} is not in {oracles.folder()}: make oracles brings it")
    found = checks([walker, late(walker)], tmp_path)
    assert found
    wrong = [check for check in found if not check.least <= check.value <= check.most]
    assert not wrong, "\n".join(map(str, wrong))
