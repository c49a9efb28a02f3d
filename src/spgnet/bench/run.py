"""Measuring: the cases that are asked for, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from spgnet.bench.cases import CASES, load_videopose3d_code
from spgnet.bench.config import BenchConfig
from spgnet.bench.timing import Timing, machine


def run_bench(
    config: BenchConfig, on_timing: Callable[[Timing], None] = lambda timing: None
) -> dict[str, Any]:
    """Measure, and give the result as plain values: ``machine``, ``settings`` and ``timings``.

    Args:
        config: what to measure.
        on_timing: called with every line as soon as it is there.

    Raises:
        InputError: the folder given as VideoPose3D is no checkout of it.
    """
    peer = None if config.videopose3d is None else load_videopose3d_code(config.videopose3d)
    threads, timings = torch.get_num_threads(), []
    torch.set_num_threads(config.threads)
    try:
        about = machine(config.repeats)
        for case in config.only:
            for timing in CASES[case](config, peer):
                timings.append(timing)
                on_timing(timing)
    finally:
        torch.set_num_threads(threads)
    settings = {"repeats": config.repeats, "threads": config.threads}
    return {"machine": about, "settings": settings, "timings": [vars(timing) for timing in timings]}
