"""A person filmed by a known camera, for the tests of lifting."""

import numpy as np
import torch

from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, KEYPOINT_NAMES
from spgnet.lifting import Lifter, Motion
from spgnet.models import RayNet, RayNetConfig
from spgnet.synthetic.procedural import procedural_clips

SIZE = (720, 1280)


def camera() -> Camera:
    """Four metres away, 1.2 m high, looking along the world's y axis, with a real lens."""
    matrix = [[913.0, 0, 366], [0, 914.0, 638], [0, 0, 1]]
    return opencv_camera(matrix, [0.12, -0.28, -3e-4, 7e-5, 0.2], SIZE, position=[0.0, -4.0, 1.2])


def folding_camera(k1: float = -0.3) -> Camera:
    """A lens beyond whose fold the corners of the image lie; of a stronger distortion, most of the image."""
    return opencv_camera([[900.0, 0, 360], [0, 900.0, 640], [0, 0, 1]], [k1], SIZE)


def filmed(frames: int = 40, fps: float = 30.0, seed: int = 0) -> tuple[Keypoints, np.ndarray]:
    """The exact keypoints of a walk, and its joints in the camera frame."""
    world = procedural_clips(1, seed=seed, seconds=frames / fps, fps=fps)[0].joints
    world = world - world[:, :1] * torch.tensor([1.0, 1.0, 0.0])
    joints = camera().world_to_camera(world)
    pixels = camera().camera_to_image(joints).numpy()
    points = np.concatenate((pixels, np.full((frames, 17, 1), 0.9, np.float32)), axis=-1)
    return Keypoints(points.astype(np.float32), "human36m17", np.arange(frames) / fps, SIZE), joints.numpy()


def lifter(widths: tuple[int, ...] = (3, 3), *, causal: bool = False) -> Lifter:
    """An untrained network that places people sensibly."""
    torch.manual_seed(0)
    model = RayNet(RayNetConfig(filter_widths=widths, channels=16, trajectory_channels=16, causal=causal))
    model.init_root_bias(torch.zeros(3))
    return Lifter(model.eval(), "untrained")


def every_keypoint(points: np.ndarray) -> dict[str, np.ndarray]:
    """The pixels [frames, 2] of the keypoints of all sets by name, from Human3.6M's joints [frames, 17, 2+].

    Those of the face, hands and feet are near the nose, wrists and ankles, as on a body.
    """
    size = np.ptp(points[..., 1], axis=1).mean()
    named = {name: points[:, joint, :2] for joint, name in enumerate(HUMAN36M.names)}
    middle = (named["left_hip"] + named["right_hip"]) / 2
    named |= {"head": named["head_top"], "neck": named["thorax"], "hip": middle, "mid_hip": middle}
    offsets = {"eye": (0.02, -0.02), "ear": (0.04, -0.01), "pinky": (0.03, 0.04), "index": (0.01, 0.05)}
    offsets |= {"thumb": (-0.02, 0.02), "big_toe": (0.03, 0.05), "small_toe": (0.05, 0.04)}
    offsets |= {"heel": (-0.02, 0.03), "foot_index": (0.03, 0.06)}
    parts = {"eye": "nose", "ear": "nose", "pinky": "wrist", "index": "wrist", "thumb": "wrist"}
    for side, sign in (("left", 1), ("right", -1)):
        for part, (across, down) in offsets.items():
            near = parts.get(part, "ankle")
            centre = named[near if near == "nose" else f"{side}_{near}"]
            named[f"{side}_{part}"] = centre + size * np.array([sign * across, down])
        named |= {f"{side}_eye_{part}": named[f"{side}_eye"] for part in ("inner", "outer")}
        named |= {f"{side}_hand_{finger}": named[f"{side}_index"] for finger in range(21)}
        named[f"mouth_{side}"] = named["nose"] + size * np.array([sign * 0.01, 0.02])
    named |= {f"face_{point}": named["mouth_left"] for point in range(68)}
    return named | {"upper_neck": (2 * named["thorax"] + named["nose"]) / 3}


def detected_as(
    points: np.ndarray, keypoint_set: KeypointSetName, read_as: KeypointSetName | None = None
) -> Keypoints:
    """Human3.6M's joints [frames, 17, 2+] as a set's keypoints, read as those of another set.

    Keypoints that only the other set has are missing.
    """
    named = every_keypoint(points)
    kept = np.stack([named[name] for name in KEYPOINT_NAMES[keypoint_set]], axis=1)
    scored = np.concatenate((kept, np.full((*kept.shape[:2], 1), 0.9)), axis=-1)
    name = read_as or keypoint_set
    read = np.zeros((len(points), KEYPOINT_COUNTS[name], 3))
    count = min(read.shape[1], scored.shape[1])
    read[:, :count] = scored[:, :count]
    return Keypoints(read, name, np.arange(len(points)) / 30, SIZE)


def true_motion(keypoints: Keypoints, joints: np.ndarray) -> Motion:
    """The motion that exact keypoints of Human3.6M's joints come from."""
    return Motion(
        joints=joints.astype(np.float32),
        confidence=keypoints.points[..., 2].astype(np.float32),
        pixels=keypoints.points[..., :2].astype(np.float32),
        timestamps=keypoints.timestamps,
        camera=camera(),
        camera_source="a test",
    )
