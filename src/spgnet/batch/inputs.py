"""The inputs of a batch: which they are, and the name of each one's folder of results."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spgnet.batch.locations import Location
from spgnet.batch.manifest import MANIFEST, REPORT
from spgnet.errors import InputError
from spgnet.files import natural_order
from spgnet.keypoints.files import KEYPOINT_SUFFIXES, keypoint_folders
from spgnet.video.images import SUFFIXES as IMAGE_SUFFIXES

VIDEO_SUFFIXES = (
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf",
    ".ogv", ".ts", ".webm", ".wmv",
)  # fmt: skip
"""Endings of the videos that are looked for in a folder; a video that is named may have any."""
ONE_CLIP_SUFFIXES = (*IMAGE_SUFFIXES, ".json", ".txt")
"""Endings of files that make their folder one clip: a file of them is a frame."""
CLIP_SUFFIXES = (*VIDEO_SUFFIXES, *(each for each in KEYPOINT_SUFFIXES if each not in ONE_CLIP_SUFFIXES))
"""Endings of files that are a clip each."""


@dataclass(frozen=True)
class BatchInput:
    """An input, and where its results go.

    Attributes:
        location: of a video, a folder of images, or a file or folder of 2D keypoints.
        name: of the folder of its results, inside that of the batch.
        size: bytes, by which the time left is estimated.
        fingerprint: changes with the contents (:meth:`Location.fingerprint`); None if nothing is there.
    """

    location: Location
    name: str
    size: int
    fingerprint: str | None


def clips_in(location: Location) -> list[Location] | None:
    """The clips in a folder of clips, in natural order; None for anything else, which is one clip or none.

    A folder with images, JSON or text files, or with a folder of keypoints, is one clip, as it is for
    :func:`spgnet.lift`. In any other folder, every video and every file of keypoints is a clip.

    Raises:
        InputError: its file system is not known, or refuses.
        OSError: it cannot be read.
    """
    entries = location.entries()
    if entries is None:
        return None
    files = [name for name, folder in entries.items() if not folder and not name.startswith(".")]
    suffixes = {PurePosixPath(name).suffix.lower() for name in files}
    if suffixes & set(ONE_CLIP_SUFFIXES) or (location.path is not None and _has_keypoints(location.path)):
        return None
    clips = [name for name in files if PurePosixPath(name).suffix.lower() in CLIP_SUFFIXES]
    return [location.joined(name) for name in sorted(clips, key=natural_order)] or None


def _has_keypoints(folder: Path) -> bool:
    """Whether there are folders of keypoints in a folder; those that batches wrote are none."""
    found = (folder / name for name in keypoint_folders(folder))
    return any(not (each / REPORT).exists() and not (each / MANIFEST).exists() for each in found)


def find_clips(inputs: Sequence[str], out: Location) -> list[Location]:
    """All clips that inputs stand for, each once: folders of clips and addresses with ``*`` are several.

    Raises:
        InputError: an address matches nothing, or a folder of clips is the one for the results.
        OSError: a file system cannot be read.
    """
    found: dict[Location, None] = {}
    for given in inputs:
        for location in Location.of(given).matches():
            clips = clips_in(location)
            if clips is not None and location.is_same_as(out):
                raise InputError(f"{given}: the results need another folder than the inputs (--out)")
            found |= dict.fromkeys([location] if clips is None else clips)
    return list(found)


def name_results(
    clips: Sequence[Location], known: Mapping[str, str], taken: Collection[str]
) -> dict[Location, str]:
    """A folder name for the results of each clip, which no other clip has.

    A clip keeps the name that it has. A new one is named after its file without the ending, if no other clip
    of the batch could be named so and the name is free; else with the ending, with the name of its folder,
    with both, or with a part of the hash of its path. Upper and lower case count as the same.

    Args:
        clips: to name.
        known: the names of results that are there, by their inputs' paths or addresses.
        taken: further names that are in use.
    """
    names = {clip: known[clip.text] for clip in clips if clip.text in known}
    used = {name.lower() for name in (*known.values(), *taken)}
    choices = {clip: _possible_names(clip) for clip in clips}
    for level in range(len(next(iter(choices.values()), ()))):
        wanted = [choices[clip][level].lower() for clip in clips]
        for clip, name in zip(clips, wanted, strict=True):
            if clip not in names and name not in used and wanted.count(name) == 1:
                names[clip] = choices[clip][level]
        used |= {name.lower() for name in names.values()}
    return {clip: names[clip] for clip in clips}


def _possible_names(clip: Location) -> tuple[str, ...]:
    """Names of a clip's results, from the shortest to one that nothing else has."""
    parts = clip.parts
    stem = parts.stem or "input"
    digest = hashlib.sha256(os.fsencode(clip.text)).hexdigest()[:12]
    return (
        stem,
        parts.name or "input",
        f"{parts.parent.name}-{stem}",
        f"{parts.parent.name}-{parts.name}",
        f"{stem}-{digest}",
    )
