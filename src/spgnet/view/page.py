"""A motion as one web page: a file that needs no network, with its data, styles and code inside."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from spgnet.extras import import_extra
from spgnet.files import write_text
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion
from spgnet.view.stage import common_clock, floor_height, person_numbers

_SCRIPTS = ("page_data.js", "page_lens.js", "page_scene.js", "page_panel.js", "page_input.js", "page.js")


def write_page(
    path: Path,
    motions: Sequence[Motion],
    *,
    title: str = "Motion",
    images: Iterable[tuple[float, np.ndarray]] | None = None,
    image_size: int = 480,
    images_per_second: float = 10.0,
    image_megabytes: float = 24.0,
) -> None:
    """Write a page that shows motions in 3D, whole or not at all. Browsers open it without a server.

    An hour of one person at 30 frames per second takes about 18 MB. Positions are kept to a millimetre,
    pixels to a tenth.

    Args:
        path: the HTML file.
        motions: the people of one clip, in one world.
        title: stands above the motion.
        images: frames of the video, if it shall be shown: the time in seconds and the RGB image [height,
            width, 3] of bytes, in order. They may come from a generator; not all are kept.
        image_size: the longer side of the kept images, in pixels.
        images_per_second: how many images to keep at most.
        image_megabytes: how much the images may take in the file; fewer per second are kept to fit.

    Raises:
        InputError: there is no motion, or one that cannot be shown (not finite, time does not increase), or
            images are given and OpenCV is missing.
        OSError: it cannot be written.
    """
    data = _describe(motions, title)
    pictures: list[str] = []
    if images is not None:
        kept = compress_images(images, image_size, images_per_second, image_megabytes)
        data["images"] = [round(time, 4) for time, _ in kept]
        pictures = [base64.b64encode(jpeg).decode() for _, jpeg in kept]
    parts = {
        "title": html.escape(title),
        "css": _resource("page.css"),
        "script": "\n".join(_resource(name) for name in _SCRIPTS),
        "data": _script_json(data),
        "pictures": _script_json(pictures),
    }
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("page.html"))
    write_text(path, text)


def _describe(motions: Sequence[Motion], title: str) -> dict[str, Any]:
    """All that the page knows, apart from images."""
    clock = common_clock(motions)
    cameras = [_camera(motion) for motion in motions]
    distinct = [camera for i, camera in enumerate(cameras) if camera not in cameras[:i]]
    return {
        "title": title,
        "times": _pack(np.rint(clock.times * 1e4)),
        "fps": round(clock.fps, 3),
        "floor": floor_height(motions),
        "names": HUMAN36M.names,
        "parents": HUMAN36M.parents,
        "cameras": distinct,
        "people": [
            _person(motion, frames) | {"track": number, "camera": distinct.index(camera)}
            for motion, frames, number, camera in zip(
                motions, clock.frames, person_numbers(motions), cameras, strict=True
            )
        ],
        "images": [],
    }


def _person(motion: Motion, frames: Int[np.ndarray, " moments"]) -> dict[str, Any]:
    return {
        "weights": motion.weights,
        "at": _pack(frames),
        "joints": _pack(np.rint(motion.world.reshape(len(motion), -1) * 1e3)),
        "confidence": _pack(np.rint(motion.confidence.clip(0, 1) * 100)),
        "pixels": _pack(np.rint(motion.pixels.clip(-1e5, 1e5).reshape(len(motion), -1) * 10)),
    }


def _camera(motion: Motion) -> dict[str, Any]:
    camera = motion.camera

    def numbers(value: Tensor) -> list[float]:
        return [round(number, 7) for number in value.flatten().tolist()]

    return {
        "focal": numbers(camera.focal),
        "center": numbers(camera.center),
        "radial": numbers(camera.radial),
        "tangential": numbers(camera.tangential),
        "rotation": numbers(camera.rotation),
        "position": numbers(camera.position),
        "size": numbers(camera.image_size),
        "source": motion.camera_source,
    }


def _pack(values: np.ndarray) -> str:
    """Whole numbers as base64 of deflated little-endian int32: the first row, then differences of rows."""
    rows = values.astype(np.int64)
    return base64.b64encode(zlib.compress(np.diff(rows, axis=0, prepend=0).astype("<i4").tobytes())).decode()


def compress_images(
    images: Iterable[tuple[float, np.ndarray]], size: int, rate: float, megabytes: float
) -> list[tuple[float, bytes]]:
    """Times and JPEG files of images that fit the budget: every second one goes whenever they do not."""
    kept: list[tuple[float, bytes]] = []
    interval, used = 1 / rate, 0
    for time, image in images:
        if kept and time < kept[-1][0] + interval - 1e-3:
            continue
        kept.append((float(time), _jpeg(image, size)))
        used += len(kept[-1][1])
        while used * 4 / 3 > megabytes * 1e6 and len(kept) > 1:
            kept, interval = kept[::2], 2 * interval
            used = sum(len(jpeg) for _, jpeg in kept)
    return kept


def _jpeg(image: np.ndarray, size: int) -> bytes:
    cv2 = import_extra("cv2", "video")
    height, width = image.shape[:2]
    scale = min(1.0, size / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", resized[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 72])
    assert done
    return data.tobytes()


def _script_json(value: Any) -> str:
    """JSON that no string in it can end the script element that holds it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _resource(name: str) -> str:
    return files("spgnet.view").joinpath(name).read_text(encoding="utf-8")
