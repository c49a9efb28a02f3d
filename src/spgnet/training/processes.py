"""Where a training runs: accelerator and processes, and what these have to exchange."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.logger import Logger
from torch import Tensor

from spgnet.data.samples import Batch
from spgnet.errors import InputError
from spgnet.training.recipes import Precision

Accelerator = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True)
class Machine:
    """Where to train."""

    accelerator: Accelerator = "auto"
    """What computes."""
    devices: int = 1
    """How many of them, a process each; each takes its share of every batch. Under ``torchrun`` it is that
    which says how many, and on which machines."""
    compiled: bool = False
    """Compile the network first (``torch.compile``): that takes a minute, and pays off on a GPU."""
    workers: int = 0
    """Processes that draw samples ahead of the steps, on a CPU with a core to spare; same result."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise InputError(f"workers must not be negative, got {self.workers}")


def set_up_processes(machine: Machine, precision: Precision, loggers: Sequence[Logger]) -> Fabric:
    """The processes that train together, of which only this one runs yet: :func:`connect` starts the rest.

    If ``torchrun`` has started this process, the others are there already.
    """
    devices, nodes = machine.devices, 1
    if torch.distributed.is_available() and torch.distributed.is_torchelastic_launched():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    options = {"precision": precision, "loggers": list(loggers)}
    return _fabric(machine.accelerator, devices=devices, num_nodes=nodes, **options)


@contextmanager
def connect(fabric: Fabric) -> Iterator[None]:
    """Start and connect processes; they disconnect at the end, whether it is a good one or not.

    PyTorch may hang or crash if a process group is destroyed while a distributed model still refers to it,
    and at the end of a process that is still connected. So no model may outlive the block.

    Raises:
        ConnectionError: another process has ended.
    """
    fabric.launch()
    if fabric.world_size == 1:
        yield
        return
    try:
        yield
        fabric.barrier()
    except BaseException as error:
        _clear_locals(error)  # the frames in its traceback hold the model
        if isinstance(error, RuntimeError) and _LOST_PROCESS.search(str(error)):
            raise ConnectionError(
                "another process of this training has ended; --resume goes on from the last checkpoint"
            ) from None
        raise
    finally:
        gc.collect()  # distributed models are part of reference cycles
        torch.distributed.destroy_process_group()


_LOST_PROCESS = re.compile("gloo|NCCL|ProcessGroup|Connection (closed|reset)")
"""What PyTorch's messages have in common if a process does not answer any more."""


def _clear_locals(error: BaseException | None) -> None:
    """Clear the local variables of the frames that an exception, and those that led to it, went through."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Have the C library keep the memory that a training step frees, since the next step takes it again.

    Getting it from the system every time takes a fifth of a step of a large network on a CPU. This is for
    glibc; with another library, or with settings of its own in the environment, nothing changes.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt, trim = (getattr(library, name, None) for name in ("mallopt", "malloc_trim"))
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    chosen = chosen or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    if mallopt is None or trim is None or chosen:
        yield
        return
    _set_thresholds(mallopt, _MOST_KEPT, _MOST_KEPT)
    try:
        yield
    finally:
        _set_thresholds(mallopt, *_USUAL_THRESHOLDS)
        trim(0)


_MOST_KEPT = 2**30
"""Bytes of the largest block, and of free memory at the heap's end, that the C library keeps."""
_USUAL_THRESHOLDS = 2**25, 2**26
"""The same as glibc chooses them itself for a program that frees large blocks."""


def _set_thresholds(mallopt: Callable[[int, int], int], mapped: int, trimmed: int) -> None:
    if not mallopt(-3, mapped):  # M_MMAP_THRESHOLD; older versions of glibc refuse more than 32 MB
        mallopt(-3, _USUAL_THRESHOLDS[0])
    mallopt(-1, trimmed)  # M_TRIM_THRESHOLD


def pick_device(accelerator: Accelerator) -> torch.device:
    """The (first) device of an accelerator.

    Raises:
        InputError: this machine has no such accelerator.
    """
    return _fabric(accelerator, devices=1).device


def _fabric(accelerator: Accelerator, **options: Any) -> Fabric:
    try:
        return Fabric(accelerator=accelerator, **options)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"cannot run on accelerator {accelerator!r}: {error}") from None


def share_of(batch: Batch, fabric: Fabric) -> Batch:
    """The samples of a batch that this process trains on."""
    return batch if fabric.world_size == 1 else batch.part(fabric.global_rank, fabric.world_size)


def mean_over_processes(terms: dict[str, Tensor], fabric: Fabric) -> dict[str, Tensor]:
    """The mean of each loss over the processes that train together."""
    if fabric.world_size == 1:
        return terms
    means = fabric.all_reduce(torch.stack([term.detach() for term in terms.values()]), reduce_op="mean")
    return dict(zip(terms, cast(Tensor, means), strict=True))
