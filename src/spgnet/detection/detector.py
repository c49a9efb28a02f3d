"""2D detectors: the protocol, and the package's own, OpenMMLab's YOLOX and RTMPose by rtmlib on the CPU."""

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
    """A top-down detector. Its two steps are separate, so that tracking can look for people more rarely than
    for their keypoints.

    Attributes:
        keypoint_set: which keypoints `pose` gives.
    """

    keypoint_set: KeypointSetName

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people 4"]:
        """Boxes (left, top, right, bottom) around the people in an RGB image, in pixels, the surest first."""
        ...

    def pose(
        self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "people 4"]
    ) -> Float[np.ndarray, "people joints 3"]:
        """Keypoints of the person in each box: x and y in pixels, and a score in [0, 1]."""
        ...


class RtmDetector:
    """People by YOLOX-tiny, their 26 Halpe keypoints by RTMPose-s.

    Args:
        detector_dir: folder of the two ONNX files; else they are looked for (`detector_weights`).
        box_score: the lowest score of a box, in [0, 1]. Low, so that small and back-lit people are found;
            tracking drops what is none.
        report: takes a line if weights are downloaded.

    Raises:
        InputError: rtmlib, ONNX Runtime or OpenCV cannot be imported, or the weights cannot be had.
    """

    keypoint_set: KeypointSetName = "halpe26"

    def __init__(
        self,
        detector_dir: Path | None = None,
        *,
        box_score: float = 0.3,
        report: MessageCallback = print_line,
    ) -> None:
        import_extra("onnxruntime", "video")  # rtmlib imports it only when it opens the weights
        rtmlib = import_extra("rtmlib", "video")
        weights = detector_weights(detector_dir, report)
        self._box_score = box_score
        with contextlib.redirect_stdout(io.StringIO()):  # rtmlib tells what it loads
            self._boxes = rtmlib.YOLOX(str(weights.boxes), model_input_size=(416, 416), backend="onnxruntime")
            self._pose = rtmlib.RTMPose(str(weights.pose), model_input_size=(192, 256), backend="onnxruntime")

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people 4"]:
        """Boxes around people, the surest first (see `Detector`)."""
        # Not by YOLOX's own call: it takes every box above 0.3 of these weights, which end in
        # the suppression of overlapping boxes, and does not tell the scores.
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
        # RGB, as RTMPose was trained; rtmlib's examples pass BGR, which costs a little accuracy.
        points, scores = self._pose(image, list(boxes))
        return np.concatenate([points, np.clip(scores, 0, 1)[..., None]], axis=-1).astype(np.float64)
