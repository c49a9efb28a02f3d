"""The paper's tables and figures: what ``spgnet reproduce`` runs, prints and draws."""

from spgnet.reproduction.config import ReproduceConfig
from spgnet.reproduction.run import reproduce

__all__ = ["ReproduceConfig", "reproduce"]
