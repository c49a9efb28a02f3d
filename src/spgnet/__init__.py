"""From 2D human pose to 3D motion in metres.

>>> import spgnet
>>> motions = spgnet.lift("keypoints.npz")
>>> motions[0].export("walk.bvh")

For practitioners: ``lift`` (a video or 2D keypoints to 3D motion), ``Lifter`` and, frame by frame,
``StreamingLifter``; ``Motion``, ``Keypoints``, ``Camera``; ``load_motion``, ``load_keypoints``,
``load_camera``; ``opencv_camera`` (from what calibration tools give), ``export``, ``available_weights``.

For researchers: ``SPGNet`` and ``SPGNetConfig``, ``Skeleton``, ``losses``, ``metrics``; ``RECIPES`` and
``TrainConfig``, ``DataConfig``, ``load_training_data``, ``load_dataset``; ``train``, ``evaluate``.

For both: ``InputError``, raised for what a user can get wrong, and its base ``SpgnetError``.

Each is imported when it is first used, so that ``import spgnet`` and ``spgnet --help`` need neither NumPy nor
PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spgnet.errors import InputError, SpgnetError

if TYPE_CHECKING:
    from spgnet import metrics
    from spgnet.camera_files import load_camera
    from spgnet.capture.lift import lift
    from spgnet.data.config import DataConfig
    from spgnet.data.sources import load_dataset, load_training_data
    from spgnet.evaluation import evaluate
    from spgnet.export import export
    from spgnet.geometry.camera import Camera, opencv_camera
    from spgnet.geometry.skeleton import Skeleton
    from spgnet.keypoints import Keypoints, load_keypoints
    from spgnet.lifting import Lifter, Motion, StreamingLifter, load_motion
    from spgnet.lifting.weights import available_weights
    from spgnet.models import SPGNet, SPGNetConfig
    from spgnet.training import losses
    from spgnet.training.loop import train
    from spgnet.training.recipes import RECIPES, TrainConfig

__version__ = "1.0.0.dev0"

__all__ = [
    "RECIPES",
    "Camera",
    "DataConfig",
    "InputError",
    "Keypoints",
    "Lifter",
    "Motion",
    "SPGNet",
    "SPGNetConfig",
    "Skeleton",
    "SpgnetError",
    "StreamingLifter",
    "TrainConfig",
    "available_weights",
    "evaluate",
    "export",
    "lift",
    "load_camera",
    "load_dataset",
    "load_keypoints",
    "load_motion",
    "load_training_data",
    "losses",
    "metrics",
    "opencv_camera",
    "train",
]

_MODULE_OF = {
    "Camera": "spgnet.geometry.camera",
    "DataConfig": "spgnet.data.config",
    "Keypoints": "spgnet.keypoints",
    "Lifter": "spgnet.lifting",
    "Motion": "spgnet.lifting",
    "SPGNet": "spgnet.models",
    "SPGNetConfig": "spgnet.models",
    "Skeleton": "spgnet.geometry.skeleton",
    "StreamingLifter": "spgnet.lifting",
    "RECIPES": "spgnet.training.recipes",
    "TrainConfig": "spgnet.training.recipes",
    "available_weights": "spgnet.lifting.weights",
    "evaluate": "spgnet.evaluation",
    "lift": "spgnet.capture.lift",
    "load_camera": "spgnet.camera_files",
    "load_dataset": "spgnet.data.sources",
    "load_keypoints": "spgnet.keypoints",
    "load_motion": "spgnet.lifting",
    "load_training_data": "spgnet.data.sources",
    "opencv_camera": "spgnet.geometry.camera",
    "train": "spgnet.training.loop",
}
"""Where each public name is defined."""

_MODULES = {"export": "spgnet.export", "losses": "spgnet.training.losses", "metrics": "spgnet.metrics"}
"""Public names that are modules; ``spgnet.export`` can be called as well."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = import_module(_MODULES[name])
    elif name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module 'spgnet' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
