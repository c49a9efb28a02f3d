"""How fast the package is on this machine, side by side with what people would use instead."""

from spgnet.bench.config import BenchConfig
from spgnet.bench.run import run_bench
from spgnet.bench.timing import Timing, describe, shown

__all__ = ["BenchConfig", "Timing", "describe", "run_bench", "shown"]
