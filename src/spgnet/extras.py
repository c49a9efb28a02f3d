"""Libraries that come with an extra, imported where they are used."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

from spgnet.errors import InputError

_TITLES = {"PIL": "Pillow", "av": "PyAV", "cv2": "OpenCV", "gradio": "Gradio", "tensorboard": "TensorBoard"}
"""What libraries are called that are imported under another name."""
_HEADLESS = "pip install 'spgnet[video-headless]' and then pip install --no-deps rtmlib"


def import_extra(module: str, extra: str) -> ModuleType:
    """A module of an optional library.

    Args:
        module: such as ``av`` or ``PIL.Image``.
        extra: the extra of this package that brings it, such as ``video``.

    Raises:
        InputError: it cannot be imported; the message names the extra.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # recent versions of ONNX Runtime report to Microsoft
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(how_to_install(module, extra, error)) from None


def how_to_install(module: str, extra: str, error: ImportError | None = None) -> str:
    """One line that says which library is missing, why, and which extra brings it."""
    library = module.partition(".")[0]
    title = _TITLES.get(library, library)
    if error is not None and any(name in str(error) for name in ("libGL", "libgthread")):
        return (
            f"OpenCV cannot be loaded ({error}): this machine has no display libraries; remove opencv-python "
            f"and opencv-contrib-python (pip uninstall), then {_HEADLESS}"
        )
    absent = error is None or (isinstance(error, ModuleNotFoundError) and error.name in (library, module))
    reason = "" if absent else f" ({error})"
    # The detector's libraries ask for a build of OpenCV that needs a display.
    otherwise = f", or without a display: {_HEADLESS}" if library in ("rtmlib", "onnxruntime") else ""
    return f"{title} is missing{reason}; install it with: pip install 'spgnet[{extra}]'{otherwise}"
