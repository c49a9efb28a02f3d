"""What can be reproduced: the paper's tables and figures, and training with few labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spgnet.reproduction.paper import PaperTable, paper_tables

ArtefactName = Literal["table1", "table2", "table3", "figure4a", "figure4b", "figure5", "figure6", "semi"]
Input2D = Literal["detected", "exact"]
"""2D input: detections (CPN's; on the open benchmark, simulated), or exact projections of the truth."""
INPUT_LABELS: dict[Input2D, str] = {"detected": "CPN", "exact": "ground truth"}


@dataclass(frozen=True)
class Artefact:
    """A table or a figure.

    Args:
        title: its heading.
        methods: the methods to run, by their keys in ``METHODS``.
        inputs: the 2D inputs to run them with.
        metrics: the columns of its table.
        tables: the paper's printed tables to compare with, as (name, protocol).
        pictures: what is added to its name in the file names of its pictures.
    """

    title: str
    methods: tuple[str, ...]
    inputs: tuple[Input2D, ...]
    metrics: tuple[str, ...]
    tables: tuple[tuple[str, int], ...] = ()
    pictures: tuple[str, ...] = ()

    def paper_tables(self) -> list[PaperTable]:
        """The paper's printed tables to compare with."""
        return [table for table in paper_tables() if (table.name, table.protocol) in self.tables]


ARTEFACTS: dict[ArtefactName, Artefact] = {
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
        pictures=("",),
    ),
    "figure4b": Artefact(
        "Figure 4b: how many frames the network sees",
        ("spgnet-27", "spgnet-81", "spgnet-243"),
        ("detected",),
        ("mpjpe", "p_mpjpe", "velocity", "trajectory", "bone_deviation"),
        pictures=("",),
    ),
    "figure5": Artefact(
        "Figure 5: bone lengths in seven frames of a walk",
        ("spgnet",),
        ("detected",),
        ("bone_deviation",),
        pictures=("",),
    ),
    "figure6": Artefact(
        "Figure 6: what the body hides from the camera",
        ("spgnet",),
        ("detected",),
        ("mpjpe",),
        pictures=("", "-hidden"),
    ),
    "semi": Artefact(
        "Semi-supervised: 10 % of the labels",
        ("labels-10", "semi-10", "spgnet"),
        ("exact",),
        ("mpjpe", "p_mpjpe", "trajectory", "reprojection", "bone_deviation"),
    ),
}
