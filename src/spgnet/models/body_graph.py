"""The graphs of Cai et al.: joints and body parts, and who passes messages to whom in them.

Neighbours fall into classes, and each class has weights of its own: the node itself, neighbours further
from the middle of the body, neighbours closer to it, and the twin on the other side. A graph is a square
matrix for each class: row = who receives, column = who sends. Over time, a node is also joined with itself
one frame earlier and one later.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.skeleton import HUMAN36M, Skeleton

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
