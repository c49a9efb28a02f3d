"""VideoPose3D (Pavllo et al., CVPR 2019): its network, and the reader of its authors' own checkpoints.

The network is SPGNet's. What differs is the input and output: their coordinates have their origin in the
middle of the image; weights without a trajectory are common; and some predict HumanEva's joints or take
COCO's keypoints. :func:`load_videopose3d` reads the weights.

Such a file is a pickled dictionary of weights (``model_pos``, and ``model_traj`` after semi-supervised
training), the optimizer's state and NumPy's random state. PyTorch's loader for weights reads it, which
creates only tensors and plain containers. The parts of the random state are replaced by an inert stand-in,
and any other name is refused. Both of PyTorch's formats are read, the old one and the one in a zip archive.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spgnet.errors import InputError, one_line, prefix_errors
from spgnet.files import check_unpacked
from spgnet.geometry.skeleton import human36m_of_humaneva
from spgnet.models.network import LiftedPose, LiftingNetwork, root_relative
from spgnet.models.spgnet import SPGNetConfig
from spgnet.models.temporal import TemporalEncoder

InputJoints = Literal["human36m17", "coco17"]
OutputJoints = Literal["human36m17", "humaneva15"]
INPUT_JOINTS = 17
"""Joints of the input, in either order."""
OUTPUT_JOINTS: dict[OutputJoints, int] = {"human36m17": 17, "humaneva15": 15}
"""How many joints the network puts out, by the name of their order."""


@dataclass(frozen=True)
class VideoPose3DConfig(SPGNetConfig):
    """SPGNet's network on VideoPose3D's coordinates, for weights of that project."""

    trajectory: bool = True
    """Predict where the person is; without, it can be evaluated and not trained."""
    keypoints: InputJoints = "human36m17"
    """Order of the input joints. COCO's have other mirror joints, so such input must not be mirrored by
    ``Skeleton.flip``, and Human3.6M's joints are no substitute for it."""
    joints: OutputJoints = "human36m17"
    """What the pose encoder puts out. HumanEva's joints become Human3.6M's, the two that are missing (spine
    and nose) halfway between their neighbours."""


class NoTrajectory(nn.Module):
    """Takes the place of a missing trajectory encoder: every root is at the camera's centre."""

    def __init__(self, receptive_field: int) -> None:
        super().__init__()
        self.receptive_field = receptive_field

    def forward(
        self, x: Float[Tensor, "batch frames inputs"], *, dense: bool = False
    ) -> Float[Tensor, "batch kept 3"]:
        """Zeros."""
        return x.new_zeros(len(x), x.shape[1] - self.receptive_field + 1, 3)


class VideoPose3D(LiftingNetwork):
    """VideoPose3D's network, on its own coordinates with the middle of the image as origin.

    See :class:`VideoPose3DConfig` for its size and :class:`LiftingNetwork` for how it is called.

    Attributes:
        config: its configuration.
        has_trajectory: whether the root is predicted. Without, it is zero.
        root_as_predicted: whether the pose keeps the root that the network predicts for it.
    """

    input_space = "image"
    as_human36m: Tensor

    def __init__(self, config: VideoPose3DConfig, *, root_as_predicted: bool = False) -> None:
        super().__init__()
        self.config, self.has_trajectory = config, config.trajectory
        self.root_as_predicted = root_as_predicted
        self.receptive_field, self.context = config.receptive_field, config.context
        shared = {"filter_widths": config.filter_widths, "dropout": config.dropout, "causal": config.causal}
        inputs, outputs = 2 * INPUT_JOINTS, 3 * OUTPUT_JOINTS[config.joints]
        self.pose = TemporalEncoder(inputs, outputs, channels=config.channels, **shared)
        self.trajectory = (
            TemporalEncoder(inputs, 3, channels=config.trajectory_channels, **shared)
            if config.trajectory
            else NoTrajectory(config.receptive_field)
        )
        weights = torch.from_numpy(human36m_of_humaneva()).float()
        self.register_buffer("as_human36m", weights, persistent=False)

    def forward(self, keypoints_2d: Float[Tensor, "batch frames 17 2"], *, dense: bool = False) -> LiftedPose:
        """Lift joints in VideoPose3D's coordinates, window by window or densely."""
        features = keypoints_2d.flatten(2)
        pose, root = self.pose(features, dense=dense), self.trajectory(features, dense=dense)
        if self.config.joints == "humaneva15":
            pose = (self.as_human36m @ pose.unflatten(-1, (-1, 3))).flatten(2)
        joints = pose.unflatten(-1, (-1, 3)) if self.root_as_predicted else root_relative(pose)
        return LiftedPose(joints, root.unsqueeze(-2))

    def init_root_bias(self, root: Float[Tensor, " 3"]) -> None:
        """Make a fresh network predict roots near this point, in metres, in the camera frame.

        Raises:
            InputError: the network has no trajectory.
        """
        if not self.has_trajectory:
            raise InputError("a network without a trajectory cannot be trained here, only evaluated")
        super().init_root_bias(root)


