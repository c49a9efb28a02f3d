"""Cai et al. (ICCV 2019): a graph convolutional network from local to global and back, on a few frames.

"Exploiting Spatial-temporal Relationships for 3D Pose Estimation via Graph Convolutional Networks". Joints
exchange messages along bones, with their mirror joints and with themselves in the neighbouring frames. Then
the joints are pooled to body parts, which exchange messages, and the parts to the whole body, which is
convolved over time. The results are unpooled to the joints, and a non-local block lets every joint attend to
all joints of all frames.

The neighbours of a node fall into classes, and each class has weights of its own: the node itself, neighbours
further from the middle of the body, neighbours closer to it, and the mirror joint on the other side. A graph
is a square adjacency matrix for each class: row = receiver, column = sender. Over time, a node is also linked
to itself one frame earlier and one frame later.

Layers and sizes are those of the official code, where they are not in the paper. What differs:

- The paper's pose refinement, a second network that is trained afterwards with camera parameters, is not
  included: it is no part of the graph network, and would suit any other network as well. The figures that
  the official code records on detected 2D (results_record.txt) are with it; on true 2D they are without.
- Only the middle frame of a window is put out, so the last block is evaluated for that frame alone. The
  official code trains on the poses of all frames of a window.
- The batch norm of the input has the usual epsilon. The official code gives 0.1 in that place.
- For the trajectory, which that paper does not predict, a residual MLP on the frames of the window is added.
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
from spgnet.models.network import LiftedPose, LiftingNetwork, ModelConfig, root_relative
from spgnet.models.temporal import BatchNorm, Dropout, TemporalEncoder

MIDDLE_JOINT = "spine"
"""The joint from which distances are counted."""
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
    distances: list[int], links: Iterable[tuple[int, int]], mirrors: Iterable[tuple[int, int]]
) -> Float[Tensor, "4 nodes nodes"]:
    """Adjacency matrices of a frame for each class of neighbours: itself, further out, closer in, mirrored.

    Args:
        distances: of each node from the middle, in links.
        links: pairs of linked nodes.
        mirrors: pairs of nodes that are each other's mirror image.
    """
    nodes = len(distances)
    matrices = torch.zeros(4, nodes, nodes)
    matrices[0] = torch.eye(nodes)
    for one, other in links:
        far, near = (one, other) if distances[one] > distances[other] else (other, one)
        matrices[1, near, far] = matrices[2, far, near] = 1
    for one, other in mirrors:
        matrices[3, one, other] = matrices[3, other, one] = 1
    return matrices


def joint_graph() -> Float[Tensor, "4 nodes nodes"]:
    """The graph of the joints: its links are the bones."""
    mirrors = ((joint, mirror) for joint, mirror in enumerate(HUMAN36M.mirror) if joint < mirror)
    return graph(distances_from(HUMAN36M, MIDDLE_JOINT), HUMAN36M.bones, mirrors)


def part_graph() -> Float[Tensor, "4 nodes nodes"]:
    """The graph of the body parts: the limbs are linked to the trunk."""
    return graph([1, 1, 1, 1, 0], [(0, 4), (1, 4), (2, 4), (3, 4)], [(0, 1), (2, 3)])


def window_graph(
    matrices: Float[Tensor, "4 nodes nodes"], frames: int
) -> Float[Tensor, "classes frames_nodes frames_nodes"]:
    """The graph of a window of frames, normalized: the weights of all neighbours of a node add up to 1.

    With several frames there are two more classes: the node itself one frame earlier, and one frame later.
    """
    same_frame, same_node = torch.eye(frames), torch.eye(matrices.shape[-1])
    window = [torch.kron(same_frame, matrix) for matrix in matrices]
    if frames > 1:
        earlier, later = same_frame.roll(1, 0).tril(), same_frame.roll(-1, 0).triu()
        window += [torch.kron(earlier, same_node), torch.kron(later, same_node)]
    adjacency = torch.stack(window)
    return adjacency / adjacency.sum(dim=(0, 2)).unsqueeze(-1)


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
class STGCNConfig(ModelConfig):
    """The graph network; as it stands, the official size: 7 frames, 5.04 M weights for the pose.

    Raises:
        InputError: a value is out of its range.
    """

    frames: int = 7
    """Input frames behind one output frame, an odd number: 1, 3 or 7 in the paper."""
    channels: int = 128
    """Width of the first blocks on joints; the last one is twice as wide, those on parts four times."""
    trajectory_channels: int = 1024
    """Width of the hidden layers of the trajectory network."""
    dropout: float = 0.05
    """Probability of dropping a hidden feature of a graph block in training; it is twice as high before the
    output and in the unpooling, and five times as high in the layer of the whole body."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % 2 == 0:
            raise InputError(f"frames must be odd and positive, got {self.frames}")
        if min(self.channels, self.trajectory_channels) < 1:
            raise InputError(f"channels must be positive, got {self.channels} and {self.trajectory_channels}")
        if not 0 <= self.dropout < 0.2:
            raise InputError(f"dropout must be in [0, 0.2), got {self.dropout}")


