"""Lift keypoints with onnxruntime and NumPy alone, as an app or an engine would.

    spgnet export-model default lifter.onnx
    python examples/09_onnx_without_pytorch.py lifter.onnx keypoints.npy joints.npy

``keypoints.npy`` holds an array [frames, 17, 3] of one person: x and y in pixels and a score for each of
COCO's 17 keypoints. ``joints.npy`` becomes an array [frames, 17, 3] in metres, in the camera frame (x right,
y down, z forward); the names of its joints are in the ONNX file. Needs ``pip install onnxruntime numpy``.
"""

import json
import sys

import numpy as np
import onnxruntime

IMAGE_SIZE = (1920, 1080)
FOCAL_LENGTH = 1500.0  # in pixels; that of your camera
COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
MEANS = {"pelvis": ("left_hip", "right_hip"), "thorax": ("left_shoulder", "right_shoulder")}


def human36m_of_coco(points: np.ndarray, names: list[str]) -> np.ndarray:
    """COCO's keypoints as the network's joints; the score of a joint that COCO does not have is 0."""
    shown = points[..., 2] > 0.3
    frames = np.arange(len(points))
    for joint in range(17):  # gaps are filled along time, and stay marked
        if shown[:, joint].any():
            for axis in range(2):
                seen = frames[shown[:, joint]]
                points[:, joint, axis] = np.interp(frames, seen, points[seen, joint, axis])
    points = np.concatenate((points[..., :2], shown[..., None]), axis=-1)
    part = {name: points[:, index] for index, name in enumerate(COCO.split())}
    for name, ends in MEANS.items():
        both = np.stack([part[end] for end in ends])
        part[name] = np.concatenate((both[..., :2].mean(axis=0), both[..., 2:].min(axis=0)), axis=-1)
    part["spine"] = (part["pelvis"] + part["thorax"]) / 2
    part["head_top"] = part["spine"] * [1, 1, 0]  # not seen: at the middle of the body
    return np.stack([part[name] for name in names], axis=1)


def main(model: str, keypoints: str, target: str) -> None:
    session = onnxruntime.InferenceSession(model)
    about = session.get_modelmeta().custom_metadata_map
    joints_2d = human36m_of_coco(np.load(keypoints).astype(np.float32), json.loads(about["names"]))
    centre = np.divide(IMAGE_SIZE, 2)
    rays = np.concatenate(((joints_2d[..., :2] - centre) / FOCAL_LENGTH, joints_2d[..., 2:]), axis=-1)
    joints = np.asarray(session.run(["joints"], {"rays": rays.astype(np.float32)})[0])
    np.save(target, joints)
    print(f"{len(joints)} frames; use it for {about['frames_per_second']} frames per second")


if __name__ == "__main__":
    main(*sys.argv[1:])