_Weights = dict[str, Tensor]


class _Ignored:
    """Takes the place of objects that are not needed: accepts anything, keeps nothing, does nothing."""

    def __new__(cls, *_: Any) -> _Ignored:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass


_IGNORED = (
    "numpy.random.__RandomState_ctor",  # until NumPy 1.16
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._mt19937.MT19937",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
)
"""The names in a pickled ``RandomState``, of all versions of NumPy."""


def load_videopose3d(
    path: Path | str,
    *,
    causal: bool = False,
    keypoints: InputJoints = "human36m17",
    root_as_predicted: bool = False,
) -> VideoPose3D:
    """The network of a checkpoint of VideoPose3D, in evaluation mode.

    The size is that of the weights. Networks of the project's ``--dense`` ablation are not told apart, and
    come out wrong.

    Args:
        path: such as ``pretrained_h36m_cpn.bin``.
        causal: whether it was trained with ``--causal``, which the file does not say.
        keypoints: the order of the 2D joints it was trained on, which the file does not say either:
            ``"coco17"`` for the detections by Detectron without fine-tuning.
        root_as_predicted: keep the root that the network predicts for the pose, whose error VideoPose3D's
            evaluation counts, and leave out the trajectory.

    Raises:
        InputError: the file is missing or damaged, names what no weights need, or holds no such network.
            Nothing that it names has been run.
    """
    with prefix_errors(path):
        checkpoint = _read_checkpoint(Path(path))
        pose, trajectory = (_weights(path, checkpoint, key) for key in ("model_pos", "model_traj"))
        if root_as_predicted:
            trajectory = None
        if pose is None:
            raise InputError(f"{path}: holds no model_pos, the weights of VideoPose3D's network")
        config = _config(path, pose, trajectory, causal, keypoints)
        with torch.device("meta"):  # shapes without memory
            shapes = VideoPose3D(config)
        _converted(shapes.pose, pose)
        if trajectory is not None:
            _converted(shapes.trajectory, trajectory)
        model = VideoPose3D(config, root_as_predicted=root_as_predicted)
        model.pose.load_state_dict(_converted(model.pose, pose))
        if trajectory is not None:
            model.trajectory.load_state_dict(_converted(model.trajectory, trajectory))
        return model.eval()


