"""A plain figure of a person as a skinned mesh: limbs, trunk and head lofted over elliptic cross-sections.

It is built in the T-pose around a person's own joints and bound to the nodes of any rig by the segments of
the body, so that every rig carries the same figure. Measures are those of an adult 1.75 m tall, scaled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spgnet.export.posing import PosedRig
from spgnet.geometry.directions import unit_vectors

CORNERS = 16
"""Vertices of a cross-section."""
MATERIALS = ("skin", "shirt", "trousers", "shoes")
INFLUENCES = 4
"""Nodes that a vertex can follow, as glTF's first set of joints has them."""

_Weights = Mapping[str, float]


@dataclass(frozen=True)
class FigureMesh:
    """Triangles of a person in a rig's rest pose, and the nodes that they follow.

    Args:
        vertices: positions in metres, y up.
        normals: unit vectors, outward.
        nodes: indices of the nodes that each vertex follows.
        weights: their shares, which sum to 1.
        triangles: indices of vertices, counter-clockwise seen from outside, by material.
    """

    vertices: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    nodes: Int[np.ndarray, "vertices 4"]
    weights: Float[np.ndarray, "vertices 4"]
    triangles: Mapping[str, Int[np.ndarray, "_ 3"]]


@dataclass(frozen=True)
class _Ring:
    """An elliptic cross-section.

    Args:
        centre: its middle in metres.
        radii: half its axes in metres.
        weights: segments that it follows.
    """

    centre: np.ndarray
    radii: tuple[float, float]
    weights: _Weights


@dataclass(frozen=True)
class _Tube:
    """A closed surface over cross-sections at right angles to an axis.

    Args:
        material: one of ``MATERIALS``.
        axis: 0 for x, 1 for y, 2 for z; the radii of the rings are along the other two, in this order.
        rings: from one end to the other.
    """

    material: str
    axis: int
    rings: Sequence[_Ring]


def figure_mesh(posed: PosedRig) -> FigureMesh:
    """The figure of a posed rig's person, in its rest pose."""
    tubes = _tubes({name: place.numpy() for name, place in posed.places.items()}, posed.scale)
    vertices, normals, rows = [], [], []
    triangles: dict[str, list[np.ndarray]] = {material: [] for material in MATERIALS}
    first = 0
    for tube in tubes:
        points, faces = _surface(tube)
        triangles[tube.material].append(faces + first)
        vertices.append(points)
        normals.append(_smooth_normals(points, faces))
        rows += [ring.weights for ring in tube.rings for _ in range(CORNERS)]
        rows += [tube.rings[0].weights, tube.rings[-1].weights]
        first += len(points)
    nodes, weights = _influences(posed, rows)
    at_rest, turned = _at_rest(posed, np.concatenate(vertices), np.concatenate(normals), nodes, weights)
    return FigureMesh(
        vertices=at_rest,
        normals=turned,
        nodes=nodes,
        weights=weights,
        triangles={material: np.concatenate(faces) for material, faces in triangles.items()},
    )


def _surface(tube: _Tube) -> tuple[Float[np.ndarray, "vertices 3"], Int[np.ndarray, "triangles 3"]]:
    """The rings' corners, one ring after the other, then the middles of the first and the last, and the
    triangles between them."""
    across = [axis for axis in range(3) if axis != tube.axis]
    angles = np.arange(CORNERS) * 2 * np.pi / CORNERS
    rings = []
    for ring in tube.rings:
        points = np.tile(ring.centre, (CORNERS, 1))
        points[:, across[0]] += ring.radii[0] * np.cos(angles)
        points[:, across[1]] += ring.radii[1] * np.sin(angles)
        rings.append(points)
    count = len(rings) * CORNERS
    points = np.concatenate([*rings, [tube.rings[0].centre, tube.rings[-1].centre]])
    here = np.arange(CORNERS)
    after = (here + 1) % CORNERS
    faces = [np.stack([np.full(CORNERS, count), after, here], axis=1)]
    for ring in range(len(rings) - 1):
        low, high = ring * CORNERS, (ring + 1) * CORNERS
        faces.append(np.stack([low + here, low + after, high + after], axis=1))
        faces.append(np.stack([low + here, high + after, high + here], axis=1))
    last = count - CORNERS
    faces.append(np.stack([np.full(CORNERS, count + 1), last + here, last + after], axis=1))
    triangles = np.concatenate(faces)
    return points, triangles if _volume(points, triangles) > 0 else triangles[:, ::-1]


