"""The paper's tables and figures: what ``spgnet reproduce`` runs, prints and draws."""

from spgnet.reproduction.run import ReproduceConfig, reproduce

__all__ = ["ReproduceConfig", "reproduce"]
