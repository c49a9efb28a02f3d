"""Feet of lifted motion: put on its ankles, fitted to the detected heels and toes and to the floor.

The network lifts 17 joints, and so weights for these suffice. The problem that is solved is that of
:mod:`spgnet.lifting.foot_problem`. Here are its input and its output.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation, Slerp

from spgnet.geometry.camera import Camera
from spgnet.geometry.foot import ANKLES, FOOT_INDEX, SIDES
from spgnet.geometry.gait import FASTEST_LIFTED, foot_contacts, point_contacts
from spgnet.geometry.interpolate import interpolate_at, nearest_at
from spgnet.geometry.skeleton import FOOT_POINTS, HUMAN36M
from spgnet.keypoints import Keypoints
from spgnet.keypoints.gaps import MIN_CONFIDENCE
from spgnet.keypoints.keypoints import FOOT_SOURCES, foot_keypoints, present, to_human36m
from spgnet.lifting.bone_lengths import estimate_height
from spgnet.lifting.foot_problem import FeetObservations, FeetState, FootDeviations, point_variances, solve
from spgnet.lifting.guidance import Soles
from spgnet.lifting.inputs import BORDER, interpolate_skipped
from spgnet.lifting.motion import Motion
from spgnet.lifting.refinement import node_times
from spgnet.lifting.usual_feet import FLEXION, usual_axes, usual_flexion
from spgnet.lifting.windows import NodeCallback, NodeProgress, count_nodes, ignore_node_progress
from spgnet.synthetic.detector_noise import person_size

FOOT_SECONDS = 1 / 60
"""Time between nodes: feet land faster than 25 nodes a second can follow."""
PASSES = 3
"""How often contacts are found again and the problem is solved with them."""
WHOLE, OVERLAP = 1024, 32
"""The largest number of nodes that are solved at once, and by how many windows of long clips overlap."""
FAR = 0.35
"""Distance from the ankle in the image, in units of the person's size, from which on a foot's keypoint counts
as not seen."""
CORRELATED = 4.0
"""Factor of the standard deviation of heels and toes from their ankles by the least-squares problem, which
does not know that errors are alike from frame to frame; chosen on simulated video."""
_ANKLES = [ANKLES[side] for side in SIDES]


def sees_feet(keypoints: Keypoints) -> bool:
    """Whether a heel or toe is detected with confidence in any frame."""
    found = list(foot_keypoints(keypoints.keypoint_set))
    return bool(found) and bool((keypoints.points[:, found, 2] >= MIN_CONFIDENCE).any())


def add_feet(
    motion: Motion,
    keypoints: Keypoints,
    *,
    sizes: FootDeviations | None = None,
    on_progress: NodeProgress = ignore_node_progress,
) -> Motion:
    """A refined motion with the 23 joints of :data:`spgnet.geometry.skeleton.FEET23`, and its foot contacts.

    The 17 joints stay as they are. The displacements of the ankles in the problem take up the ankles' errors,
    so that these do not turn the feet.

    Args:
        motion: one person's, refined; its 17 joints are used.
        keypoints: what it was lifted from; of a set without feet, no keypoint of them is seen.
        sizes: standard deviations of the terms.
        on_progress: called after every window of nodes.

    Returns:
        The motion with feet. Where heel or toes are not seen, their confidence is 0 and their place an
        estimate from the frames around, the shank and the floor. Contacts are None if the floor is not known.
    """
    sizes, motion = sizes or FootDeviations(), motion.without_feet()
    pixels, confidence = foot_detections(motion, keypoints)
    times = node_times(motion.timestamps, FOOT_SECONDS)
    known = observations(motion, pixels, confidence, keypoints, times, sizes)
    known, state = fit(known, sizes, on_progress)
    body = motion.joints.astype(np.float64)
    offsets = _offsets_at(known, state, times, motion.timestamps)
    feet = body[:, _ANKLES][:, :, None] + offsets
    joints = np.concatenate((body, feet.reshape(len(feet), -1, 3)), axis=1).astype(np.float32)
    deviations = CORRELATED * np.sqrt(_variances(known, state, sizes))
    uncertainty = None
    if motion.uncertainty is not None:
        own = interpolate_at(deviations, times, motion.timestamps).astype(np.float32)
        ankle = motion.uncertainty[:, _ANKLES, None]
        spread = np.hypot(ankle, own).reshape(len(feet), -1)
        uncertainty = np.concatenate((motion.uncertainty, spread), axis=1)
    joint_pixels, joint_confidence = _of_joints(pixels, confidence, keypoints)
    drawn = motion.camera.to(torch.float64).camera_to_image(
        torch.from_numpy(joints[:, len(HUMAN36M) :]).double()
    )
    joint_pixels = np.where(joint_confidence[..., None] > 0, joint_pixels, drawn.numpy())
    rejected = None
    if motion.rejected is not None:
        rejected = np.concatenate((motion.rejected, np.zeros_like(joint_confidence, dtype=bool)), axis=1)
    result = replace(
        motion,
        joints=joints,
        confidence=np.concatenate((motion.confidence, joint_confidence), axis=1).astype(np.float32),
        pixels=np.concatenate((motion.pixels, joint_pixels), axis=1).astype(np.float32),
        uncertainty=uncertainty,
        rejected=rejected,
    )
    if motion.camera.extrinsics == "arbitrary":
        return result
    contacts = foot_contacts(result.world.astype(np.float64), result.timestamps, fastest=FASTEST_LIFTED)
    return replace(result, foot_contact=contacts)


def find_soles(
    motion: Motion,
    keypoints: Keypoints,
    nodes: Float[np.ndarray, " nodes"],
    *,
    on_progress: NodeProgress = ignore_node_progress,
) -> Soles | None:
    """The points of the feet that are on the floor at the nodes.

    The first and the last node of each contact are left out: a foot still moves there.

    Args:
        motion: one person's, refined, in a world whose floor is known.
        keypoints: what it was lifted from, of a set that sees feet.
        nodes: times in seconds.
        on_progress: called after every window of nodes.

    Returns:
        The soles, in metres; None if the floor is not known, or no point is ever on it.
    """
    pixels, confidence = foot_detections(motion, keypoints)
    times, sizes = node_times(motion.timestamps, FOOT_SECONDS), FootDeviations()
    known = observations(motion, pixels, confidence, keypoints, times, sizes)
    known, state = fit(known, sizes, on_progress)
    if known.floor is None:
        return None
    found = nearest_at(_contacts(known, state, known.floor), times, nodes)
    planted = found.copy()
    planted[1:] &= found[:-1]
    planted[:-1] &= found[1:]
    offsets = known.soles(state) - (known.ankles + state.moved)[:, :, None]
    return Soles(interpolate_at(offsets, times, nodes), planted.astype(np.float64)) if planted.any() else None


def foot_detections(
    motion: Motion, keypoints: Keypoints
) -> tuple[Float[np.ndarray, "frames 2 keypoints 2"], Float[np.ndarray, "frames 2 keypoints"]]:
    """Pixels and confidence of the keypoints of the right and the left foot; NaN and 0 where not believed.

    Feet go with the ankles where the lifter has exchanged left and right. In frames at which the detector did
    not look they are interpolated.
    """
    indices = foot_keypoints(keypoints.keypoint_set)
    points = keypoints.points[:, list(indices)].astype(np.float64)
    points = points.reshape(len(points), 2, -1, 3)
    detected, _ = to_human36m(keypoints)
    exchanged = _are_exchanged(motion, detected)
    points = np.where(exchanged[:, None, None, None], points[:, ::-1], points)
    margin = BORDER * max(keypoints.image_size)
    inside = (points[..., :2] >= -margin) & (points[..., :2] <= np.array(keypoints.image_size) + margin)
    confidence = np.where(present(points) & inside.all(axis=-1), points[..., 2].clip(0, 1), 0.0)
    expected = motion.camera.camera_to_image(torch.from_numpy(motion.joints)).double()
    size = person_size(expected).numpy()[:, None, None]
    away = np.linalg.norm(points[..., :2] - expected.numpy()[:, _ANKLES, None], axis=-1)
    confidence[(confidence < MIN_CONFIDENCE) | ~(away < FAR * size)] = 0
    pixels = np.where(confidence[..., None] > 0, points[..., :2], np.nan)
    if keypoints.skipped is None:
        return pixels, confidence
    flat = interpolate_skipped(confidence.reshape(len(points), -1), keypoints.skipped)
    looked = ~keypoints.skipped
    between = interpolate_at(
        pixels[looked], keypoints.timestamps[looked], keypoints.timestamps
    )  # NaN next to NaN
    confidence = flat.reshape(confidence.shape)
    confidence[~np.isfinite(between).all(axis=-1)] = 0
    return np.where(confidence[..., None] > 0, between, np.nan), confidence


def _are_exchanged(motion: Motion, detected: Float[np.ndarray, "frames 17 2"]) -> Bool[np.ndarray, " frames"]:
    """Frames in which the motion's ankles are the detector's other ones."""
    own = np.linalg.norm(motion.pixels[:, _ANKLES] - detected[:, _ANKLES], axis=-1)
    other = np.linalg.norm(motion.pixels[:, _ANKLES] - detected[:, _ANKLES[::-1]], axis=-1)
    return np.nansum(other - own, axis=1) < 0


def observations(
    motion: Motion,
    pixels: Float[np.ndarray, "frames 2 keypoints 2"],
    confidence: Float[np.ndarray, "frames 2 keypoints"],
    keypoints: Keypoints,
    nodes: Float[np.ndarray, " nodes"],
    sizes: FootDeviations,
) -> FeetObservations:
    """What is known of the feet at the nodes."""
    joints = interpolate_at(motion.joints.astype(np.float64), motion.timestamps, nodes)
    rays, confidence = _rays(pixels, confidence, motion.camera)
    rays, confidence = _at_nodes(rays, confidence, motion.timestamps, nodes)
    size = person_size(torch.from_numpy(joints[..., :2] / joints[..., 2:].clip(0.1))).numpy()
    heel, toe = sizes.detection
    deviations = np.array([heel] + [toe] * (rays.shape[2] - 1)) * size[:, None, None]
    with np.errstate(divide="ignore"):
        variances = np.where(confidence > 0, deviations**2 / confidence, np.inf)
    rotation, position = (each.double().numpy() for each in (motion.camera.rotation, motion.camera.position))
    floor = None if motion.camera.extrinsics == "arbitrary" else -float(position[2])
    stature = estimate_height(motion) / 1.75
    up = rotation[:, 2]
    flexion, air = np.full((len(nodes), 2), FLEXION), np.ones((len(nodes), 2))
    if floor is not None:
        flexion, air = usual_flexion(joints, up, floor, stature)
    return FeetObservations(
        ankles=joints[:, _ANKLES],
        expected=usual_axes(joints, flexion),
        flexion_deviation=sizes.flexion + (sizes.angles[2] - sizes.flexion) * air,
        stature=stature,
        marks=_marks(keypoints),
        rays=rays,
        variances=variances,
        up=up,
        floor=floor,
        step=float(nodes[1] - nodes[0]) if len(nodes) > 1 else FOOT_SECONDS,
        contacts=np.zeros((len(nodes), 2, 3), dtype=bool),
    )


def _marks(keypoints: Keypoints) -> Float[np.ndarray, "keypoints 3"]:
    """Shares of heel, big and small toe in each keypoint of a foot."""
    rows = [
        [
            FOOT_INDEX.get(point, 0.0) if source == "foot_index" else float(source == point)
            for point in FOOT_POINTS
        ]
        for source in FOOT_SOURCES.get(keypoints.keypoint_set, ())
    ]
    return np.array(rows).reshape(-1, len(FOOT_POINTS))


def _of_joints(
    pixels: Float[np.ndarray, "frames 2 keypoints 2"],
    confidence: Float[np.ndarray, "frames 2 keypoints"],
    keypoints: Keypoints,
) -> tuple[Float[np.ndarray, "frames 6 2"], Float[np.ndarray, "frames 6"]]:
    """Pixels and confidence of heels and toes: of a foot index as the big toe, without a small one."""
    missing = len(FOOT_POINTS) - pixels.shape[2]
    pixels = np.pad(pixels, ((0, 0), (0, 0), (0, missing), (0, 0)), constant_values=np.nan)
    confidence = np.pad(confidence, ((0, 0), (0, 0), (0, missing)))
    return pixels.reshape(len(pixels), -1, 2), confidence.reshape(len(pixels), -1)


def _rays(
    pixels: Float[np.ndarray, "frames 2 keypoints 2"],
    confidence: Float[np.ndarray, "frames 2 keypoints"],
    camera: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """Rays of the keypoints, 0 without one; and the confidence of those that have one."""
    camera = camera.to(torch.float64)
    seen = torch.from_numpy(confidence.reshape(len(pixels), -1) > 0)
    points = torch.from_numpy(pixels.reshape(len(pixels), -1, 2))
    rays, has_ray = camera.try_image_to_rays(torch.where(seen[..., None], points, camera.center))
    found = (seen & has_ray).numpy()
    confidence = np.where(found, confidence.reshape(found.shape), 0.0).reshape(confidence.shape)
    return np.where(found[..., None], rays.numpy(), 0.0).reshape(pixels.shape), confidence


def _at_nodes(
    rays: np.ndarray, confidence: np.ndarray, times: np.ndarray, nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rays and confidence at the nodes: means of the frames around them, weighted by confidence."""
    if len(times) == len(nodes) and np.allclose(times, nodes):
        return rays, confidence
    position = np.interp(times, nodes, np.arange(len(nodes)))
    before = np.floor(position).astype(int)
    total, mass = np.zeros((len(nodes), *rays.shape[1:3], 3)), np.zeros((len(nodes), 1, 1))
    weighted = np.concatenate((rays, np.ones((*rays.shape[:3], 1))), axis=-1) * confidence[..., None]
    near = position - before
    for node, share in ((before, 1 - near), (np.minimum(before + 1, len(nodes) - 1), near)):
        np.add.at(total, node, share[:, None, None, None] * weighted)
        np.add.at(mass, node, share[:, None, None])
    weight = total[..., 2]
    return total[..., :2] / np.where(weight > 0, weight, 1)[..., None], weight / np.where(mass > 0, mass, 1)


