"""Several processes that train together: the same as one, whatever becomes of them."""

import ctypes
import os
import platform
import re
import subprocess
import sys
import textwrap
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file

from spgnet.data.dataset import PoseDataset
from spgnet.data.training_data import TrainingData
from spgnet.errors import InputError
from spgnet.models import SPGNetConfig
from spgnet.training import loop
from spgnet.training.loop import train
from spgnet.training.processes import keep_freed_memory
from spgnet.training.recipes import SPGNET_LOSS, TrainConfig
from spgnet.training.runs import read_log

CONFIG = TrainConfig(
    model=SPGNetConfig(filter_widths=(3, 3), channels=16, trajectory_channels=8, dropout=0.0),
    loss=SPGNET_LOSS,
    epochs=2,
    steps_per_epoch=6,
    batch_size=36,  # 18 samples
    steps_per_draw=4,
    checkpoint_every=4,
    weight_average=0.9,
    max_grad_norm=0.5,
)

TOGETHER = """
import os, signal, sys
from pathlib import Path
import torch
from lightning_fabric.strategies.launchers import subprocess_script
sys.path.insert(0, {tests!r})
from training.test_processes import CONFIG
from spgnet.data.training_data import TrainingData
from spgnet.training import loop
from spgnet.training.processes import Machine
from spgnet.training.checkpoint import Progress

# Lightning looks every 5 s whether a child has ended, and then kills this process, perhaps before it speaks.
subprocess_script._launch_process_observer = lambda children: None
torch.set_num_threads(1)
count = Progress.count

def count_or_die(progress, terms):
    count(progress, terms)
    if progress.step == {killed_at} and os.environ.get("LOCAL_RANK") == "1":
        os.kill(os.getpid(), signal.SIGKILL)

Progress.count = count_or_die
dataset = torch.load({dataset!r}, weights_only=False)
machine = Machine(accelerator="cpu", devices={devices})
loop.train(CONFIG, Path({run!r}), TrainingData(dataset), dataset, machine=machine, resume={resume})
"""


def train_together(
    dataset: PoseDataset,
    folder: Path,
    *,
    killed_at: int = 0,
    resume: bool = False,
    devices: int = 2,
    launcher: tuple[str, ...] = (),
) -> tuple[int, str]:
    """Train in several processes, of which the second may be killed after a step: exit status and errors."""
    torch.save(dataset, folder / "dataset.pt")
    script = TOGETHER.format(
        tests=str(Path(__file__).parents[1]),
        dataset=str(folder / "dataset.pt"),
        run=str(folder / "run"),
        killed_at=killed_at,
        resume=resume,
        devices=devices,
    )
    (folder / "together.py").write_text(textwrap.dedent(script))
    command = [sys.executable, *launcher, str(folder / "together.py")]
    done = subprocess.run(command, timeout=600, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory) -> Path:
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone")
    assert train(CONFIG, run, TrainingData(dataset), dataset)
    return run


def assert_alike(one: Path, other: Path) -> None:
    """Two runs have the same weights, optimizer state and log, up to the rounding of sums."""
    expected, found = load_file(one / "last.safetensors"), load_file(other / "last.safetensors")
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=2e-3, atol=2e-5, msg=name)
    for before, after in zip(read_log(one), read_log(other), strict=True):
        assert before.keys() == after.keys()
        for name in before.keys() - {"seconds"}:
            assert after[name] == pytest.approx(before[name], rel=1e-4), name


def test_two_processes_train_as_one_does_with_the_same_batches(dataset, alone, tmp_path):
    assert train_together(dataset, tmp_path)[0] == 0
    assert_alike(alone, tmp_path / "run")


def test_shares_need_not_be_equal(dataset, alone, tmp_path):
    """18 samples by torchrun's four processes: shares of 5, 5, 4 and 4."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "4")
    assert train_together(dataset, tmp_path, launcher=launcher, devices=1)[0] == 0
    assert_alike(alone, tmp_path / "run")


def test_a_killed_process_ends_the_run_with_a_message_and_one_process_may_resume_it(dataset, alone, tmp_path):
    status, errors = train_together(dataset, tmp_path, killed_at=10)
    assert status != 0
    assert re.search("ConnectionError: another process of this training has ended; --resume", errors)
    assert [entry["step"] for entry in read_log(tmp_path / "run")] == [6]
    assert train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset, resume=True)
    assert_alike(alone, tmp_path / "run")


def test_two_processes_may_resume_what_one_began(dataset, alone, tmp_path):
    stops = iter([False] * 7 + [True])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.StopSignal, "requested_anywhere", lambda signal, fabric: next(stops))
        assert not train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset)
    assert train_together(dataset, tmp_path, resume=True)[0] == 0
    assert_alike(alone, tmp_path / "run")


class ManyProcesses(Fabric):
    world_size = 20


def test_more_processes_than_samples_are_refused(dataset, tmp_path, monkeypatch):
    many = ManyProcesses(accelerator="cpu", devices=1)
    monkeypatch.setattr(loop, "set_up_processes", lambda machine, precision, loggers: many)
    monkeypatch.setattr(loop, "connect", lambda fabric: nullcontext())
    with pytest.raises(InputError, match="a batch of 18 samples cannot be shared by 20 processes"):
        train(CONFIG, tmp_path / "run", TrainingData(dataset), dataset)


MEMORY = """
import os
from spgnet.training.processes import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_000_000

before = resident()
with keep_freed_memory():
    blocks = [b"x" * 15_000_000 for _ in range(20)]
    del blocks
    kept = resident() - before
print(kept, resident() - before)
"""


def freed_memory(**environment: str) -> list[int]:
    """Megabytes that a process holds when it has freed 300: while it keeps freed memory, and afterwards."""
    chosen = ("MALLOC_", "GLIBC_TUNABLES")
    usual = {name: value for name, value in os.environ.items() if not name.startswith(chosen)}
    command = [sys.executable, "-c", MEMORY]
    done = subprocess.run(command, env=usual | environment, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="not the GNU C library")
def test_memory_that_a_step_frees_is_kept_until_the_end_of_training():
    kept, after = freed_memory()
    assert kept > 290
    assert after < 50
    assert max(freed_memory(MALLOC_TRIM_THRESHOLD_="131072")) < 50  # the user's choice holds


@dataclass
class OlderLibrary:
    """A C library that refuses to keep blocks above 32 MB, as older versions of glibc do."""

    kept: dict[int, int] = field(default_factory=dict)

    def mallopt(self, parameter: int, value: int) -> int:
        if parameter == -3 and value > 2**25:
            return 0
        self.kept[parameter] = value
        return 1

    def malloc_trim(self, pad: int) -> int:
        return 1


@pytest.mark.parametrize(
    ("tunables", "kept"),
    [
        (None, {-3: 2**25, -1: 2**30}),
        ("glibc.rtld.nns=5", {-3: 2**25, -1: 2**30}),
        ("glibc.rtld.nns=5:glibc.malloc.trim_threshold=131072", {}),
    ],
)
def test_a_c_library_keeps_what_it_can_if_the_user_has_not_chosen(monkeypatch, tunables, kept):
    library = OlderLibrary()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUNABLES"))]:
        monkeypatch.delenv(name)
    if tunables is not None:
        monkeypatch.setenv("GLIBC_TUNABLES", tunables)
    with keep_freed_memory():
        assert library.kept == kept
