"""A folder of anyone's motion capture: BVH files, ASF/AMC files and motion archives.

Splits: sub-folders ``train``, ``validation`` and ``test`` if there is any of them; files beside them are not
used. Otherwise clips are split in the order of their names: of every ten the ninth is for validation and the
tenth for the test. Of three to nine clips the last is for the test and the one before for validation; of two
the second is for validation; a single one is for training. Pieces of one recording (``name#1`` in motion
archives) count as one clip.
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

from spgnet.data.archive import load_motion_archive
from spgnet.data.mocap.clips import read_clip
from spgnet.data.mocap.joints_file import NAMES, JointsFile, read_joints_file
from spgnet.data.takes import Checked, Split
from spgnet.motion import MotionClip

_ENDINGS = (".bvh", ".amc", ".npz")
_ARCHIVE = {f"{name}.npy" for name in ("root", "pose", "lengths", "clips")}
MOST_FAULTS = 20
"""So many faults are listed; the others are counted."""


class _Entry(NamedTuple):
    """A clip, read when it is asked for."""

    name: str
    read: Callable[[], MotionClip]


def is_mocap_folder(path: Path) -> bool:
    """Whether there is a BVH file, an AMC file or a motion archive in a folder or below it."""
    return any(file.suffix.lower() != ".npz" or _is_archive(file) for file in _files(path))


def load_mocap_folder(path: Path, split: Split) -> list[MotionClip]:
    """The clips of a split, in metres, z up, each at its own frame rate.

    A clip is named after its file, relative to the folder and without its ending. Its subject is CMU's number
    before the underscore (``01`` of ``01_02``), otherwise the name of the folder that it is in; its action is
    the sub-folder that it is in, otherwise its name without the number at its end. The clips of an archive
    keep their own subjects and actions, and have the archive's name before theirs.

    Raises:
        ValueError: there is nothing to read, or files are broken; the message lists files and faults.
    """
    (entries,), faults = _entries(path, [split])
    clips, broken = _read(entries)
    faults += broken
    if faults:
        raise ValueError(f"{path}: {_listed(faults)}")
    return clips


def check_mocap_folder(path: Path) -> Checked:
    """What is in a folder, clip by clip, and what is wrong with it."""
    kinds = Counter(file.suffix.lower() for file in _files(path))
    facts = [f"files: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items())) or 'none'}"]
    splits = get_args(Split)
    parts, faults = _entries(path, splits)
    for split, entries in zip(splits, parts, strict=True):
        clips, broken = _read(entries)
        faults += broken
        facts += _facts(split, clips)
    return Checked(facts, faults)


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
    guessed = {joint for clip in clips for joint in clip.uncaptured}
    return facts + ([f"{split}: joints that are guesses: {', '.join(sorted(guessed))}"] if guessed else [])


def _read(entries: Sequence[_Entry]) -> tuple[list[MotionClip], list[str]]:
    """The clips, and the faults of those that cannot be read."""
    clips, faults = [], []
    for entry in entries:
        try:
            clips.append(entry.read())
        except ValueError as error:
            faults.append(str(error))
    return clips, faults


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
    """The clips of each split, not read yet, and the faults of what had to be read to know them."""
    if not _files(path):
        return [[] for _ in splits], [f"{path}: there are no .bvh, .amc or .npz files in it"]
    if any((path / name).is_dir() for name in get_args(Split)):
        below = [_entries_below(path / split, path) for split in splits]
        return [entries for entries, _ in below], [fault for _, faults in below for fault in faults]
    entries, faults = _entries_below(path, path)
    recordings = sorted({_recording(entry) for entry in entries})
    chosen = {name: _split_of(place, len(recordings)) for place, name in enumerate(recordings)}
    return [[e for e in entries if chosen[_recording(e)] == split] for split in splits], faults


def _recording(entry: _Entry) -> str:
    return entry.name.partition("#")[0]


def _split_of(place: int, count: int) -> Split:
    """The split of one of so many clips, where the folder does not say it."""
    if count >= 10:
        place, count = place % 10, 10
    last: tuple[Split, ...] = ("validation", "test") if count > 2 else ("validation",) if count > 1 else ()
    after = place - (count - len(last))
    return last[after] if after >= 0 else "train"


def _entries_below(top: Path, folder: Path) -> tuple[list[_Entry], list[str]]:
    """The clips below a folder, and the faults of what had to be read to know them."""
    entries: list[_Entry] = []
    faults: list[str] = []
    for file in _files(top):
        try:
            entries += _entries_of(file, folder, top)
        except ValueError as error:
            faults.append(str(error))
    return entries, list(dict.fromkeys(faults))


def _entries_of(file: Path, folder: Path, top: Path) -> list[_Entry]:
    name = file.relative_to(folder).with_suffix("").as_posix()
    if file.suffix.lower() == ".npz":
        clips = load_motion_archive(file)
        named = [replace(clip, name=f"{name}/{clip.name}") for clip in clips]
        return [_Entry(clip.name, partial(_same, clip)) for clip in named]
    number = re.fullmatch(r"(\d+)_\d+.*", file.stem)
    subject = number[1] if number else file.parent.name
    inside = file.parent.relative_to(top).as_posix()
    bare = re.sub(r"[\d_\-. ]+$", "", file.stem) or file.stem
    action = bare if inside == "." else inside
    choices = _choices(file, folder)
    return [_Entry(name, partial(read_clip, file, choices, name=name, subject=subject, action=action))]


def _same(clip: MotionClip) -> MotionClip:
    return clip


def _choices(file: Path, folder: Path) -> JointsFile:
    """The user's choices of the nearest folder above a file."""
    above = [parent for parent in file.parents if parent == folder or folder in parent.parents]
    found = [parent / name for parent in above for name in NAMES if (parent / name).is_file()]
    return read_joints_file(found[0]) if found else JointsFile()


def _listed(faults: Sequence[str]) -> str:
    more = len(faults) - MOST_FAULTS
    return "; ".join(faults[:MOST_FAULTS]) + (f"; and {more} more" if more > 0 else "")
