"""2D detectors: the protocol, and the default one, YOLOX and RTMPose of OpenMMLab with rtmlib on the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, UInt8

from spgnet.detection.downloads import MessageCallback, detector_weights, print_line
from spgnet.extras import import_extra
from spgnet.keypoints import KeypointSetName

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BOXES_SIZE = 416
"""Width and height in pixels of the input of the person detector."""
PADDING = 114
"""The grey beside an image that is not square."""
POSE_SIZE = (192, 256)
"""Width and height in pixels of the input of the pose network."""
POSE_MEAN, POSE_DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of RGB, by which the pose network's input is normalised."""
MOST_THREADS = 4
"""Threads for one network beyond which they gain little for images of these sizes."""


@runtime_checkable
class Detector(Protocol):
    """A top-down detector, with person detection separate from pose estimation.

    Tracking detects people in some frames only, but their keypoints in every frame. A detector with an
    attribute ``concurrent`` that is true lets :func:`spgnet.detection.detect_video` call `boxes` for a later
    frame in a thread of its own while `pose` works on an earlier one.

    Attributes:
        keypoint_set: the keypoint set of `pose`.
    """

    keypoint_set: KeypointSetName

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people 4"]:
        """Boxes (left, top, right, bottom) in pixels of the people in an RGB image, by falling confidence."""
        ...

    def pose(
        self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "people 4"]
    ) -> Float[np.ndarray, "people joints 3"]:
        """Keypoints of the person in each box: x and y in pixels, and a score in [0, 1]."""
        ...


class RtmDetector:
    """Detects people with YOLOX-tiny and their 26 Halpe keypoints with RTMPose-s.

    Args:
        detector_dir: folder of the two ONNX files; by default that of :func:`detector_weights`.
        box_score: minimum score of a box, in [0, 1]. It is low in order to find small and back-lit people;
            tracking drops false detections.
        concurrent: whether both networks work at the same time, as :func:`spgnet.detection.detect_video`
            lets them: with half of the cores each, up to :data:`MOST_THREADS`. Otherwise, such as live, each
            has all cores to itself. The result is the same.
        cores: processor cores to use; by default all that this process may use. With one, the networks take
            turns.
        report: called with one line if weights are downloaded.

    Raises:
        InputError: rtmlib, ONNX Runtime or OpenCV cannot be imported, or the weights cannot be found or
            downloaded.
    """

    keypoint_set: KeypointSetName = "halpe26"

    def __init__(
        self,
        detector_dir: Path | None = None,
        *,
        box_score: float = 0.3,
        concurrent: bool = True,
        cores: int | None = None,
        report: MessageCallback = print_line,
    ) -> None:
        import_extra("onnxruntime", "video")
        import_extra("rtmlib", "video")
        weights = detector_weights(detector_dir, report)
        self.concurrent, self._box_score = concurrent and cores != 1, box_score
        threads = max((cores or _available_cores()) // 2, 1) if self.concurrent else cores
        self._boxes, self._pose = (_session(path, threads) for path in (weights.boxes, weights.pose))
        levels = (np.arange(256)[:, None] - np.array(POSE_MEAN)) / np.array(POSE_DEVIATION)
        self._levels = levels.astype(np.float32)

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people 4"]:
        """Boxes of people, by falling confidence (see `Detector`)."""
        # Not with rtmlib's own call, since for these weights (with non-maximum suppression inside) it fixes
        # the minimum score at 0.3 and does not return the scores.
        small, ratio = _letterbox(image)
        bgr = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1), dtype=np.float32)
        found = np.asarray(self._boxes.run(["dets"], {"input": bgr[None]})[0])[0]
        found = found[found[:, 4] >= self._box_score]
        found = found[np.argsort(-found[:, 4], kind="stable")]
        boxes = found[:, :4].astype(np.float64) / ratio
        return boxes[(boxes[:, 2:] - boxes[:, :2] > 1).all(axis=1)]

    def pose(
        self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "people 4"]
    ) -> Float[np.ndarray, "people 26 3"]:
        """Keypoints of the person in each box (see `Detector`)."""
        if not len(boxes):
            return np.zeros((0, 26, 3))
        processing = import_extra("rtmlib.tools.pose_estimation.post_processings", "video")
        crops, centres, sizes = zip(*(self._crop(image, box) for box in boxes), strict=True)
        across, down = self._pose.run(["simcc_x", "simcc_y"], {"input": np.stack(crops)})
        places, scores = processing.get_simcc_maximum(across, down)
        # Two bins of the network's output are a pixel of its input.
        shares, size = places / 2.0 / np.array(POSE_SIZE), np.array(sizes)[:, None]
        points = shares * size + np.array(centres)[:, None] - size / 2
        return np.concatenate([points, np.clip(scores, 0, 1)[..., None]], axis=-1).astype(np.float64)

    def _crop(
        self, image: np.ndarray, box: Float[np.ndarray, " 4"]
    ) -> tuple[Float32[np.ndarray, "3 256 192"], np.ndarray, np.ndarray]:
        """The pose network's input for a box; the centre and the size [2] in pixels of what it shows."""
        processing = import_extra("rtmlib.tools.pose_estimation.pre_processings", "video")
        centre, size = processing.bbox_xyxy2cs(box, padding=1.25)
        crop, size = processing.top_down_affine(POSE_SIZE, size, centre, image)
        # RGB, as in RTMPose's training; rtmlib's examples pass BGR, which is slightly less accurate.
        return np.stack([self._levels[:, c][crop[..., c]] for c in range(3)]), centre, size


def _available_cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _session(path: Path, threads: int | None) -> InferenceSession:
    """A network with a number of threads; None: as many as there are cores, which wait busily."""
    onnxruntime = import_extra("onnxruntime", "video")
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = min(threads, MOST_THREADS)
        # Threads that wait would otherwise keep a core busy that decoding or the other network needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _letterbox(image: UInt8[np.ndarray, "height width 3"]) -> tuple[np.ndarray, float]:
    """The image in the size of the person detector's input, padded below or beside, and its scale."""
    cv2 = import_extra("cv2", "video")
    height, width = image.shape[:2]
    ratio = min(BOXES_SIZE / height, BOXES_SIZE / width)
    padded = np.full((BOXES_SIZE, BOXES_SIZE, 3), PADDING, np.uint8)
    size = (int(width * ratio), int(height * ratio))
    padded[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return padded, ratio
