"""What can be reproduced: the paper's tables and figures, and what the paper's idea is worth beyond them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spgnet.reproduction.methods import SEARCHED, TRIALS, trial_key
from spgnet.reproduction.paper import PaperTable, paper_tables

ArtefactName = Literal[
    "table1",
    "table2",
    "table3",
    "figure4a",
    "figure4b",
    "figure5",
    "figure6",
    "semi",
    "frames",
    "forms",
    "why",
    "arms",
    "search",
]
Input2D = Literal["detected", "exact"]
"""2D input: detections (CPN's; on the open benchmark, simulated), or exact projections of the truth."""
INPUT_LABELS: dict[Input2D, str] = {"detected": "CPN", "exact": "ground truth"}

GUIDED_SUFFIX = "+guided"
"""What is added to a method's key where its motion is guided by the projection when it is lifted, too."""
FRAMES = ("", "-81", "-243")
"""Endings of the keys of methods with J = 27, 81 and 243."""
LOSSES = (("kinematic", "pavllo"), ("spgnet", "kinematic"), ("spgnet", "pavllo"))
"""The paper's comparisons."""


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
        comparisons: pairs of methods whose difference is tested, the second as the reference.
        guided: methods that are also evaluated with guidance at lift time (``GUIDED_SUFFIX``).
        gradients: methods of which it shows how the gradients of the loss terms compare during training.
    """

    title: str
    methods: tuple[str, ...]
    inputs: tuple[Input2D, ...]
    metrics: tuple[str, ...]
    tables: tuple[tuple[str, int], ...] = ()
    pictures: tuple[str, ...] = ()
    comparisons: tuple[tuple[str, str], ...] = ()
    guided: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """The methods of its table, those with guidance at lift time last."""
        return self.methods + tuple(method + GUIDED_SUFFIX for method in self.guided)

    def methods_with(self, input_2d: Input2D) -> list[str]:
        """The methods to run with a kind of 2D input: an exact target is the exact input anyway."""
        return [method for method in self.methods if (method, input_2d) != ("clean-target", "exact")]

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
        comparisons=LOSSES,
        gradients=("spgnet",),
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
    "frames": Artefact(
        "What the losses add, by how many frames the network sees",
        tuple(method + frames for frames in FRAMES for method in ("pavllo", "kinematic", "spgnet")),
        ("exact", "detected"),
        ("mpjpe", "p_mpjpe", "velocity", "trajectory", "reprojection", "bone_deviation"),
        comparisons=tuple(
            (method + frames, reference + frames) for frames in FRAMES for method, reference in LOSSES
        ),
    ),
    "forms": Artefact(
        "Guidance by projection in three forms: as a loss, by construction, when lifting",
        ("pavllo", "spgnet", "rays", "rays-spgnet"),
        ("exact", "detected"),
        ("mpjpe", "p_mpjpe", "reprojection", "bone_deviation", "trajectory"),
        comparisons=(
            ("spgnet", "pavllo"),
            ("rays", "pavllo"),
            ("rays-spgnet", "rays"),
            ("rays-spgnet", "pavllo"),
            ("pavllo+guided", "pavllo"),
            ("rays-spgnet+guided", "rays-spgnet"),
            ("rays-spgnet+guided", "pavllo"),
        ),
        guided=("pavllo", "rays-spgnet"),
    ),
    "why": Artefact(
        "What decides whether the re-projection term helps",
        (
            "pavllo",
            "kinematic",
            "weight-0.05",
            "spgnet",
            "weight-1",
            "weight-5",
            "pixels",
            "late",
            "clean-target",
            "pavllo-shared",
            "shared",
            "pavllo-labels-10",
            "labels-10",
            "semi-10",
            "pavllo-labels-1",
            "labels-1",
            "semi-1",
            "pavllo-camera-1",
            "camera-1",
        ),
        ("detected", "exact"),
        ("mpjpe", "p_mpjpe", "trajectory", "reprojection", "bone_deviation"),
        comparisons=(
            ("weight-0.05", "kinematic"),
            ("spgnet", "kinematic"),
            ("weight-1", "kinematic"),
            ("weight-5", "kinematic"),
            ("pixels", "kinematic"),
            ("late", "spgnet"),
            ("clean-target", "spgnet"),
            ("shared", "pavllo-shared"),
            ("labels-10", "pavllo-labels-10"),
            ("semi-10", "labels-10"),
            ("labels-1", "pavllo-labels-1"),
            ("semi-1", "labels-1"),
            ("camera-1", "pavllo-camera-1"),
        ),
        gradients=("spgnet", "shared"),
    ),
    "arms": Artefact(
        "What else makes a network accurate",
        ("spgnet", "centred", "frame-blocks", "transformer"),
        ("exact", "detected"),
        ("mpjpe", "p_mpjpe", "velocity", "trajectory", "reprojection", "bone_deviation"),
        comparisons=tuple((method, "spgnet") for method in ("centred", "frame-blocks", "transformer")),
    ),
    "search": Artefact(
        "Search of the arms' settings, on validation",
        tuple(trial_key(method, trial) for method in SEARCHED for trial in TRIALS),
        ("exact",),
        (),
    ),
}

MEASURED = {method for artefact in ARTEFACTS.values() for method in artefact.gradients}
"""Methods whose gradients are measured at the full size, whichever table or figure runs them first."""
