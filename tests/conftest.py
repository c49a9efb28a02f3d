"""What every test shares: where real recordings lie, if they are there."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from spgnet import cli
from spgnet.data.dataset import PoseDataset, project_clips
from spgnet.geometry.motion_clip import split_to_space
from spgnet.geometry.rigs import human36m_rig
from spgnet.models import MODEL_CONFIGS, NETWORKS
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training.losses import LOSS_TERMS
from spgnet.training.recipes import RECIPE_DESCRIPTIONS, RECIPES

settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")  # whether a law holds does not depend on how busy the machine is
torch.set_num_threads(1)  # small tensors: more threads only wait for each other
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_interrupts() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt here and in the processes that tests start, whatever the shell says.

    A shell lets what it starts in the background ignore SIGINT, and a process hands that on to its children.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[object, str]]:
    """Run ``spgnet`` with arguments: how it ended (None: well), and what it printed, of its error messages
    only those that argument parsing prints."""

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["spgnet", *arguments])
        code = None
        try:
            cli.run_command()
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return code, printed.out + (printed.err if code == 2 else "")

    return run


@pytest.fixture
def registries() -> Iterator[None]:
    """What a test registers of networks, loss terms and recipes is forgotten after it."""
    known: list[dict] = [LOSS_TERMS, MODEL_CONFIGS, NETWORKS, RECIPES, RECIPE_DESCRIPTIONS]
    before = [dict(each) for each in known]
    yield
    for each, content in zip(known, before, strict=True):
        each.clear()
        each.update(content)


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


@pytest.fixture(scope="session")
def dataset() -> PoseDataset:
    """A few short sequences of procedural motion."""
    clips = procedural_clips(4, seed=5, seconds=2.0)
    pieces = [piece for clip in clips for piece in split_to_space(clip, radius=1.5, shortest=0.5)]
    return project_clips([(piece, human36m_rig("S1")[:2]) for piece in pieces])
