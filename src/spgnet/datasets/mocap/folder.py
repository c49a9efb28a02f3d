"""A folder of anyone's motion capture: BVH files, ASF/AMC files and motion archives.

Splits: sub-folders ``train``, ``validation`` and ``test`` if there is any of them; files beside them are not
used. Otherwise people are split, so that nobody is in two splits, or the clips where there are fewer than
three people. In the order of their names, of every ten the ninth is for validation and the tenth for the
test. Of three to nine the last is for the test and the one before for validation; of two clips the second is
for validation; a single one is for training. Pieces of one recording (``name#1`` in motion archives) count as
one clip.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float

from spgnet.datasets.archive import load_motion_archive
from spgnet.datasets.mocap.asf_amc import RATE, read_amc, read_asf
from spgnet.datasets.mocap.body import human36m_joints, in_world, on_floor
from spgnet.datasets.mocap.bvh import read_bvh
from spgnet.datasets.mocap.feet import captured_feet, stand_on_soles
from spgnet.datasets.mocap.glitches import find_jump, lead_in_frames
from spgnet.datasets.mocap.joint_maps import NAMES, JointMap, JointsFile, choose_map, read_joints_file
from spgnet.datasets.mocap.skeleton_tracks import SkeletonTracks
from spgnet.datasets.takes import DatasetReport, Split
from spgnet.errors import InputError, prefix_errors
from spgnet.geometry.motion_clip import MotionClip


def read_clip(path: Path, choices: JointsFile, *, name: str, subject: str, action: str) -> MotionClip:
    """The motion in a BVH or an AMC file, in metres, z up, at its own frame rate.

    First frames that converters put before the motion are left out (:func:`lead_in_frames`).

    Raises:
        InputError: the file is broken, or its skeleton, unit or axes are not clear; the message names it.
    """
    world, joint_map = _read_world(path, choices)
    with prefix_errors(path):
        joints, guesses = human36m_joints(world, joint_map)
    joints = on_floor(joints[lead_in_frames(joints) :])
    return MotionClip(torch.from_numpy(joints).float(), world.fps, name, subject, action, guesses)


class FeetClip(NamedTuple):
    """A capture with its feet.

    Attributes:
        joints: the 23 joints of :data:`spgnet.geometry.skeleton.FEET23` in metres, z up, on a level floor at
            0.
        fps: frames per second.
    """

    joints: Float[np.ndarray, "frames 23 3"]
    fps: float


def read_clip_with_feet(path: Path, choices: JointsFile | None = None) -> FeetClip:
    """The motion in a BVH or an AMC file with its feet, as :func:`captured_feet` has them.

    Raises:
        InputError: as :func:`read_clip`, or the skeleton has no feet.
    """
    world, joint_map = _read_world(path, choices or JointsFile())
    with prefix_errors(path):
        joints, _ = human36m_joints(world, joint_map)
        feet = captured_feet(world, joint_map, joints)
    both = np.concatenate((joints, feet), axis=1)[lead_in_frames(joints) :]
    return FeetClip(stand_on_soles(both, world.fps), world.fps)


def _read_world(path: Path, choices: JointsFile) -> tuple[SkeletonTracks, JointMap]:
    """The points of a file in metres, z up, and which of them are our joints."""
    tracks = _read_tracks(path, choices)
    with prefix_errors(path):
        joint_map = choose_map(tracks.names, choices.joints, choices.head)
        return in_world(tracks, joint_map, unit=choices.unit, up=choices.up), joint_map


def skeleton_of(path: Path) -> Path:
    """The ASF file of an AMC file: the one with the longest of the beginnings of its name, or the only one.

    ``01.asf`` is that of ``01_02.amc``, and ``HDM_bd.asf`` that of ``HDM_bd_squat_001_120.amc``.

    Raises:
        InputError: there is none, or it is not clear which it is.
    """
    skeletons = sorted(p for p in path.parent.iterdir() if p.suffix.lower() == ".asf" and p.name[0] != ".")
    beginnings = [p for p in skeletons if f"{path.stem}_".startswith(f"{p.stem}_")]
    longest = max((len(p.stem) for p in beginnings), default=0)
    same = [p for p in beginnings if len(p.stem) == longest]
    if len(same or skeletons) != 1:
        raise InputError(
            f"{path}: its skeleton is not clear: expected {path.stem.split('_')[0]}.asf or a single "
            f".asf file beside it, found {', '.join(p.name for p in skeletons) or 'none'}"
        )
    return (same or skeletons)[0]


def _read_tracks(path: Path, choices: JointsFile) -> SkeletonTracks:
    if path.suffix.lower() == ".bvh":
        tracks = read_bvh(path)
        return tracks if choices.fps is None else replace(tracks, fps=choices.fps)
    return read_amc(path, read_asf(skeleton_of(path)), choices.fps or RATE)


_ENDINGS = (".bvh", ".amc", ".npz")
_ARCHIVE = {f"{name}.npy" for name in ("root", "pose", "lengths", "clips")}
MOST_ERRORS = 20
"""So many errors are listed; the others are counted."""


class _Entry(NamedTuple):
    """A clip, read when it is asked for."""

    name: str
    subject: str
    read: Callable[[], MotionClip]


def is_mocap_folder(path: Path) -> bool:
    """Whether there is a BVH file, an AMC file or a motion archive in a folder or below it."""
    return any(file.suffix.lower() != ".npz" or _is_archive(file) for file in _files(path))


def load_mocap_folder(path: Path, split: Split) -> list[MotionClip]:
    """The clips of a split, in metres, z up, each at its own frame rate.

    A clip is named after its file, relative to the folder and without its ending. Its subject is CMU's number
    before the underscore (``01`` of ``01_02``) or the name of the skeleton that its name begins with
    (``HDM_bd`` of ``HDM_bd_squat_001``), otherwise the name of the folder that it is in; its action is the
    sub-folder that it is in, otherwise its name without these and the number at its end. The clips of an
    archive keep their own subjects and actions, and have the archive's name before theirs.

    Raises:
        InputError: there is nothing to read, or files are broken; the message lists files and errors.
    """
    (entries,), errors = _entries(path, [split])
    clips, broken = _read(entries)
    errors += broken
    if errors:
        raise InputError(f"{path}: {_listed(errors)}")
    return clips


def check_mocap_folder(path: Path) -> DatasetReport:
    """What is in a folder, clip by clip, and what is wrong with it."""
    kinds = Counter(file.suffix.lower() for file in _files(path))
    facts = [f"files: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items())) or 'none'}"]
    splits = get_args(Split)
    parts, errors = _entries(path, splits)
    for split, entries in zip(splits, parts, strict=True):
        clips, broken = _read(entries)
        errors += broken
        facts += _facts(split, clips)
        errors += [jump for clip in clips if (jump := find_jump(clip)) is not None]
    return DatasetReport(facts, errors)


def _facts(split: Split, clips: Sequence[MotionClip]) -> list[str]:
    if not clips:
        return [f"{split}: no clips"]
    minutes = sum(len(clip) / clip.fps for clip in clips) / 60
    rates = ", ".join(f"{fps:g}" for fps in sorted({clip.fps for clip in clips}))
    people = len({clip.subject for clip in clips})
    facts = [
        f"{split}: {len(clips)} clips of {people} subjects, {minutes:.1f} minutes at {rates} frames "
        "per second"
    ]
    guessed = {joint for clip in clips for joint in clip.unmeasured_joints}
    return facts + ([f"{split}: joints that are guesses: {', '.join(sorted(guessed))}"] if guessed else [])


def _read(entries: Sequence[_Entry]) -> tuple[list[MotionClip], list[str]]:
    """The clips, and the errors of those that cannot be read."""
    clips, errors = [], []
    for entry in entries:
        try:
            clips.append(entry.read())
        except InputError as error:
            errors.append(str(error))
    return clips, errors


def _files(path: Path) -> list[Path]:
    """All files of motion below a folder, in order."""
    found = path.rglob("*") if path.is_dir() else []
    return sorted(file for file in found if file.suffix.lower() in _ENDINGS and file.name[0] != ".")


def _is_archive(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return {*archive.namelist()} >= _ARCHIVE
    except (OSError, zipfile.BadZipFile):
        return False


def _entries(path: Path, splits: Sequence[Split]) -> tuple[list[list[_Entry]], list[str]]:
    """The clips of each split, not read yet, and the errors of what had to be read to know them."""
    if not _files(path):
        return [[] for _ in splits], [f"{path}: there are no .bvh, .amc or .npz files in it"]
    if any((path / name).is_dir() for name in get_args(Split)):
        below = [_entries_below(path / split, path) for split in splits]
        return [entries for entries, _ in below], [error for _, errors in below for error in errors]
    entries, errors = _entries_below(path, path)
    people = {entry.subject for entry in entries}
    unit = _person if len(people) > 2 else _recording
    units = sorted({unit(entry) for entry in entries})
    chosen = {name: _split_of(index, len(units)) for index, name in enumerate(units)}
    return [[entry for entry in entries if chosen[unit(entry)] == split] for split in splits], errors


def _person(entry: _Entry) -> str:
    return entry.subject


def _recording(entry: _Entry) -> str:
    return entry.name.partition("#")[0]


def _split_of(index: int, count: int) -> Split:
    """The split of one of so many people or clips, where the folder does not say it."""
    if count >= 10:
        index, count = index % 10, 10
    last: tuple[Split, ...] = ("validation", "test") if count > 2 else ("validation",) if count > 1 else ()
    after = index - (count - len(last))
    return last[after] if after >= 0 else "train"


def _entries_below(top: Path, folder: Path) -> tuple[list[_Entry], list[str]]:
    """The clips below a folder, and the errors of what had to be read to know them."""
    entries: list[_Entry] = []
    errors: list[str] = []
    for file in _files(top):
        try:
            entries += _entries_of(file, folder, top)
        except InputError as error:
            errors.append(str(error))
    return entries, list(dict.fromkeys(errors))


def _entries_of(file: Path, folder: Path, top: Path) -> list[_Entry]:
    name = file.relative_to(folder).with_suffix("").as_posix()
    if file.suffix.lower() == ".npz":
        clips = load_motion_archive(file)
        named = [replace(clip, name=f"{name}/{clip.name}") for clip in clips]
        return [_Entry(clip.name, clip.subject, partial(_same, clip)) for clip in named]
    subject, rest = _subject_of(file)
    inside = file.parent.relative_to(top).as_posix()
    bare = re.sub(r"[\d_\-. ]+$", "", rest) or rest
    action = bare if inside == "." else inside
    choices = _choices(file, folder)
    read = partial(read_clip, file, choices, name=name, subject=subject, action=action)
    return [_Entry(name, subject, read)]


def _subject_of(file: Path) -> tuple[str, str]:
    """The person of a BVH or an AMC file, and what of its name tells the action."""
    if re.fullmatch(r"\d+_\d+.*", file.stem):  # CMU's: 01_02
        return file.stem.partition("_")[0], file.stem
    if file.suffix.lower() == ".amc":
        beginnings = [p.stem for p in file.parent.glob("*") if p.suffix.lower() == ".asf"]
        beginnings = [stem for stem in beginnings if file.stem.startswith(f"{stem}_")]
        if beginnings:
            skeleton = max(beginnings, key=len)
            return skeleton, file.stem.removeprefix(f"{skeleton}_")
    return file.parent.name, file.stem


def _same(clip: MotionClip) -> MotionClip:
    return clip


def _choices(file: Path, folder: Path) -> JointsFile:
    """The user's choices of the nearest folder above a file."""
    above = [parent for parent in file.parents if parent == folder or folder in parent.parents]
    found = [parent / name for parent in above for name in NAMES if (parent / name).is_file()]
    return read_joints_file(found[0]) if found else JointsFile()


def _listed(errors: Sequence[str]) -> str:
    more = len(errors) - MOST_ERRORS
    return "; ".join(errors[:MOST_ERRORS]) + (f"; and {more} more" if more > 0 else "")