def _volume(points: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]) -> float:
    """Volume within a closed surface; negative if its triangles face inward."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return float((a * np.cross(b, c)).sum()) / 6


def _smooth_normals(
    points: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Mean normal of the triangles around each vertex, weighted by their areas."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    return unit_vectors(normals)


_INSTEAD = {"hips": ("pelvis",), "lumbar": ("pelvis",)}
"""Segments to follow in rigs that lack one."""


def _influences(
    posed: PosedRig, rows: Sequence[_Weights]
) -> tuple[Int[np.ndarray, "vertices 4"], Float[np.ndarray, "vertices 4"]]:
    """Nodes and shares for each vertex from the segments that it follows."""
    nodes = np.zeros((len(rows), INFLUENCES), np.int64)
    weights = np.zeros((len(rows), INFLUENCES))
    index = {
        segment: posed.rig.node_of(segment, *_INSTEAD.get(segment, ()))
        for segment in {name for row in rows for name in row}
    }
    for vertex, row in enumerate(rows):
        shares: dict[int, float] = {}
        for segment, share in row.items():
            shares[index[segment]] = shares.get(index[segment], 0.0) + share
        nodes[vertex, : len(shares)] = list(shares)
        weights[vertex, : len(shares)] = list(shares.values())
    return nodes, weights


def _at_rest(
    posed: PosedRig,
    vertices: Float[np.ndarray, "vertices 3"],
    normals: Float[np.ndarray, "vertices 3"],
    nodes: Int[np.ndarray, "vertices 4"],
    weights: Float[np.ndarray, "vertices 4"],
) -> tuple[Float[np.ndarray, "vertices 3"], Float[np.ndarray, "vertices 3"]]:
    """Vertices and normals in the rest pose, from those in the T-pose: linear blend skinning."""
    turns, start, end = posed.bind.numpy(), posed.tpose.numpy(), posed.rest_positions.numpy()
    moved = (turns[nodes] @ (vertices[:, None] - start[nodes])[..., None])[..., 0] + end[nodes]
    turned = (turns[nodes] @ normals[:, None, :, None])[..., 0]
    turned = unit_vectors((weights[..., None] * turned).sum(axis=1))
    return (weights[..., None] * moved).sum(axis=1), turned


def _tubes(places: Mapping[str, np.ndarray], scale: float) -> list[_Tube]:
    """All surfaces of a person whose places of the body in the T-pose these are (metres)."""
    tubes = [*_trunk(places, scale), *_head(places, scale)]
    for side in ("left", "right"):
        tubes += [*_leg(places, scale, side), *_arm(places, scale, side)]
    return tubes


def _ring(
    centre: np.ndarray,
    offset: tuple[float, float, float],
    radii: tuple[float, float],
    scale: float,
    **weights: float,
) -> _Ring:
    """A ring about a place: offset and radii in metres on a person 1.75 m tall."""
    return _Ring(centre + scale * np.array(offset), (scale * radii[0], scale * radii[1]), weights)


def _trunk(places: Mapping[str, np.ndarray], scale: float) -> list[_Tube]:
    hips, spine, thorax = places["hips"], places["spine"], places["thorax"]
    wide = abs(places["left_hip"][0]) / scale
    waist, chest, armpit = hips + 0.62 * (spine - hips), (spine + thorax) / 2, spine + 0.8 * (thorax - spine)

    def ring(at: np.ndarray, y: float, x_radius: float, z_radius: float, **weights: float) -> _Ring:
        return _ring(at, (0.0, y, 0.0), (x_radius, z_radius), scale, **weights)

    belt = ring(waist, 0.0, 0.138, 0.098, hips=0.3, lumbar=0.7)
    return [
        _Tube(
            "trousers",
            1,
            (
                ring(hips, -0.085, wide - 0.02, 0.07, hips=1.0),
                ring(hips, -0.05, wide + 0.05, 0.105, hips=1.0),
                ring(hips, 0.0, wide + 0.078, 0.112, hips=1.0),
                ring(hips, 0.07, wide + 0.068, 0.108, hips=1.0),
                belt,
            ),
        ),
        _Tube(
            "shirt",
            1,
            (
                ring(waist, -0.035, 0.144, 0.104, hips=0.5, lumbar=0.5),
                ring(waist, 0.0, 0.140, 0.100, hips=0.3, lumbar=0.7),
                ring(spine, 0.0, 0.140, 0.102, lumbar=0.6, spine=0.4),
                ring(chest, 0.0, 0.155, 0.112, spine=1.0),
                ring(armpit, 0.0, 0.165, 0.108, spine=1.0),
                ring(thorax, -0.005, 0.150, 0.088, spine=1.0),
                ring(thorax, 0.035, 0.105, 0.066, spine=1.0),
                ring(thorax, 0.06, 0.060, 0.056, spine=0.7, thorax=0.3),
            ),
        ),
    ]


def _head(places: Mapping[str, np.ndarray], scale: float) -> list[_Tube]:
    thorax, skull, nose, top = (places[name] for name in ("thorax", "skull", "nose", "head_top"))
    middle = np.array([nose[0], nose[1], skull[2] + 0.002 * scale])
    height = top[1] - nose[1]

    def ring(share: float, z: float, x_radius: float, z_radius: float) -> _Ring:
        """A ring at a share of the way from the nose to the top."""
        at = middle + np.array([0.0, share * height, 0.0])
        return _ring(at, (0.0, 0.0, z), (x_radius, z_radius), scale, nose=1.0)

    neck = (
        _ring(thorax, (0.0, 0.0, -0.005), (0.056, 0.054), scale, spine=0.6, thorax=0.4),
        _ring(thorax, (0.0, 0.05, 0.0), (0.051, 0.053), scale, thorax=1.0),
        _ring(skull, (0.0, 0.0, -0.005), (0.050, 0.056), scale, thorax=0.5, nose=0.5),
        _ring(skull, (0.0, 0.04, 0.0), (0.048, 0.056), scale, nose=1.0),
    )
    head = (
        ring(-0.62, 0.040, 0.022, 0.030),
        ring(-0.54, 0.030, 0.042, 0.052),
        ring(-0.30, 0.012, 0.062, 0.077),
        ring(0.0, 0.0, 0.073, 0.091),
        ring(0.30, -0.002, 0.078, 0.098),
        ring(0.60, -0.004, 0.074, 0.094),
        ring(0.84, -0.004, 0.054, 0.070),
        ring(0.96, -0.004, 0.030, 0.040),
        ring(1.0, -0.004, 0.012, 0.016),
    )
    bridge = (
        ring(-0.16, 0.085, 0.010, 0.010),
        ring(-0.08, 0.090, 0.015, 0.022),
        ring(0.12, 0.085, 0.009, 0.014),
        ring(0.24, 0.080, 0.006, 0.010),
    )
    return [_Tube("skin", 1, neck), _Tube("skin", 1, head), _Tube("skin", 1, bridge)]


def _leg(places: Mapping[str, np.ndarray], scale: float, side: str) -> list[_Tube]:
    hip, knee, ankle = (places[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
    thigh, shank, foot = f"{side}_hip", f"{side}_knee", f"{side}_ankle"

    def ring(at: np.ndarray, y: float, x_radius: float, z_radius: float, **weights: float) -> _Ring:
        return _ring(at, (0.0, y, 0.0), (x_radius, z_radius), scale, **weights)

    def cut(z: float, y: float, x_radius: float, y_radius: float) -> _Ring:
        """A section of the foot, at a height above the floor."""
        at = np.array([ankle[0], 0.0, ankle[2]])
        return _ring(at, (0.0, y, z), (x_radius, y_radius), scale, **{foot: 1.0})

    leg = (
        ring(hip, 0.03, 0.066, 0.085, **{"hips": 0.7, thigh: 0.3}),
        ring(hip, -0.03, 0.083, 0.098, **{"hips": 0.3, thigh: 0.7}),
        ring(hip, -0.09, 0.082, 0.092, **{thigh: 1.0}),
        ring((hip + knee) / 2, 0.0, 0.069, 0.075, **{thigh: 1.0}),
        ring(knee, 0.07, 0.057, 0.061, **{thigh: 1.0}),
        ring(knee, 0.025, 0.053, 0.058, **{thigh: 0.75, shank: 0.25}),
        ring(knee, -0.025, 0.050, 0.055, **{thigh: 0.25, shank: 0.75}),
        ring(knee, -0.08, 0.052, 0.058, **{shank: 1.0}),
        ring(knee + 0.38 * (ankle - knee), 0.0, 0.050, 0.057, **{shank: 1.0}),
        ring(knee + 0.75 * (ankle - knee), 0.0, 0.038, 0.043, **{shank: 1.0}),
        ring(ankle, 0.02, 0.036, 0.042, **{shank: 1.0}),
    )
    shoe = (
        cut(-0.062, 0.036, 0.018, 0.022),
        cut(-0.052, 0.038, 0.030, 0.036),
        cut(-0.020, 0.052, 0.038, 0.050),
        cut(0.020, 0.052, 0.039, 0.050),
        cut(0.065, 0.038, 0.042, 0.036),
        cut(0.125, 0.026, 0.047, 0.024),
        cut(0.170, 0.021, 0.041, 0.019),
        cut(0.195, 0.018, 0.024, 0.014),
    )
    return [_Tube("trousers", 1, leg), _Tube("shoes", 2, shoe)]


def _arm(places: Mapping[str, np.ndarray], scale: float, side: str) -> list[_Tube]:
    shoulder, elbow, wrist = (places[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
    sign = -1.0 if side == "right" else 1.0
    collar, upper, fore, hand = (f"{side}_{part}" for part in ("collar", "shoulder", "elbow", "wrist"))

    def ring(at: np.ndarray, x: float, y_radius: float, z_radius: float, **weights: float) -> _Ring:
        return _ring(at, (sign * x, 0.0, 0.0), (y_radius, z_radius), scale, **weights)

    lower = shoulder - scale * np.array([0.0, 0.014, 0.0])
    sleeve = (
        ring(lower, -0.09, 0.050, 0.068, **{"spine": 0.5, collar: 0.5}),
        ring(lower, -0.04, 0.058, 0.064, **{collar: 0.75, upper: 0.25}),
        ring(lower, 0.005, 0.056, 0.060, **{collar: 0.4, upper: 0.6}),
        ring(shoulder, 0.055, 0.051, 0.053, **{upper: 1.0}),
        ring((shoulder + elbow) / 2, 0.0, 0.047, 0.049, **{upper: 1.0}),
        ring(elbow, -0.05, 0.042, 0.044, **{upper: 1.0}),
        ring(elbow, -0.018, 0.040, 0.042, **{upper: 0.75, fore: 0.25}),
        ring(elbow, 0.018, 0.039, 0.041, **{upper: 0.25, fore: 0.75}),
        ring(elbow, 0.06, 0.040, 0.043, **{fore: 1.0}),
        ring((elbow + wrist) / 2, 0.0, 0.035, 0.038, **{fore: 1.0}),
        ring(wrist, -0.02, 0.027, 0.032, **{fore: 1.0}),
    )
    palm = (
        ring(wrist, -0.04, 0.020, 0.025, **{fore: 1.0}),
        ring(wrist, 0.0, 0.020, 0.027, **{fore: 0.5, hand: 0.5}),
        ring(wrist, 0.035, 0.018, 0.038, **{hand: 1.0}),
        ring(wrist, 0.09, 0.015, 0.042, **{hand: 1.0}),
        ring(wrist, 0.135, 0.011, 0.036, **{hand: 1.0}),
        ring(wrist, 0.175, 0.008, 0.024, **{hand: 1.0}),
    )
    thumb = tuple(
        _ring(wrist, (sign * x, -0.004, z), (radius, radius), scale, **{hand: 1.0})
        for x, z, radius in (
            (0.02, 0.018, 0.013),
            (0.05, 0.045, 0.014),
            (0.085, 0.062, 0.012),
            (0.105, 0.066, 0.007),
        )
    )
    return [_Tube("shirt", 0, sleeve), _Tube("skin", 0, palm), _Tube("skin", 0, thumb)]
