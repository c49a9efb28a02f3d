"""Keypoint files as detectors write them, for the tests of the readers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from spgnet.keypoints import Keypoints
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, KEYPOINT_NAMES, KeypointSetName

SIZE = (1280, 720)
FPS = 25.0


def a_track(keypoint_set: KeypointSetName, seed: int = 0, frames: int = 6) -> np.ndarray:
    """Points [frames, keypoints, 3] of somebody who walks; a keypoint and a frame are missing."""
    rng = np.random.default_rng(seed)
    body = rng.uniform([100 + 600 * seed, 100], [200 + 600 * seed, 400], (KEYPOINT_COUNTS[keypoint_set], 2))
    points = np.empty((frames, len(body), 3))
    points[..., :2] = body + np.arange(frames)[:, None, None] * [3, 0]
    points[..., 2] = rng.uniform(0.3, 1, points.shape[:2])
    points[2] = points[3, 4] = [np.nan, np.nan, 0]
    return points


def a_body(keypoint_set: KeypointSetName, frames: int = 6) -> np.ndarray:
    """Points [frames, keypoints, 3] of somebody with a body's proportions who walks across the image."""
    side = {"left": 1.0, "right": -1.0}
    points = np.full((KEYPOINT_COUNTS[keypoint_set], 3), 0.9)
    for index, name in enumerate(KEYPOINT_NAMES[keypoint_set]):
        first, _, part = name.partition("_")
        part = part if first in side else name
        known = next((BODY[key] for key in BODY if key in part), BODY["nose"])
        points[index, :2] = [600 + 85 * side.get(first, 0.0) * known[0] + index % 3, 80 + 300 * known[1]]
    clip = np.repeat(points[None], frames, axis=0)
    clip[..., 0] += 3 * np.arange(frames)[:, None]
    clip[..., 1] += np.random.default_rng(0).normal(scale=0.5, size=clip.shape[:2])
    return clip


BODY = {
    "shoulder": (0.6, 0.3),
    "elbow": (0.7, 0.6),
    "wrist": (0.7, 0.85),
    "hand": (0.7, 0.9),
    "hip": (0.35, 0.8),
    "pelvis": (0.0, 0.8),
    "spine": (0.0, 0.55),
    "thorax": (0.0, 0.3),
    "neck": (0.0, 0.3),
    "knee": (0.35, 1.25),
    "ankle": (0.35, 1.7),
    "heel": (0.35, 1.75),
    "toe": (0.45, 1.8),
    "foot": (0.45, 1.8),
    "head": (0.0, 0.0),
    "eye": (0.1, 0.08),
    "ear": (0.2, 0.1),
    "nose": (0.0, 0.12),
}
"""Where parts of the body are from the front: off the middle, and down from the top of the head."""


def zeros(points: np.ndarray) -> np.ndarray:
    """As detectors write what is missing."""
    return np.nan_to_num(points)


def _there(points: np.ndarray) -> bool:
    return bool((points[:, 2] > 0).any())


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def openpose(folder: Path, *tracks: np.ndarray) -> Path:
    for frame in range(len(tracks[0])):
        people = [
            {"person_id": [-1], "pose_keypoints_2d": zeros(points[frame]).ravel().tolist()}
            for points in tracks
            if _there(points[frame])
        ]
        content = {"version": 1.3, "people": people}
        write_json(folder / f"clip_{frame:012d}_keypoints.json", content)
    return folder


def alphapose(folder: Path, *tracks: np.ndarray, **facts: object) -> Path:
    entries = [
        {"image_id": f"{frame}.jpg", "keypoints": zeros(points[frame]).ravel().tolist(), "score": 2.1} | facts
        for frame in range(len(tracks[0]))
        for points in tracks
        if _there(points[frame])
    ]
    return write_json(folder / "alphapose-results.json", entries)


def instances(tracks: tuple[np.ndarray, ...], frame: int) -> list[dict]:
    return [
        {
            "keypoints": zeros(points[frame, :, :2]).tolist(),
            "keypoint_scores": points[frame, :, 2].tolist(),
            "bbox": [[0, 0, 10, 10]],
            "bbox_score": 0.9,
        }
        for points in tracks
        if _there(points[frame])
    ]


def mmpose_video(folder: Path, *tracks: np.ndarray) -> Path:
    frames = [{"frame_id": i, "instances": instances(tracks, i)} for i in range(len(tracks[0]))]
    return write_json(folder / "mmpose.json", frames)


def _mmpose_demo(folder: Path, *tracks: np.ndarray) -> Path:
    frames = [{"frame_id": i + 1, "instances": instances(tracks, i)} for i in range(len(tracks[0]))]
    return write_json(folder / "demo.json", {"meta_info": {"dataset_name": "coco"}, "instance_info": frames})


