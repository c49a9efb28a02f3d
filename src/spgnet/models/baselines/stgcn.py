"""Cai et al. (ICCV 2019): a graph convolutional network from local to global and back, on a few frames.

Neighbours fall into classes, and each class has weights of its own: the node itself, neighbours further
from the middle of the body, neighbours closer to it, and the twin on the other side. A graph is a square
matrix for each class: row = who receives, column = who sends. Over time, a node is also joined with itself
one frame earlier and one later.

"Exploiting Spatial-temporal Relationships for 3D Pose Estimation via Graph Convolutional Networks": joints
exchange messages along bones, with their twins and with themselves in the neighbouring frames; then body
parts do; then the whole body is looked at over time; what was found is handed back to the joints, and a
non-local block lets every joint look at all joints of all frames.

Layers and sizes are those of the official code, where they are not in the paper. What differs:

- The paper's pose refinement, a second network that is trained afterwards with camera parameters, is not
  included: it is no part of the graph network, and would suit any other network as well. The figures that
  the official code records on detected 2D (results_record.txt) are with it; on true 2D they are without.
- Only the middle frame of a window is put out, so the last block is evaluated for that frame alone. The
  official code trains on the poses of all frames of a window.
- The batch norm of the input has the usual epsilon. The official code gives 0.1 in that place.
- For the trajectory, which that paper does not predict, a residual MLP on the frames of the window stands
  beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M, Skeleton
from spgnet.models.network import Lifted, LiftingNetwork, Norm, rooted
from spgnet.models.temporal import TemporalEncoder

MIDDLE = "spine"
"""The joint that distances are counted from."""
PARTS: tuple[tuple[int, ...], ...] = tuple(
    tuple(map(HUMAN36M.names.index, names))
    for names in (
        ("left_shoulder", "left_elbow", "left_wrist"),
        ("right_shoulder", "right_elbow", "right_wrist"),
        ("left_hip", "left_knee", "left_ankle"),
        ("right_hip", "right_knee", "right_ankle"),
        ("pelvis", "spine", "thorax", "nose", "head_top"),
    )
)
"""The joints of each body part: the limbs and, last, the trunk."""


def graph(
    distances: list[int], links: Iterable[tuple[int, int]], twins: Iterable[tuple[int, int]]
) -> Float[Tensor, "4 nodes nodes"]:
    """1 where nodes are joined, by classes of neighbours in a frame: itself, further out, closer in, twin.

    Args:
        distances: of each node from the middle, in links.
        links: pairs of nodes that are joined.
        twins: pairs of nodes that are each other's mirror image.
    """
    nodes = len(distances)
    matrices = torch.zeros(4, nodes, nodes)
    matrices[0] = torch.eye(nodes)
    for one, other in links:
        far, near = (one, other) if distances[one] > distances[other] else (other, one)
        matrices[1, near, far] = matrices[2, far, near] = 1
    for one, other in twins:
        matrices[3, one, other] = matrices[3, other, one] = 1
    return matrices


def joint_graph(skeleton: Skeleton = HUMAN36M) -> Float[Tensor, "4 nodes nodes"]:
    """The graph of the joints: its links are the bones."""
    twins = ((joint, twin) for joint, twin in enumerate(skeleton.mirror) if joint < twin)
    return graph(distances_from(skeleton, MIDDLE), skeleton.bones, twins)


def part_graph() -> Float[Tensor, "4 nodes nodes"]:
    """The graph of the body parts: the limbs hang on the trunk."""
    return graph([1, 1, 1, 1, 0], [(0, 4), (1, 4), (2, 4), (3, 4)], [(0, 1), (2, 3)])


def over_time(
    matrices: Float[Tensor, "4 nodes nodes"], frames: int
) -> Float[Tensor, "classes frames_nodes frames_nodes"]:
    """The graph of a window, frame after frame; a node's neighbours share one weight of 1 among them.

    With several frames there are two more classes: the node itself one frame earlier, and one frame later.
    """
    still, node = torch.eye(frames), torch.eye(matrices.shape[-1])
    window = [torch.kron(still, matrix) for matrix in matrices]
    if frames > 1:
        window += [torch.kron(still.roll(1, 0).tril(), node), torch.kron(still.roll(-1, 0).triu(), node)]
    joined = torch.stack(window)
    return joined / joined.sum(dim=(0, 2)).unsqueeze(-1)


def distances_from(skeleton: Skeleton, name: str) -> list[int]:
    """How many bones lie between each joint and the named one."""
    distance = {skeleton.names.index(name): 0}
    while len(distance) < len(skeleton):
        for bone in skeleton.bones:
            for known, new in (bone, bone[::-1]):
                if known in distance and new not in distance:
                    distance[new] = distance[known] + 1
    return [distance[joint] for joint in range(len(skeleton))]


@dataclass(frozen=True)
class STGCNConfig:
    """The graph network; as it stands, the official size: 7 frames, 5.04 M weights for the pose.

    Raises:
        InputError: a value is out of its range.
    """

    frames: int = 7
    """Input frames behind one output frame, an odd number: 1, 3 or 7 in the paper."""
    channels: int = 128
    """Width of the first layers of the joints' graph; its last is twice as wide, the parts' four times."""
    trajectory_channels: int = 1024
    """Width of the hidden layers of the trajectory network."""
    dropout: float = 0.05
    """Probability of dropping a hidden feature of a graph layer in training; the output and the way back
    from the body to its joints have twice as much, the whole body five times."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % 2 == 0:
            raise InputError(f"frames must be odd and positive, got {self.frames}")
        if min(self.channels, self.trajectory_channels) < 1:
            raise InputError(f"channels must be positive, got {self.channels} and {self.trajectory_channels}")
        if not 0 <= self.dropout < 0.2:
            raise InputError(f"dropout must be in [0, 0.2), got {self.dropout}")