def fit(
    known: FeetObservations, sizes: FootDeviations, on_progress: NodeProgress
) -> tuple[FeetObservations, FeetState]:
    """The observations with the contacts that were found, and the state that fits them best."""
    count, state = len(known.ankles), known.first_state()
    passes = 1 if known.floor is None else PASSES
    on_solved = count_nodes(passes * count, on_progress)
    state = _solve_all(known, state, sizes, on_solved, first=True)
    for _ in range(passes - 1):
        assert known.floor is not None
        known = replace(known, contacts=_contacts(known, state, known.floor))
        state = _solve_all(known, state, sizes, on_solved)
    return known, state


def _solve_all(
    known: FeetObservations,
    state: FeetState,
    sizes: FootDeviations,
    on_solved: NodeCallback,
    *,
    first: bool = False,
) -> FeetState:
    """:func:`solve` for clips of any length: window by window, with the feet's size of the first."""
    count = len(known.ankles)
    if count <= WHOLE:
        state = solve(known, state, sizes)
        on_solved(count)
        return state
    if first:
        middle = slice((count - WHOLE) // 2, (count + WHOLE) // 2)
        state = state._replace(log_size=solve(known.select(middle), state.select(middle), sizes).log_size)
    parts = []
    for start in range(0, count, WHOLE):
        stop = min(start + WHOLE, count)
        window = slice(max(0, start - OVERLAP), min(count, stop + OVERLAP))
        solved = solve(known.select(window), state.select(window), sizes, fixed=True)
        parts.append(solved.select(slice(start - window.start, stop - window.start)))
        on_solved(stop - start)
    axes, bend, moved = (np.concatenate([part[field] for part in parts]) for field in range(3))
    return FeetState(axes, bend, moved, state.log_size)


def _variances(
    known: FeetObservations, state: FeetState, sizes: FootDeviations
) -> Float[np.ndarray, "nodes 2 3"]:
    windows = [slice(start, start + WHOLE) for start in range(0, len(known.ankles), WHOLE)]
    return np.concatenate(
        [point_variances(known.select(window), state.select(window), sizes) for window in windows]
    )


def _contacts(known: FeetObservations, state: FeetState, floor: float) -> Bool[np.ndarray, "nodes 2 3"]:
    """Which of heel, ball and tip are on the floor: low and slow, and not for a moment only."""
    soles = known.soles(state)
    soles = soles.reshape(len(soles), -1, 3)
    times = np.arange(len(soles)) * known.step
    found = point_contacts(soles, soles @ known.up - floor, times, fastest=FASTEST_LIFTED)
    return found.reshape(known.contacts.shape)


def _offsets_at(
    known: FeetObservations, state: FeetState, nodes: Float[np.ndarray, " nodes"], times: np.ndarray
) -> Float[np.ndarray, "frames 2 3 3"]:
    """Heel and toes from the ankles at the frames."""
    if len(nodes) > 1 and not (len(times) == len(nodes) and np.allclose(times, nodes)):
        within = times.clip(nodes[0], nodes[-1])
        axes = np.stack(
            [
                Slerp(nodes, Rotation.from_matrix(state.axes[:, foot]))(within).as_matrix()
                for foot in range(2)
            ],
            axis=1,
        )
        state = FeetState(axes, interpolate_at(state.bend, nodes, times), state.moved, state.log_size)
    return known.offsets(state)[:, :, : len(FOOT_POINTS)]