def _read_checkpoint(path: Path) -> dict[Any, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        if zipfile.is_zipfile(path):
            check_unpacked(path)
        with torch.serialization.safe_globals([(_Ignored, name) for name in _IGNORED]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # torch.load promises none in particular
        named = re.search(r"GLOBAL (\S+)", str(error))
        fault = f"names {named[1]}, which no weights need" if named else one_line(error)
        raise InputError(f"{path}: not a checkpoint of VideoPose3D: {fault}; nothing was run") from None
    if not isinstance(checkpoint, dict):
        raise InputError(f"{path}: holds a {type(checkpoint).__name__}, expected a dictionary of weights")
    return checkpoint


def _weights(path: Path | str, checkpoint: dict[Any, Any], key: str) -> _Weights | None:
    weights = checkpoint.get(key)
    if weights is None:
        return None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise InputError(f"{path}: {key} is not a dictionary of tensors by their names")
    size = sum(value.numel() * value.element_size() for value in weights.values())
    if size > Path(path).stat().st_size:  # views of one number, as large as they like
        raise InputError(f"{path}: {key} has {size} bytes of weights, more than the file")
    errors = [f"lacks {name}" for name in ("expand_conv.weight", "shrink.weight") if name not in weights]
    flat = [name for name in _convolutions(weights) if weights[name].ndim != 3]
    errors += [f"has {name} of {weights[name].ndim} dimensions, expected 3" for name in flat]
    broken = [name for name, value in weights.items() if not bool(value.isfinite().all())]
    errors += [f"has NaN or infinity in {name}" for name in broken]
    if errors:
        raise InputError(f"{path}: {key} {', '.join(errors)}")
    return weights


def _convolutions(weights: _Weights) -> list[str]:
    """Names of the convolutions over time and of the output layer."""
    dilated = [f"layers_conv.{2 * i}.weight" for i in range(len(weights))]
    return [name for name in ("expand_conv.weight", *dilated, "shrink.weight") if name in weights]


def _config(
    path: Path | str,
    pose: _Weights,
    trajectory: _Weights | None,
    causal: bool,
    keypoints: InputJoints,
) -> VideoPose3DConfig:
    """The network that the shapes of the weights describe."""
    channels, inputs, _ = pose["expand_conv.weight"].shape
    outputs = len(pose["shrink.weight"])
    joints: dict[int, OutputJoints] = {3 * count: order for order, count in OUTPUT_JOINTS.items()}
    errors = []
    if inputs != 2 * INPUT_JOINTS:
        errors.append(f"takes {inputs} numbers a frame, expected {2 * INPUT_JOINTS} (17 joints)")
    if outputs not in joints:
        expected = " or ".join(map(str, joints))
        errors.append(f"puts out {outputs} numbers a frame, expected {expected} (17 or 15 joints)")
    if errors:
        raise InputError(f"{path}: the network {' and '.join(errors)}")
    with prefix_errors(path):
        return VideoPose3DConfig(
            filter_widths=tuple(pose[name].shape[2] for name in _convolutions(pose)[:-1]),
            channels=channels,
            trajectory_channels=channels if trajectory is None else len(trajectory["expand_conv.weight"]),
            causal=causal,
            trajectory=trajectory is not None,
            keypoints=keypoints,
            joints=joints[outputs],
        )


def _converted(encoder: torch.nn.Module, weights: _Weights) -> _Weights:
    """Weights under our names and in our shapes.

    Raises:
        InputError: they are not those of the encoder.
    """
    ours = {_our_name(name): _our_shape(name, value) for name, value in weights.items()}
    own = encoder.state_dict()
    for name, value in own.items():
        if name.endswith("num_batches_tracked"):  # which PyTorch 0.4.0 did not count
            ours.setdefault(name, value)
    odd = sorted(ours.keys() ^ own.keys()) or [name for name in own if own[name].shape != ours[name].shape]
    if odd:
        raise InputError(
            f"weights that do not make VideoPose3D's network: {odd[0][:60]} is missing, unknown, or of "
            "another shape"
        )
    return ours


def _our_name(name: str) -> str:
    """The name of one of their weights in :class:`~spgnet.models.temporal.TemporalEncoder`."""
    module, _, rest = name.partition(".")
    ends = {"expand_conv": "input_block.linear", "expand_bn": "input_block.norm", "shrink": "head"}
    if module in ends:
        return f"{ends[module]}.{rest}"
    number, _, rest = rest.partition(".")
    part = {"layers_conv": "linear", "layers_bn": "norm"}.get(module)
    if part is None or not re.fullmatch("[0-9]{1,4}", number):
        return name
    block, pointwise = divmod(int(number), 2)
    return f"blocks.{block}.{'pointwise' if pointwise else 'dilated'}.{part}.{rest}"


def _our_shape(name: str, value: Tensor) -> Tensor:
    """A convolution's [out, in, width] as a linear map of its taps, side by side: [out, width * in]."""
    return value.transpose(1, 2).flatten(1) if "bn" not in name and value.ndim == 3 else value