def _mmpose_lists(folder: Path, *tracks: np.ndarray) -> Path:
    return write_json(folder / "lists.json", [instances(tracks, i) for i in range(len(tracks[0]))])


def _mmpose_results(folder: Path, *tracks: np.ndarray) -> Path:
    frames = [[instances(tracks, i)] for i in range(len(tracks[0]))]
    return write_json(folder / "results.json", {"predictions": frames})


def rtmlib_json(folder: Path, *tracks: np.ndarray) -> Path:
    shown = [[points[i] for points in tracks if _there(points[i])] for i in range(len(tracks[0]))]
    keypoints = [[zeros(points[:, :2]).tolist() for points in people] for people in shown]
    scores = [[points[:, 2].tolist() for points in people] for people in shown]
    return write_json(folder / "rtmlib.json", {"keypoints": keypoints, "scores": scores})


def rtmlib_npz(folder: Path, *tracks: np.ndarray) -> Path:
    stacked = zeros(np.stack(tracks, axis=1))
    np.savez(folder / "rtmlib.npz", keypoints=stacked[..., :2], scores=stacked[..., 2])
    return folder / "rtmlib.npz"


def mediapipe(folder: Path, *tracks: np.ndarray) -> Path:
    def landmarks(points: np.ndarray) -> list[dict]:
        shares = zeros(points) / [*SIZE, 1]
        return [{"x": x, "y": y, "z": 0.1, "visibility": score} for x, y, score in shares.tolist()]

    frames = [[landmarks(points[i]) for points in tracks if _there(points[i])] for i in range(len(tracks[0]))]
    if len(tracks) == 1:
        frames = [people[0] if people else None for people in frames]
    return write_json(folder / "mediapipe.json", frames)


def table(folder: Path, *tracks: np.ndarray) -> Path:
    keypoint_set = {17: "coco17", 26: "halpe26"}[tracks[0].shape[1]]
    names = [f"{name}_{part}" for name in KEYPOINT_NAMES[keypoint_set] for part in ("x", "y", "score")]
    lines = [",".join(["frame", "track", *names])]
    for frame in range(len(tracks[0])):
        for number, points in enumerate(tracks, start=1):
            if _there(points[frame]):
                cells = ["" if np.isnan(value) else repr(value) for value in points[frame].ravel().tolist()]
                lines.append(",".join([str(frame), str(number), *cells]))
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def pose2sim(folder: Path, *tracks: np.ndarray) -> Path:
    openpose(folder, *tracks)
    for file in folder.glob("*.json"):
        file.rename(folder / f"cam01_{int(file.name.split('_')[1]):06d}.json")
    return folder


def alphapose_open(folder: Path, *tracks: np.ndarray, key: str = "pose_keypoints_2d") -> Path:
    people = {"pose_keypoints_2d": "people", "joints": "bodies"}[key]
    content = {
        f"{frame}.jpg": {
            "version": "AlphaPose v0.3",
            people: [
                {key: zeros(points[frame]).ravel().tolist()} for points in tracks if _there(points[frame])
            ],
        }
        for frame in range(len(tracks[0]))
    }
    return write_json(folder / "alphapose-results.json", content)


def alphapose_cmu(folder: Path, *tracks: np.ndarray) -> Path:
    return alphapose_open(folder, *tracks, key="joints")


def lifters_demo(folder: Path, *tracks: np.ndarray) -> Path:
    entries = [
        {"frame_id": frame, "keypoints": zeros(points[frame]).ravel().tolist()}
        for frame in range(len(tracks[0]))
        for points in tracks
        if _there(points[frame])
    ]
    return write_json(folder / "annotations.json", {"annotations": entries})


def ultralytics(folder: Path, *tracks: np.ndarray) -> Path:
    frames = [
        [
            {
                "name": "person",
                "confidence": 0.9,
                "keypoints": dict(zip(("x", "y", "visible"), zeros(points[i]).T.tolist(), strict=True)),
            }
            for points in tracks
            if _there(points[i])
        ]
        for i in range(len(tracks[0]))
    ]
    return write_json(folder / "ultralytics.json", frames)


def movenet(folder: Path, *tracks: np.ndarray) -> Path:
    names = KEYPOINT_NAMES["coco17"]
    frames = [
        [
            {
                "keypoints": [
                    {"x": x, "y": y, "score": s, "name": n} for (x, y, s), n in zip(pose, names, strict=True)
                ]
            }
            for pose in (zeros(points[i]).tolist() for points in tracks if _there(points[i]))
        ]
        for i in range(len(tracks[0]))
    ]
    return write_json(folder / "movenet.json", frames)


