"""2D detectors: the protocol, and the default one, YOLOX and RTMPose of OpenMMLab with rtmlib on the CPU."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.detection.downloads import MessageCallback, detector_weights, print_line
from spgnet.extras import import_extra
from spgnet.keypoints import KeypointSetName


@runtime_checkable
class Detector(Protocol):
    """A top-down detector, with person detection separate from pose estimation.

    Tracking detects people in some frames only, but their keypoints in every frame.

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
        report: MessageCallback = print_line,
    ) -> None:
        import_extra("onnxruntime", "video")  # checked here, as rtmlib imports it late
        rtmlib = import_extra("rtmlib", "video")
        weights = detector_weights(detector_dir, report)
        self._box_score = box_score
        with contextlib.redirect_stdout(io.StringIO()):  # rtmlib prints what it loads
            self._boxes = rtmlib.YOLOX(str(weights.boxes), model_input_size=(416, 416), backend="onnxruntime")
            self._pose = rtmlib.RTMPose(str(weights.pose), model_input_size=(192, 256), backend="onnxruntime")

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people 4"]:
        """Boxes of people, by falling confidence (see `Detector`)."""
        # Not with rtmlib's own call, since for these weights (with non-maximum suppression inside) it fixes
        # the minimum score at 0.3 and does not return the scores.
        prepared, ratio = self._boxes.preprocess(np.ascontiguousarray(image[..., ::-1]))  # BGR
        found = np.asarray(self._boxes.inference(prepared)[0])[0]
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
        # RGB, as in RTMPose's training; rtmlib's examples pass BGR, which is slightly less accurate.
        points, scores = self._pose(image, list(boxes))
        return np.concatenate([points, np.clip(scores, 0, 1)[..., None]], axis=-1).astype(np.float64)
