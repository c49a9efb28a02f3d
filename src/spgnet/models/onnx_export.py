"""Networks on rays as ONNX files, for programs without PyTorch: phones, browsers, engines.

A file holds everything from rays to joints: the virtual camera, the encoders, the average with the mirrored
input and, for whole sequences, the repetition of the first and the last frame. Before it come a detector and
the camera (:meth:`spgnet.geometry.camera.Camera.image_to_ray`), after it nothing: the result is that of
:func:`spgnet.models.network.lift_sequence` or of :class:`spgnet.models.streaming.SequenceStream`. What the
numbers mean is in the file's metadata.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.errors import InputError
from spgnet.extras import import_extra
from spgnet.files import whole_file
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models.folded import FoldedEncoder
from spgnet.models.network import add_mirrored, average_mirrored
from spgnet.models.rays import PerspectiveCrop, RayNet, backproject, crop_to_person
from spgnet.models.streaming import StreamingNetwork
from spgnet.models.temporal import TemporalEncoder

OPSET = 18
"""Version of ONNX's operators; any onnxruntime since 1.14 knows it."""


def export_onnx(
    model: RayNet, path: Path, *, streaming: bool = False, flip: bool = True, fps: float = 30.0
) -> None:
    """Write a network as an ONNX file.

    For whole sequences, the input ``rays`` [frames, 17, 3] becomes the output ``joints`` [frames, 17, 3], for
    any number of frames. For streaming, ``rays`` [17, 3] of one frame and the inputs ``state_0``,
    ``state_1``, ... become ``joints`` [17, 3] and the outputs ``next_state_0``, ..., which are the states of
    the next frame. The first states are zeros; the first frame is passed ``warm_up`` times, and every call
    gives the joints of the frame ``lookahead`` frames before (both numbers are in the metadata).

    Args:
        model: in evaluation mode.
        path: the file, ``.onnx``.
        streaming: one frame at a time instead of whole sequences.
        flip: average with the result for the mirrored input, mirrored back: twice the time.
        fps: frames per second of what it will be used on; it decides which frames of a fast clip are used.

    Raises:
        InputError: the ``onnx`` extra is not installed, the name does not end in ``.onnx``, or the frame rate
            is not positive.
    """
    if path.suffix != ".onnx":
        raise InputError(f"{path}: expected a name that ends in .onnx")
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps must be positive, got {fps}")
    onnx = import_extra("onnx", "onnx")
    import_extra("onnxscript", "onnx")
    stride = model.stride(fps)
    kind = StreamingGraph if streaming else SequenceGraph
    graph = kind(model, flip=flip, stride=stride)
    with whole_file(path, ".onnx") as temporary:
        with _quiet():
            program = torch.onnx.export(
                graph.eval(), graph.example(), dynamo=True, verbose=False, **graph.names()
            )
        assert program is not None
        written = program.model_proto
        onnx.helper.set_model_props(written, metadata(model, graph, flip, stride))
        onnx.save(written, str(temporary))


def metadata(model: RayNet, graph: SequenceGraph | StreamingGraph, flip: bool, stride: int) -> dict[str, str]:
    """What a file's numbers mean, as text by name."""
    slow, fast = (rate * stride for rate in model.config.rates)
    values = {
        "rays": "x / z and y / z of the undistorted ray through each joint; 1 if it is visible, else 0",
        "joints": "metres, in the camera frame: x right, y down, z forward",
        "names": json.dumps(HUMAN36M.names),
        "parents": json.dumps(HUMAN36M.parents),
        "frames_per_second": f"{slow:g} to {fast:g}",
        "flip": str(flip),
    }
    if isinstance(graph, StreamingGraph):
        values |= {"lookahead": str(graph.lookahead), "warm_up": str(graph.warm_up)}
    return values


class SequenceGraph(nn.Module):
    """:func:`spgnet.models.network.lift_sequence` with a fixed ``stride``, as one graph."""

    def __init__(self, model: RayNet, *, flip: bool = True, stride: int = 1) -> None:
        super().__init__()
        self.flip, (self.before, self.after) = flip, (count * stride for count in model.context)
        assert isinstance(model.trajectory, TemporalEncoder)
        self.pose = FoldedEncoder(model.pose, stride)
        self.trajectory = FoldedEncoder(model.trajectory, stride)

    def example(self) -> tuple[Tensor]:
        """Input of the right kind."""
        return (_example_rays(5),)

    def names(self) -> dict[str, Any]:
        """Names of the inputs and outputs, and which dimensions may vary."""
        frames = torch.export.Dim("frames", min=1)
        return {
            "input_names": ["rays"],
            "output_names": ["joints"],
            "dynamic_shapes": ({0: frames},),
            "opset_version": OPSET,
        }

    def forward(self, rays: Float[Tensor, "frames 17 3"]) -> Float[Tensor, "frames 17 3"]:
        """Joints relative to the camera, in metres."""
        first, last = rays[:1].expand(self.before, -1, -1), rays[-1:].expand(self.after, -1, -1)
        crop = crop_to_person(add_mirrored(torch.cat((first, rays, last)), self.flip))
        pose, root = self.pose(crop.features), self.trajectory(crop.features)
        output_crop = PerspectiveCrop(*(x[:, self.before : x.shape[1] - self.after] for x in crop))
        return average_mirrored(backproject(pose, root, output_crop).joints, self.flip)


class StreamingGraph(StreamingNetwork):
    """A :class:`spgnet.models.streaming.StreamingNetwork` whose inputs and outputs have names."""

    def example(self) -> tuple[Tensor, list[Tensor]]:
        """Input of the right kind."""
        return (_example_rays(1)[0], self.first_states())

    def names(self) -> dict[str, Any]:
        """Names of the inputs and outputs."""
        numbers = range(len(self.first_states()))
        return {
            "input_names": ["rays", *(f"state_{number}" for number in numbers)],
            "output_names": ["joints", *(f"next_state_{number}" for number in numbers)],
            "opset_version": OPSET,
        }


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says about its own affairs."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _example_rays(frames: int) -> Tensor:
    return torch.cat(
        (torch.rand(frames, len(HUMAN36M), 2) - 0.5, torch.ones(frames, len(HUMAN36M), 1)), dim=-1
    )