class GraphConvolution(nn.Module):
    """Every node takes what its neighbours send, through weights and a bias for each class of neighbours.

    It is the product with the matrices of :func:`over_time`, which are mostly zeros: within a frame with
    those of one frame, and over time by moving the frames.
    """

    within: Tensor
    share: Tensor
    shares: Tensor

    def __init__(self, graph: Tensor, frames: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.frames, self.nodes, window = frames, graph.shape[-1], over_time(graph, frames)
        self.linear = nn.Linear(len(window) * inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(len(window), outputs))
        self.register_buffer("within", graph.transpose(0, 1).flatten(0, 1).contiguous(), persistent=False)
        self.register_buffer("shares", window.sum(dim=-1).T.contiguous(), persistent=False)
        self.register_buffer("share", self.shares[:, :1].contiguous(), persistent=False)  # a node's own

    def forward(self, x: Float[Tensor, "b nodes inputs"]) -> Float[Tensor, "b nodes outputs"]:
        """Gather, class by class, and weigh."""
        sent = self.within @ x.unflatten(1, (self.frames, -1))
        gathered = sent.unflatten(2, (self.nodes, -1)).flatten(3).flatten(1, 2)
        if self.frames > 1:
            nothing = x.new_zeros(len(x), self.nodes, x.shape[-1])
            earlier = torch.cat((nothing, x[:, : -self.nodes]), dim=1)
            later = torch.cat((x[:, self.nodes :], nothing), dim=1)
            gathered = torch.cat((gathered, earlier, later), dim=-1)
        return self.linear(self.share * gathered) + self.shares @ self.bias


class GraphBlock(nn.Module):
    """A graph convolution, a layer node by node, and the residual connection around them."""

    def __init__(
        self,
        graph: Tensor,
        frames: int,
        inputs: int,
        outputs: int,
        *,
        dropout: float,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            GraphConvolution(graph, frames, inputs, outputs),
            Norm(outputs),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(outputs, outputs),
            Norm(outputs),
            nn.Dropout(dropout),
        )
        change = nn.Sequential(nn.Linear(inputs, outputs), Norm(outputs))
        self.around = (nn.Identity() if inputs == outputs else change) if residual else None

    def forward(self, x: Float[Tensor, "b nodes inputs"]) -> Float[Tensor, "b nodes outputs"]:
        """Node by node and from neighbour to neighbour."""
        new = self.body(x)
        return (new if self.around is None else new + self.around(x)).relu()


class NonLocal(nn.Module):
    """The middle frame's joints look at the joints of all frames (embedded Gaussian, softmax)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(features, features // 2) for _ in range(3))
        self.out = nn.Linear(features // 2, features)
        self.norm = Norm(features)
        nn.init.zeros_(self.norm.weight)  # a fresh block changes nothing

    def forward(self, x: Float[Tensor, "b frames nodes features"]) -> Float[Tensor, "b nodes features"]:
        """The middle frame, with what its joints found added."""
        middle, everything = x[:, x.shape[1] // 2], x.flatten(1, 2)
        weights = (self.query(middle) @ self.key(everything).mT).softmax(dim=-1)
        return middle + self.norm(self.out(weights @ self.value(everything)))


class BodyPooling(nn.Module):
    """From joints to parts to the whole body, and back: what the body is doing, for each joint of it."""

    members: Tensor
    part_of: Tensor

    def __init__(self, frames: int, inputs: int, *, dropout: float) -> None:
        super().__init__()
        hidden, graph, most = 2 * inputs, part_graph(), max(map(len, PARTS))
        members = [part + part[-1:] * (most - len(part)) for part in PARTS]
        self.register_buffer("members", torch.tensor(members), persistent=False)
        part_of = [next(i for i, part in enumerate(PARTS) if joint in part) for joint in range(len(HUMAN36M))]
        self.register_buffer("part_of", torch.tensor(part_of), persistent=False)
        self.parts = nn.Sequential(
            GraphBlock(graph, frames, inputs, hidden, dropout=dropout),
            GraphBlock(graph, frames, hidden, hidden, dropout=dropout),
        )
        self.width = 3 if frames > 1 else 1
        self.whole = nn.Sequential(
            nn.Linear(self.width * hidden, hidden), Norm(hidden), nn.ReLU(), nn.Dropout(5 * dropout)
        )
        self.back = nn.Sequential(
            nn.Linear(2 * hidden, inputs), Norm(inputs), nn.ReLU(), nn.Dropout(2 * dropout)
        )

    def forward(self, x: Float[Tensor, "b frames 17 inputs"]) -> Float[Tensor, "b frames 17 inputs"]:
        """Pool by the greatest value, and hand back."""
        pooled = x[:, :, self.members].amax(dim=3)
        parts = self.parts(pooled.flatten(1, 2)).view(*pooled.shape[:3], -1)
        whole = parts.amax(dim=2)
        padded = nn.functional.pad(whole, (0, 0, self.width // 2, self.width // 2))
        whole = self.whole(padded.unfold(1, self.width, 1).transpose(2, 3).flatten(2))
        both = torch.cat((whole.unsqueeze(2).expand_as(parts), parts), dim=-1)
        return self.back(both)[:, :, self.part_of]


class PoseGraph(nn.Module):
    """The pose network: a window of 2D joints to the 3D joints of its middle frame."""

    def __init__(self, config: STGCNConfig) -> None:
        super().__init__()
        widths = (2, config.channels, config.channels, 2 * config.channels)
        graph, joints = joint_graph(), len(HUMAN36M)
        self.norm = nn.BatchNorm1d(2 * joints)
        self.joints = nn.Sequential(
            *(
                GraphBlock(graph, config.frames, inputs, outputs, dropout=config.dropout, residual=i > 0)
                for i, (inputs, outputs) in enumerate(pairwise(widths))
            )
        )
        self.body = BodyPooling(config.frames, widths[-1], dropout=config.dropout)
        self.non_local = NonLocal(2 * widths[-1])
        self.dropout = nn.Dropout(2 * config.dropout)
        self.last = nn.Linear(2 * widths[-1], 3)

    def forward(self, windows: Float[Tensor, "b frames 17 2"]) -> Float[Tensor, "b 17 3"]:
        """Local to global to local."""
        normed = self.norm(windows.flatten(0, 1).flatten(1)).view(len(windows), -1, 2)
        joints = self.joints(normed).view(*windows.shape[:3], -1)
        seen = self.non_local(torch.cat((joints, self.body(joints)), dim=-1))
        return self.last(self.dropout(seen))


class STGCN(LiftingNetwork):
    """See :class:`STGCNConfig` and :class:`LiftingNetwork`."""

    def __init__(self, config: STGCNConfig) -> None:
        super().__init__()
        self.receptive_field, self.context = config.frames, (config.frames // 2, config.frames // 2)
        self.chunk = max(1, 2**18 // (config.frames * config.channels))  # about 1 GB
        self.pose = PoseGraph(config)
        self.trajectory = TemporalEncoder(
            2 * len(HUMAN36M),
            3,
            filter_widths=(config.frames, 1, 1),
            channels=config.trajectory_channels,
            dropout=config.dropout,
            causal=False,
        )

    def forward(self, screen: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> Lifted:
        """Lift screen coordinates; the pose always window by window, as neighbours share little."""
        windows = screen.unfold(1, self.receptive_field, 1).movedim(-1, 2)
        pose = self.pose(windows.flatten(0, 1)).flatten(1).unflatten(0, windows.shape[:2])
        return Lifted(rooted(pose), self.trajectory(screen.flatten(2), dense=dense).unsqueeze(-2))
