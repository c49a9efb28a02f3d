"""What the app says: results, warnings and progress in plain words, with its controls in place of flags."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spgnet.app.jobs import Progress
from spgnet.batch import Outcome, State
from spgnet.camera_files import IntrinsicsSource
from spgnet.capture.run import missing_parts, path_length
from spgnet.errors import InputError
from spgnet.lifting import Motion

_CONTROLS = (
    (r"try --rotate 90\b", 'choose "a quarter turn clockwise" under Turn the picture'),
    (r"try --rotate 180\b", 'choose "upside down" under Turn the picture'),
    (r"try --rotate 270\b", 'choose "a quarter turn counter-clockwise" under Turn the picture'),
    (r" \(--force, force=True: lift all the same\)", ""),
    (r"--?keypoint[-_]set\b", "Keypoint set"),
    (r"--?image[-_]size\b", "Size of the picture"),
    (r"--?camera[-_]name\b", "Name of the camera"),
    (r"--camera\b", "Camera file"),
    (r"--height\b", "Height"),
    (r"--fps\b", "True frame rate"),
    (r"--?field[-_]of[-_]view\b", "Field of view"),
    (r"\bkeypoint_set\b", "Keypoint set"),
    (r"\bimage_size\b", "Size of the picture"),
    (r"\bcamera_name\b", "Name of the camera"),
    (r"\bheight is of one person; choose one by person\b", "the height is that of one person: choose one"),
)
"""What messages call the options of the command line, and what the app calls them."""

STAGES = {
    "": "Starting",
    "starting": "Starting",
    "stopping": "Stopping",
    "detecting": "Looking for people in the video",
    "making pictures of the people": "Making pictures of the people",
    "preparing the detector": "Getting ready; the first time, what finds people is downloaded (45 MB)",
    "lifting": "Working out the 3D motion",
    "lifting the folder": "Working on the folder",
    "refining": "Fitting the motion to the picture and the floor",
    "adding feet": "Working out the feet",
    "writing files": "Writing the files",
    "writing the page": "Writing the 3D page",
    "drawing the overlay": "Drawing the overlay video",
}
"""What the app calls what a job does."""

FILES = (
    ("bvh", "BVH", "Blender, Maya, MotionBuilder, Cinema 4D"),
    ("glb", "glTF, one file (GLB)", "Blender, Unity, Godot, 3D viewers"),
    ("gltf", "glTF, as text", "web viewers"),
    ("csv", "Table (CSV)", "Excel and other spreadsheets: positions and joint angles"),
    ("mot", "Joint angles (MOT)", "OpenSim"),
    ("sto", "Joint angles (STO)", "OpenSim"),
    ("trc", "Markers (TRC)", "OpenSim, Pose2Sim"),
    ("c3d", "Markers (C3D)", "biomechanics software"),
    ("json", "JSON", "programs of your own"),
    ("npz", "NumPy (NPZ)", "Python; spgnet opens it again"),
    ("html", "3D page", "any browser, without a network"),
    ("mp4", "Overlay video", "any player"),
)
"""Suffixes of the files of a result, what they are called and what they are for, in the order of the list."""


def plain(message: str, uploads: Path | None = None) -> str:
    """A message for the page: without the folders of the uploads, and with the app's words for options."""
    if uploads is not None:
        message = re.sub(rf"{re.escape(str(uploads))}[/\\][^/\\]+[/\\]", "", message)
    for pattern, words in _CONTROLS:
        message = re.sub(pattern, words, message)
    first = message.partition(" ")[0]
    return message[:1].upper() + message[1:] if first.isalpha() else message  # and not a file's name


