"""A motion as one web page: a file that needs no network, with its data, styles and code inside."""

from __future__ import annotations

import base64
import html
import json
import re
import tempfile
import webbrowser
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from spgnet.errors import InputError
from spgnet.extras import import_extra
from spgnet.files import write_text
from spgnet.geometry.camera import have_same_shape
from spgnet.lifting.motion import Motion, common_skeleton
from spgnet.video import FrameSource
from spgnet.view.palette import DARK, LIGHT, Palette
from spgnet.view.timeline import common_timeline, floor_height, person_numbers

_SCRIPTS = ("page_data.js", "page_lens.js", "page_scene.js", "page_panel.js", "page_input.js", "page.js")
_JPEG_QUALITY = 72
_NO_ANGLE = -32768
"""Stands in the packed angles, which are tenths of a degree, where an angle cannot be seen. page_data.js has
the same number."""
_AROUND = 1.0
"""Seconds before the first and after the last moment of a motion from which a video's images are taken."""


@dataclass(frozen=True)
class ImageBudget:
    """How many of a video's images a page keeps, and how large.

    Args:
        size: the longer side of an image in pixels, at most.
        per_second: images per second at most.
        megabytes: what all images may take in the page; fewer per second are kept to fit.
    """

    size: int = 480
    per_second: float = 10.0
    megabytes: float = 24.0


def write_page(
    path: Path,
    motions: Sequence[Motion],
    *,
    title: str = "Motion",
    images: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]] | None = None,
    budget: ImageBudget | None = None,
) -> None:
    """Write a page that shows motions in 3D, whole or not at all. Browsers open it without a server.

    Args:
        path: the HTML file.
        motions: the people of one clip, in one world.
        title: stands above the motion.
        images: as in :func:`page_html`, like ``budget``.

    Raises:
        InputError: as :func:`page_html`.
        OSError: it cannot be written.
    """
    write_text(path, page_html(motions, title=title, images=images, budget=budget))


def open_page(motions: Sequence[Motion], *, title: str = "Motion") -> Path:
    """Write the page to a temporary file, open it in the browser, and return at once.

    Args:
        motions: the people of one clip, in one world.
        title: stands above the motion.

    Returns:
        The file. It is not removed, as browsers read it later; the system clears its temporary folder.

    Raises:
        InputError: as :func:`page_html`.
        OSError: it cannot be written.
    """
    path = Path(tempfile.mkdtemp(prefix="spgnet-")) / "motion.html"
    write_page(path, motions, title=title)
    webbrowser.open(path.as_uri())
    return path


def page_html(
    motions: Sequence[Motion],
    *,
    title: str = "Motion",
    images: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]] | None = None,
    budget: ImageBudget | None = None,
) -> str:
    """The page that shows motions in 3D.

    An hour of one person at 30 frames per second takes about 22 MB, and with uncertainties 2 to 4 MB more.
    Positions and uncertainties are kept to a millimetre, pixels to a tenth, angles to a tenth of a degree.

    Args:
        motions: the people of one clip, in one world.
        title: stands above the motion.
        images: frames of the video, to be shown with the motion: the time in seconds and the RGB image, in
            order of time. They may come from a generator; not all are kept.
        budget: how many images to keep, and how large; by default 10 per second, 24 MB.

    Raises:
        InputError: there is no motion, or one that cannot be shown (not finite), or images are given and
            OpenCV is missing.
    """
    data = _describe(motions, title)
    encoded: list[str] = []
    if images is not None:
        kept = compress_images(images, budget or ImageBudget())
        data["images"] = [round(time, 4) for time, _ in kept]
        encoded = [base64.b64encode(jpeg).decode() for _, jpeg in kept]
    parts = {
        "title": html.escape(title),
        "css": _palette_css() + _resource("page.css"),
        "script": "\n".join(_resource(name) for name in _SCRIPTS),
        "data": _script_json(data),
        "pictures": _script_json(encoded),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("page.html"))


def _describe(motions: Sequence[Motion], title: str) -> dict[str, Any]:
    """All that the page knows, apart from images."""
    timeline = common_timeline(motions)
    motions = common_skeleton(motions)
    skeleton = motions[0].skeleton
    cameras = [_camera(motion) for motion in motions]
    distinct = [camera for i, camera in enumerate(cameras) if camera not in cameras[:i]]
    start = round(float(timeline.times[0]), 4)  # may be seconds since 1970, too many for the packed numbers
    return {
        "title": title,
        "start": start,
        "times": _pack(np.rint((timeline.times - start) * 1e4)),
        "fps": round(timeline.fps, 3),
        "floor": floor_height(motions),
        "names": skeleton.names,
        "parents": skeleton.parents,
        "angles": _angle_charts(list(motions[0].joint_angles())),
        "cameras": distinct,
        "people": [
            _person(motion, frames) | {"track": number, "camera": distinct.index(camera)}
            for motion, frames, number, camera in zip(
                motions, timeline.frames, person_numbers(motions), cameras, strict=True
            )
        ],
        "warnings": _warnings(motions),
        "images": [],
    }


def _angle_charts(names: Sequence[str]) -> list[dict[str, Any]]:
    """The angles of which a chart can be shown, both sides of a pair in one. Knee flexion comes first."""
    charts: dict[str, dict[str, int]] = {}
    for column, name in enumerate(names):
        side, _, angle = name.partition("_")
        if side not in ("left", "right"):
            side, angle = "middle", name
        charts.setdefault(angle, {})[side] = column
    first = {"knee_flexion": charts["knee_flexion"]}
    return [
        {"name": name.replace("_", " ").capitalize(), "columns": columns}
        for name, columns in (first | charts).items()
    ]


