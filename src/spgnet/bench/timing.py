"""Timing programs against each other, and what is known of the machine that they run on.

Every comparison runs both programs in turn, in one process, with a fixed number of threads, after a warm-up,
and takes the median of their processor times, so that a busy machine disturbs the ratio little. Programs that
are not there are left out.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch

from spgnet.training.runs import git_commit


@dataclass(frozen=True)
class Timing:
    """One line of the result.

    Attributes:
        what: was measured.
        value: of spgnet, in ``unit``.
        unit: of ``value`` and ``peer_value``.
        peer: the other program; None if there is none.
        peer_value: of the other program; None if it was not there.
        ratio: how many times as fast as the other program spgnet is.
        notes: other figures by name.
    """

    what: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    notes: dict[str, float] = field(default_factory=dict)


def describe(timing: Timing) -> str:
    """A line such as ``Protocol 2: 540,000 frames/s (VideoPose3D: 290,000; 1.86 times as fast)``."""
    others = [f"{name}: {shown(value)}" for name, value in timing.notes.items()]
    if timing.ratio is not None and timing.peer_value is not None:
        others.insert(0, f"{timing.peer}: {shown(timing.peer_value)}; {timing.ratio:.2f} times as fast")
    elif timing.peer is not None:
        others.insert(0, f"{timing.peer}: not there")
    return f"{timing.what}: {shown(timing.value)} {timing.unit}" + (
        f" ({'; '.join(others)})" if others else ""
    )


def shown(value: float) -> str:
    """A value with three digits, or whole."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def compared(programs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median processor seconds of each program, all run in turn after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for repeat in range(repeats + 1):
        for name, program in programs.items():
            began = time.process_time()
            program()
            if repeat:
                seconds[name].append(time.process_time() - began)
    return {name: median(values) for name, values in seconds.items()}


def rates(
    what: str,
    programs: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    count: int,
    unit: str,
    peer: str,
    flops: int | None = None,
) -> Timing:
    """A line of how many of something per second each program does; the package's comes first."""
    seconds = list(compared(programs, repeats).values())
    value, others = count / seconds[0], [count / each for each in seconds[1:]]
    notes = {} if flops is None else {"gflops": round(flops / seconds[0] / 1e9, 1)}
    if not others:
        return Timing(what, value, unit, peer, notes=notes)
    return Timing(what, value, unit, peer, others[0], value / others[0], notes)


def machine(repeats: int) -> dict[str, Any]:
    """The processor, its rate in multiplying matrices, and versions."""
    a = torch.randn(2048, 2048)
    seconds = compared({"": lambda: a @ a}, repeats)[""]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "matrix_gflops": round(2 * 2048**3 / seconds / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "commit": git_commit(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak_memory() -> float:
    """The largest memory of this process so far, in GB; NaN where the system does not say."""
    status = Path("/proc/self/status")  # what resource.getrusage says includes the parent's on Linux
    lines = status.read_text().splitlines() if status.exists() else []
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return 1024 * kilobytes[0] / 1e9 if kilobytes else math.nan
