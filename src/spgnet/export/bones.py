"""The body of glTF files: one spindle of eight triangles for each bone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from spgnet.export.armature import NODES, PARENTS

_WAIST = 0.2
"""Where a spindle is widest, as a share of its length."""
_WIDTH = 0.09
"""Half its width there, as a share of its length."""


class Body(NamedTuple):
    """A mesh at rest.

    Args:
        rest: where the nodes stand, in metres.
        vertices: corners of triangles, three after three, counter-clockwise seen from outside.
        normals: of the triangles, at each of their corners.
        nodes: the node that carries each vertex.
    """

    rest: Float[np.ndarray, "nodes 3"]
    vertices: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    nodes: Int[np.ndarray, " vertices"]


def body(offsets: Float[np.ndarray, "nodes 3"]) -> Body:
    """The body of a skeleton whose nodes stand at these places relative to their parents, in metres."""
    rest = offsets.copy()
    for node, parent in list(enumerate(PARENTS))[1:]:
        rest[node] += rest[parent]
    at = {node.joint: rest[index] for index, node in enumerate(NODES)}
    carriers = [index for index, node in enumerate(NODES) if node.end]
    spindles = np.stack([_spindle(rest[index], at[NODES[index].end]) for index in carriers])
    normals = np.cross(spindles[:, :, 1] - spindles[:, :, 0], spindles[:, :, 2] - spindles[:, :, 0])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return Body(
        rest=rest,
        vertices=spindles.reshape(-1, 3),
        normals=normals.repeat(3, axis=1).reshape(-1, 3),
        nodes=np.repeat(carriers, 24),
    )


def _spindle(start: Float[np.ndarray, " 3"], end: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "8 3 3"]:
    """Triangles from a waist of four corners to both ends of a bone."""
    along = end - start
    one = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    one *= np.linalg.norm(along) / np.linalg.norm(one)
    other = np.cross(along, one) / np.linalg.norm(along)
    ring = [start + _WAIST * along + _WIDTH * side for side in (one, other, -one, -other)]
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    return np.array([(a, b, end) for a, b in pairs] + [(b, a, start) for a, b in pairs])