class GraphConvolution(nn.Module):
    """Every node sums what its neighbours send, with weights and a bias for each class of neighbours.

    It is the product with the matrices of :func:`window_graph`, without their many zeros: the matrices of one
    frame within a frame, and shifted frames over time.
    """

    frame_matrices: Tensor
    node_weight: Tensor
    class_weights: Tensor

    def __init__(self, graph: Tensor, frames: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.frames, self.nodes, window = frames, graph.shape[-1], window_graph(graph, frames)
        self.linear = nn.Linear(len(window) * inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(len(window), outputs))
        matrices, class_weights = graph.transpose(0, 1).flatten(0, 1), window.sum(dim=-1).T
        self.register_buffer("frame_matrices", matrices.contiguous(), persistent=False)
        self.register_buffer("class_weights", class_weights.contiguous(), persistent=False)
        # All neighbours of a node weigh the same: as much as itself, which is the first class.
        self.register_buffer("node_weight", class_weights[:, :1].contiguous(), persistent=False)

    def forward(self, x: Float[Tensor, "batch nodes inputs"]) -> Float[Tensor, "batch nodes outputs"]:
        """Gather the messages of each class, and map them."""
        sent = self.frame_matrices @ x.unflatten(1, (self.frames, -1))
        gathered = sent.unflatten(2, (self.nodes, -1)).flatten(3).flatten(1, 2)
        if self.frames > 1:
            padding = x.new_zeros(len(x), self.nodes, x.shape[-1])
            earlier = torch.cat((padding, x[:, : -self.nodes]), dim=1)
            later = torch.cat((x[:, self.nodes :], padding), dim=1)
            gathered = torch.cat((gathered, earlier, later), dim=-1)
        return self.linear(self.node_weight * gathered) + self.class_weights @ self.bias


class GraphBlock(nn.Module):
    """A graph convolution, a linear map of each node, and the residual connection around them."""

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
        self.layers = nn.Sequential(
            GraphConvolution(graph, frames, inputs, outputs),
            BatchNorm(outputs),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(outputs, outputs),
            BatchNorm(outputs),
            Dropout(dropout),
        )
        projection = nn.Sequential(nn.Linear(inputs, outputs), BatchNorm(outputs))
        self.shortcut = (nn.Identity() if inputs == outputs else projection) if residual else None

    def forward(self, x: Float[Tensor, "batch nodes inputs"]) -> Float[Tensor, "batch nodes outputs"]:
        """Apply the block to a batch of windows."""
        output = self.layers(x)
        return (output if self.shortcut is None else output + self.shortcut(x)).relu()


class NonLocal(nn.Module):
    """The joints of the middle frame attend to the joints of all frames (embedded Gaussian, softmax)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(features, features // 2) for _ in range(3))
        self.out = nn.Linear(features // 2, features)
        self.norm = BatchNorm(features)
        nn.init.zeros_(self.norm.weight)  # a fresh block changes nothing

    def forward(
        self, x: Float[Tensor, "batch frames nodes features"]
    ) -> Float[Tensor, "batch nodes features"]:
        """The middle frame, plus what its joints attend to."""
        middle, nodes = x[:, x.shape[1] // 2], x.flatten(1, 2)
        weights = (self.query(middle) @ self.key(nodes).mT).softmax(dim=-1)
        return middle + self.norm(self.out(weights @ self.value(nodes)))


class BodyPooling(nn.Module):
    """Pooling from joints to body parts to the whole body, and unpooling of both to the joints."""

    joints_of_part: Tensor
    part_of_joint: Tensor

    def __init__(self, frames: int, inputs: int, *, dropout: float) -> None:
        super().__init__()
        hidden, graph, most = 2 * inputs, part_graph(), max(map(len, PARTS))
        joints_of_part = [part + part[-1:] * (most - len(part)) for part in PARTS]  # the maximum is the same
        self.register_buffer("joints_of_part", torch.tensor(joints_of_part), persistent=False)
        part_of_joint = [
            next(i for i, part in enumerate(PARTS) if joint in part) for joint in range(len(HUMAN36M))
        ]
        self.register_buffer("part_of_joint", torch.tensor(part_of_joint), persistent=False)
        self.part_blocks = nn.Sequential(
            GraphBlock(graph, frames, inputs, hidden, dropout=dropout),
            GraphBlock(graph, frames, hidden, hidden, dropout=dropout),
        )
        self.width = 3 if frames > 1 else 1
        self.body_layer = nn.Sequential(
            nn.Linear(self.width * hidden, hidden), BatchNorm(hidden), nn.ReLU(), Dropout(5 * dropout)
        )
        self.unpool = nn.Sequential(
            nn.Linear(2 * hidden, inputs), BatchNorm(inputs), nn.ReLU(), Dropout(2 * dropout)
        )

    def forward(self, x: Float[Tensor, "batch frames 17 inputs"]) -> Float[Tensor, "batch frames 17 inputs"]:
        """Max-pool to parts and body, and give each joint the features of its part and of the body."""
        pooled = x[:, :, self.joints_of_part].amax(dim=3)
        parts = self.part_blocks(pooled.flatten(1, 2)).view(*pooled.shape[:3], -1)
        body = parts.amax(dim=2)
        padded = nn.functional.pad(body, (0, 0, self.width // 2, self.width // 2))
        body = self.body_layer(padded.unfold(1, self.width, 1).transpose(2, 3).flatten(2))
        both = torch.cat((body.unsqueeze(2).expand_as(parts), parts), dim=-1)
        return self.unpool(both)[:, :, self.part_of_joint]


class PoseGraph(nn.Module):
    """The pose network: a window of 2D joints to the 3D joints of its middle frame."""

    def __init__(self, config: STGCNConfig) -> None:
        super().__init__()
        widths = (2, config.channels, config.channels, 2 * config.channels)
        graph, joints = joint_graph(), len(HUMAN36M)
        self.input_norm = BatchNorm(2 * joints)
        self.joint_blocks = nn.Sequential(
            *(
                GraphBlock(graph, config.frames, inputs, outputs, dropout=config.dropout, residual=i > 0)
                for i, (inputs, outputs) in enumerate(pairwise(widths))
            )
        )
        self.body_pooling = BodyPooling(config.frames, widths[-1], dropout=config.dropout)
        self.non_local = NonLocal(2 * widths[-1])
        self.dropout = Dropout(2 * config.dropout)
        self.head = nn.Linear(2 * widths[-1], 3)

    def forward(self, windows: Float[Tensor, "batch frames 17 2"]) -> Float[Tensor, "batch 17 3"]:
        """From local to global to local features, and to the pose."""
        normed = self.input_norm(windows.flatten(0, 1).flatten(1)).view(len(windows), -1, 2)
        joints = self.joint_blocks(normed).view(*windows.shape[:3], -1)
        features = self.non_local(torch.cat((joints, self.body_pooling(joints)), dim=-1))
        return self.head(self.dropout(features))


class STGCN(LiftingNetwork):
    """Cai et al.'s graph network for the pose and an MLP for the trajectory, on screen coordinates.

    See :class:`STGCNConfig` for its size and :class:`LiftingNetwork` for how it is called.
    """

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

    def forward(self, keypoints_2d: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> LiftedPose:
        """Lift screen coordinates; the pose always window by window, as neighbouring windows share little."""
        windows = keypoints_2d.unfold(1, self.receptive_field, 1).movedim(-1, 2)
        pose = self.pose(windows.flatten(0, 1)).flatten(1).unflatten(0, windows.shape[:2])
        root = self.trajectory(keypoints_2d.flatten(2), dense=dense)
        return LiftedPose(root_relative(pose), root.unsqueeze(-2))