def landmark_objects(folder: Path, *tracks: np.ndarray) -> Path:
    path = mediapipe(folder, *tracks)
    frames = [{"pose_landmarks": frame or []} for frame in json.loads(path.read_text())]
    return write_json(path, frames)


def deeplabcut(folder: Path, *tracks: np.ndarray) -> Path:
    names = KEYPOINT_NAMES["coco17"]
    header = {
        "scorer": ["DLC_resnet50"] * (len(tracks) * 51),
        "individuals": [f"person{number}" for number in range(len(tracks)) for _ in range(51)],
        "bodyparts": [name for _ in tracks for name in names for _ in range(3)],
        "coords": ["x", "y", "likelihood"] * (17 * len(tracks)),
    }
    lines = [
        ",".join((name, *cells)) for name, cells in header.items() if name != "individuals" or len(tracks) > 1
    ]
    for frame in range(len(tracks[0])):
        numbers = [value for points in tracks for value in points[frame].ravel().tolist()]
        lines.append(",".join([str(frame), *("" if np.isnan(value) else repr(value) for value in numbers)]))
    path = folder / "videoDLC_resnet50.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def movement(folder: Path, *tracks: np.ndarray) -> Path:
    points = np.stack(tracks, axis=-1)  # frames, keypoints, numbers, individuals
    position = points[:, :, :2].transpose(0, 2, 1, 3)
    np.savez(folder / "movement.npz", position=position, confidence=points[:, :, 2])
    return folder / "movement.npz"


def sleap(folder: Path, *tracks: np.ndarray) -> Path:
    points = np.stack(tracks, axis=0)  # tracks, frames, nodes, numbers
    with h5py.File(folder / "analysis.h5", "w") as file:
        file["node_names"] = np.array(KEYPOINT_NAMES["coco17"], dtype="S20")
        file["tracks"] = points[..., :2].transpose(0, 3, 2, 1)
        file["point_scores"] = points[..., 2].transpose(0, 2, 1)
    return folder / "analysis.h5"


def array(folder: Path, *tracks: np.ndarray) -> Path:
    np.save(folder / "x.npy", tracks[0] if len(tracks) == 1 else np.stack(tracks, axis=1))
    return folder / "x.npy"


WRITERS: list[tuple[str, Callable, KeypointSetName]] = [
    ("openpose", openpose, "coco18"),
    ("openpose", pose2sim, "halpe26"),
    ("alphapose", alphapose_open, "coco18"),
    ("alphapose", alphapose_cmu, "coco18"),
    ("alphapose", lifters_demo, "coco17"),
    ("ultralytics", ultralytics, "coco17"),
    ("movenet", movenet, "coco17"),
    ("mediapipe", landmark_objects, "mediapipe33"),
    ("deeplabcut", deeplabcut, "coco17"),
    ("movement", movement, "coco17"),
    ("movement", movement, "halpe26"),
    ("sleap", sleap, "coco17"),
    ("array", array, "coco17"),
    ("array", array, "halpe26"),
    ("openpose", openpose, "body25"),
    ("alphapose", alphapose, "coco17"),
    ("alphapose", alphapose, "halpe26"),
    ("mmpose", mmpose_video, "coco17"),
    ("mmpose", _mmpose_demo, "halpe26"),
    ("mmpose", _mmpose_lists, "coco17"),
    ("mmpose", _mmpose_results, "coco17"),
    ("rtmlib", rtmlib_json, "coco17"),
    ("rtmlib", rtmlib_npz, "halpe26"),
    ("mediapipe", mediapipe, "mediapipe33"),
    ("csv", table, "coco17"),
    ("csv", table, "halpe26"),
]


def check(person: Keypoints, points: np.ndarray, keypoint_set: str) -> None:
    assert person.keypoint_set == keypoint_set
    assert person.image_size == SIZE
    np.testing.assert_allclose(person.points, points, atol=1e-3)
    np.testing.assert_allclose(person.timestamps, np.arange(len(points)) / FPS)


def some_keypoints(**changes: object) -> Keypoints:
    known = Keypoints(
        points=a_track("halpe26").astype(np.float32),
        keypoint_set="halpe26",
        timestamps=np.array([0.1, 0.2, 0.25, 0.4, 0.5, 0.7]),
        image_size=SIZE,
        camera_matrix=np.array([[900.0, 0, 640], [0, 910, 360], [0, 0, 1]]),
        distortion=np.array([0.1, -0.2, 0.01, 0.02, 0.3]),
        track=3,
    )
    return replace(known, **changes)