def _warnings(motions: Sequence[Motion]) -> list[str]:
    """What is wrong with the motions, a sentence each; with the person's number if there are several."""
    return [
        line if len(motions) == 1 else f"Person {number}: {line}"
        for motion, number in zip(motions, person_numbers(motions), strict=True)
        if motion.quality is not None
        for line in motion.quality.warnings()
    ]


def _person(motion: Motion, frames: Int[np.ndarray, " moments"]) -> dict[str, Any]:
    """One person's data; ``frames`` is their row of the timeline."""
    deviations = motion.joint_angle_uncertainty()
    return {
        "weights": motion.weights,
        "at": _pack(frames),
        "joints": _pack(np.rint(motion.world.reshape(len(motion), -1) * 1e3)),
        "confidence": _pack(np.rint(motion.confidence.clip(0, 1) * 100)),
        "pixels": _pack(np.rint(motion.pixels.clip(-1e5, 1e5).reshape(len(motion), -1) * 10)),
        "angles": _pack_angles(motion.joint_angles()),
        "angle_errors": None if deviations is None else _pack_angles(deviations),
        "contacts": None if motion.foot_contact is None else _pack(motion.foot_contact),
        "uncertainty": None if motion.uncertainty is None else _pack(np.rint(motion.uncertainty * 1e3)),
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
        "fisheye": camera.convention == "fisheye",
        "rotation": numbers(camera.rotation),
        "position": numbers(camera.position),
        "size": numbers(camera.image_size),
        "calibrated": camera.extrinsics_known,
        "source": motion.camera_source,
    }


def _pack_angles(angles: Mapping[str, Float[np.ndarray, " frames"]]) -> str:
    """Angles in degrees, a column each, as tenths of a degree."""
    tenths = 10 * np.stack(list(angles.values()), axis=1)
    return _pack(np.rint(np.nan_to_num(tenths, nan=_NO_ANGLE)))


def _pack(values: np.ndarray) -> str:
    """Whole numbers as base64 of deflated little-endian int32: the first row, then differences of rows."""
    rows = values.astype(np.int64)
    return base64.b64encode(zlib.compress(np.diff(rows, axis=0, prepend=0).astype("<i4").tobytes())).decode()


def _script_json(value: Any) -> str:
    """JSON in which no string can end the script element that holds it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _palette_css() -> str:
    """The colors of sides and people as variables of the style sheet, for both color schemes."""
    light, dark = _css_variables(LIGHT), _css_variables(DARK)
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def _css_variables(palette: Palette) -> str:
    named = {"left": palette.left, "right": palette.right}
    named |= {f"p{number}": color for number, color in enumerate((palette.middle, *palette.people))}
    return " ".join(f"--{name}: #{bytes(color).hex()};" for name, color in named.items())


def _resource(name: str) -> str:
    return files("spgnet.view").joinpath(name).read_text(encoding="utf-8")


def video_images(
    video: FrameSource, motions: Sequence[Motion]
) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
    """The images of a video around the time of motions, with their times in seconds.

    Args:
        video: what the motions were lifted from; its times and theirs have the same zero.
        motions: the people of one clip.

    Raises:
        InputError: the video cannot be read.
    """
    first = min(motion.timestamps[0] for motion in motions) - _AROUND
    last = max(motion.timestamps[-1] for motion in motions) + _AROUND
    return ((frame.time, frame.image) for frame in video if first <= frame.time <= last)


def check_same_clip(video: FrameSource, motions: Sequence[Motion]) -> None:
    """Make sure that motions can have been lifted from a video: by the aspect ratio of its images.

    Raises:
        InputError: it differs from that of a motion's camera by more than 2 %.
    """
    width, height = video.image_size
    for motion in motions:
        camera_width, camera_height = (int(side) for side in motion.camera.image_size.tolist())
        if not have_same_shape((width, height), (camera_width, camera_height)):
            raise InputError(
                f"{video.name}: its pictures are {width} x {height} and those of the motion's camera "
                f"{camera_width} x {camera_height}, other proportions; expected the video that the motion "
                "was lifted from"
            )


def compress_images(
    images: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]], budget: ImageBudget
) -> list[tuple[float, bytes]]:
    """Times and JPEG files of images that fit the budget: every second one goes whenever they do not.

    Raises:
        InputError: OpenCV is missing.
    """
    kept: list[tuple[float, bytes]] = []
    interval, used = 1 / budget.per_second, 0
    for time, image in images:
        if kept and time < kept[-1][0] + interval - 1e-3:
            continue
        kept.append((float(time), _jpeg(image, budget.size)))
        used += len(kept[-1][1])
        while used * 4 / 3 > budget.megabytes * 1e6 and len(kept) > 1:  # base64 takes 4 letters for 3 bytes
            kept, interval = kept[::2], 2 * interval
            used = sum(len(jpeg) for _, jpeg in kept)
    return kept


def _jpeg(image: UInt8[np.ndarray, "height width 3"], size: int) -> bytes:
    """An RGB image as a JPEG file, its longer side ``size`` pixels or less."""
    cv2 = import_extra("cv2", "video")
    height, width = image.shape[:2]
    scale = min(1.0, size / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", resized[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert done
    return data.tobytes()
