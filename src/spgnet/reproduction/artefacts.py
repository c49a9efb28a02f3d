"""What can be reproduced: the paper's tables and figures, and two experiments beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spgnet.reproduction.paper import PaperTable, paper_tables

Name = Literal["table1", "table2", "table3", "figure4a", "figure4b", "figure5", "figure6", "semi"]
Seen = Literal["detected", "exact"]
"""2D input: detections (CPN's; on the open benchmark, simulated), or the projected truth."""
SEEN_LABELS: dict[Seen, str] = {"detected": "CPN", "exact": "ground truth"}


@dataclass(frozen=True)
class Artefact:
    """A table or a figure.

    Args:
        title: its heading.
        methods: whose runs it needs, by their keys.
        seen: the 2D inputs that they run with.
        metrics: what its table shows.
        tables: the paper's printed tables that stand beside it, as (name, protocol).
    """

    title: str
    methods: tuple[str, ...]
    seen: tuple[Seen, ...]
    metrics: tuple[str, ...]
    tables: tuple[tuple[str, int], ...] = ()

    def printed(self) -> list[PaperTable]:
        """The paper's tables that stand beside it."""
        return [table for table in paper_tables() if (table.name, table.protocol) in self.tables]


ARTEFACTS: dict[Name, Artefact] = {
    "table1": Artefact(
        "Table 1: Protocol 1 (MPJPE), detected 2D",
        ("martinez", "pavllo", "cai", "spgnet"),
        ("detected",),
        ("mpjpe",),
        (("Table 1", 1),),
    ),
    "table2": Artefact(
        "Table 2: Protocol 2 (P-MPJPE), detected 2D",
        ("martinez", "pavllo", "liu", "spgnet"),
        ("detected",),
        ("p_mpjpe",),
        (("Table 2", 2),),
    ),
    "table3": Artefact(
        "Table 3: both protocols, ground-truth 2D",
        ("liu", "spgnet"),
        ("exact",),
        ("mpjpe", "p_mpjpe"),
        (("Table 3", 1), ("Table 3", 2)),
    ),
    "figure4a": Artefact(
        "Figure 4a: what the losses add",
        ("pavllo", "kinematic", "spgnet"),
        ("detected", "exact"),
        ("mpjpe", "p_mpjpe", "velocity", "trajectory", "reprojection", "bone_deviation"),
    ),
    "figure4b": Artefact(
        "Figure 4b: how many frames the network sees",
        ("spgnet-27", "spgnet-81", "spgnet-243"),
        ("detected",),
        ("mpjpe", "p_mpjpe", "velocity", "trajectory", "bone_deviation"),
    ),
    "figure5": Artefact(
        "Figure 5: bone lengths in seven frames of a walk", ("spgnet",), ("detected",), ("bone_deviation",)
    ),
    "figure6": Artefact(
        "Figure 6: what the body hides from the camera", ("spgnet",), ("detected",), ("mpjpe",)
    ),
    "semi": Artefact(
        "Semi-supervised: 10 % of the labels",
        ("labels-10", "semi-10", "spgnet"),
        ("exact",),
        ("mpjpe", "p_mpjpe", "trajectory", "reprojection", "bone_deviation"),
    ),
}