def is_disk_full(error: Exception) -> bool:
    """Whether there is no room for a file."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def describe_error(error: Exception, title: str = "", uploads: Path | None = None) -> str:
    """An error for the page.

    Args:
        error: of the input, or of the system.
        title: the file that it is about, which is named unless the message does it.
        uploads: the folder of the files that were dropped, which is left out.
    """
    if is_disk_full(error):
        line = "the disk is full: make room and try again"
    elif isinstance(error, OSError) and error.strerror:
        line = ": ".join(filter(None, [error.filename and str(error.filename), error.strerror.lower()]))
    else:
        line = " ".join(str(error).split())
    return plain(line if not title or title in line else f"{title}: {line}", uploads)


def describe_outcomes(outcomes: Sequence[Outcome]) -> list[str]:
    """What became of a folder, a line each: how many files have results, and why the others failed."""
    earlier = sum(outcome.state is State.UNCHANGED for outcome in outcomes)
    errors = [(Path(each.input), each.error) for each in outcomes if each.error]
    done = f"{len(outcomes) - len(errors)} of {len(outcomes)} files are done"
    before = f" ({earlier} of them before)" if earlier else ""
    return [
        f"{done}{before}; see the earlier results below.",
        *(plain(error.replace(str(path), path.name)) for path, error in errors),
    ]


def notes(motions: Sequence[Motion]) -> list[str]:
    """What a user should know of a result, a sentence each, the most serious first."""
    lines = []
    for motion in motions:
        who = f"Person {motion.track}: " if len(motions) > 1 else ""
        found = [] if motion.quality is None else motion.quality.warnings()
        lines += [plain(f"{who}{line}") for line in found]
        lines += [plain(line) for line in missing_parts(motion, "auto")]
    lines += [plain(remark) for motion in motions for remark in motion.remarks]
    if motions[0].intrinsics_source is IntrinsicsSource.ASSUMED:
        lines.append(
            "The camera's lens is not known and was assumed: sizes and distances can all be too large or too "
            "small by the same factor. Give the person's height, or a camera file, to have true metres."
        )
    return list(dict.fromkeys(lines))


def facts(motions: Sequence[Motion]) -> str:
    """A result in one line: how long, how many people, how far they went."""
    motion = motions[0]
    seconds = float(np.ptp(motion.timestamps))
    parts = [
        f"{seconds:.1f} seconds",
        f"{len(motion)} frames at {motion.fps:.0f} per second",
    ]
    if len(motions) > 1:
        parts.append(f"{len(motions)} people")
    else:
        if motion.quality is not None:
            parts.append(f"height {motion.quality.height:.2f} m")
        parts.append(f"moved {path_length(motion):.1f} m")
    return ", ".join(parts)


def parse_height(text: str) -> float | None:
    """A height in metres, from ``1.78``, ``1,78 m``, ``178 cm`` or ``5'10"``; None if there is none.

    Raises:
        InputError: it is none of these.
    """
    text = text.strip().lower()
    if not text:
        return None
    feet = re.fullmatch(r"(\d)\s*(?:'|’|′|ft)\s*(?:(\d{1,2}(?:\.\d+)?)\s*(?:\"|”|″|''|in)?)?", text)
    if feet:
        return (int(feet[1]) * 12 + float(feet[2] or 0)) * 0.0254
    metric = re.fullmatch(r"(\d{1,3}(?:[.,]\d+)?)\s*(m|cm)?", text)
    if metric is None:
        raise InputError(f"the height is {text[:20]!r}, expected something like 1.78 m, 178 cm or 5'10\"")
    value = float(metric[1].replace(",", "."))
    return value / 100 if metric[2] == "cm" or (metric[2] is None and value > 3) else value


def parse_number(text: str, what: str) -> float | None:
    """A number, with a point or a comma; None if there is none. ``what`` it is stands in the message.

    Raises:
        InputError: it is no number.
    """
    if not text.strip():
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InputError(f"{what} is {text[:20]!r}, expected a number") from None


def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height in pixels, from ``1920 x 1080``; None if there is none.

    Raises:
        InputError: it is not of that form.
    """
    if not text.strip():
        return None
    numbers = re.fullmatch(r"\s*(\d{1,5})\s*(?:x|×|,|\s|\*)\s*(\d{1,5})\s*", text.lower())
    if numbers is None:
        raise InputError(f"the size of the picture is {text[:20]!r}, expected something like 1920 x 1080")
    return int(numbers[1]), int(numbers[2])


def stage_text(progress: Progress) -> str:
    """What a job does, in words."""
    if progress.waiting:
        others = "another video" if progress.waiting == 1 else f"{progress.waiting} other videos"
        return f"Waiting for {others}, then it is your turn"
    stage, opening, which = progress.stage.partition(" (")  # person, file
    text = STAGES.get(stage, stage[:1].upper() + stage[1:])
    if stage == "lifting the folder":
        text += f": {progress.done} of {progress.total} done"
    return text + opening + which


def time_left(seconds: float | None) -> str:
    """A duration in rounded words; empty if it is not known."""
    if seconds is None:
        return ""
    if seconds < 5:
        return "a few seconds left"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} seconds left"
    return f"about {round(seconds / 60)} minutes left"
