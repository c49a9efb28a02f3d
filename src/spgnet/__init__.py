"""From 2D human pose to 3D motion in metres.

>>> import spgnet
>>> motions = spgnet.lift("keypoints.npz")
>>> motions[0].export("walk.bvh")

The names below are the public ones. Each is imported when it is first used, so that ``import spgnet`` and
``spgnet --help`` need neither NumPy nor PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spgnet.errors import InputError, SpgnetError

if TYPE_CHECKING:
    from spgnet import metrics
    from spgnet.camera_files import load_camera
    from spgnet.capture.lift import lift
    from spgnet.evaluation import evaluate
    from spgnet.export import export
    from spgnet.geometry.camera import Camera
    from spgnet.geometry.skeleton import Skeleton
    from spgnet.keypoints import Keypoints, load_keypoints
    from spgnet.lifting import Lifter, Motion, StreamingLifter, load_motion
    from spgnet.lifting.weights import available_weights
    from spgnet.models import SPGNet, SPGNetConfig
    from spgnet.training import losses
    from spgnet.training.loop import train

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "InputError",
    "Keypoints",
    "Lifter",
    "Motion",
    "SPGNet",
    "SPGNetConfig",
    "Skeleton",
    "SpgnetError",
    "StreamingLifter",
    "available_weights",
    "evaluate",
    "export",
    "lift",
    "load_camera",
    "load_keypoints",
    "load_motion",
    "losses",
    "metrics",
    "train",
]

_MODULE_OF = {
    "Camera": "spgnet.geometry.camera",
    "Keypoints": "spgnet.keypoints",
    "Lifter": "spgnet.lifting",
    "Motion": "spgnet.lifting",
    "SPGNet": "spgnet.models",
    "SPGNetConfig": "spgnet.models",
    "Skeleton": "spgnet.geometry.skeleton",
    "StreamingLifter": "spgnet.lifting",
    "available_weights": "spgnet.lifting.weights",
    "evaluate": "spgnet.evaluation",
    "lift": "spgnet.capture.lift",
    "load_camera": "spgnet.camera_files",
    "load_keypoints": "spgnet.keypoints",
    "load_motion": "spgnet.lifting",
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
