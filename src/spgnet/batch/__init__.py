"""Many inputs to 3D motion: one after another, or on several processes or machines; errors end only their own
input, and what is done is not done again."""

from spgnet.batch.jobs import Job, Outcome, State
from spgnet.batch.manifest import REPORT
from spgnet.batch.run import BatchConfig, BatchPlan, plan_batch, run_batch

__all__ = [
    "REPORT",
    "BatchConfig",
    "BatchPlan",
    "Job",
    "Outcome",
    "State",
    "plan_batch",
    "run_batch",
]
