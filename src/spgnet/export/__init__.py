"""Motions as files of other programs (docs/export.md).

>>> from spgnet.export import FORMATS, export
>>> FORMATS
('npz', 'json', 'csv', 'bvh', 'trc', 'c3d', 'mot', 'sto', 'glb', 'gltf')
>>> export(motion, folder / "walk.bvh")
>>> export([motion, other], folder / "both.csv")
>>> sorted(path.name for path in folder.iterdir())
['both.csv', 'walk.bvh']
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from spgnet.errors import InputError
from spgnet.export.bvh import bvh_text
from spgnet.export.c3d import write_c3d
from spgnet.export.csv_text import COLUMNS, Columns, csv_text
from spgnet.export.gltf import glb_bytes, gltf_text
from spgnet.export.json_text import json_text
from spgnet.export.markers import MARKER_NAMES, UNSEEN, MarkerNames, Unseen
from spgnet.export.opensim_motion import opensim_motion_text
from spgnet.export.rigs import RIG_NAMES, RigName
from spgnet.export.trc import trc_text
from spgnet.files import whole_file
from spgnet.lifting.motion import FloatArray, Motion, common_skeleton, save_motion

_Motions = Sequence[Motion]


@dataclass(frozen=True)
class _Options:
    """What a user can choose of a file's content, as in :func:`export`."""

    rig: RigName = "spgnet"
    markers: MarkerNames = "spgnet"
    unseen: Unseen = "keep"
    columns: Columns = "positions"


@dataclass(frozen=True)
class _Format:
    """A file format.

    Args:
        write: writes motions to a path, for a file that will have the given name, with options.
        several_people: whether a file can hold several people.
        finite: the arrays of a motion in which it cannot hold NaN and infinity.
        options: names of the options that it has.
    """

    write: Callable[[_Motions, Path, str, _Options], object]
    several_people: bool = True
    finite: tuple[FloatArray, ...] = ()
    options: tuple[str, ...] = ()


def _write_text(path: Path, content: str) -> None:
    path.write_bytes(content.encode())  # the same bytes on every system


_SKELETON: tuple[str, ...] = ("rig",)
_MARKERS: tuple[str, ...] = ("markers", "unseen")
_FORMATS = {
    "npz": _Format(lambda motions, path, _, __: save_motion(path, motions[0]), several_people=False),
    "json": _Format(
        lambda motions, path, _, __: _write_text(path, json_text(motions)),
        finite=("joints", "confidence", "pixels", "uncertainty"),
    ),
    "csv": _Format(
        lambda motions, path, _, chosen: _write_text(path, csv_text(motions, chosen.columns)),
        options=("columns",),
    ),
    "bvh": _Format(
        lambda motions, path, _, chosen: _write_text(path, bvh_text(motions[0], chosen.rig)),
        several_people=False,
        finite=("joints",),
        options=_SKELETON,
    ),
    "trc": _Format(
        lambda motions, path, name, chosen: _write_text(
            path, trc_text(motions, name, chosen.markers, chosen.unseen)
        ),
        options=_MARKERS,
    ),
    "c3d": _Format(
        lambda motions, path, _, chosen: write_c3d(motions, path, chosen.markers, chosen.unseen),
        options=_MARKERS,
    ),
    "mot": _Format(
        lambda motions, path, _, __: _write_text(path, opensim_motion_text(motions[0])),
        several_people=False,
        finite=("joints",),
    ),
    "sto": _Format(
        lambda motions, path, _, __: _write_text(path, opensim_motion_text(motions[0], "sto")),
        several_people=False,
        finite=("joints",),
    ),
    "glb": _Format(
        lambda motions, path, _, chosen: path.write_bytes(glb_bytes(motions, chosen.rig)),
        finite=("joints",),
        options=_SKELETON,
    ),
    "gltf": _Format(
        lambda motions, path, _, chosen: _write_text(path, gltf_text(motions, chosen.rig)),
        finite=("joints",),
        options=_SKELETON,
    ),
}

FORMATS: tuple[str, ...] = tuple(_FORMATS)
"""Names of the formats, which are also the suffixes of their files."""
SINGLE_PERSON_FORMATS = tuple(name for name, format in _FORMATS.items() if not format.several_people)
"""Those of which a file holds one person."""


OPTIONS: dict[str, tuple[str, ...]] = {
    "rig": RIG_NAMES,
    "markers": MARKER_NAMES,
    "unseen": UNSEEN,
    "columns": COLUMNS,
}
"""The options of :func:`export` that only some formats have, and their choices, the default first."""


def format_options(format: str) -> tuple[str, ...]:
    """Names of the ``OPTIONS`` that a format has.

    >>> format_options("glb")
    ('rig',)
    """
    return _FORMATS[format].options


def export(
    motions: Motion | Sequence[Motion],
    path: Path | str,
    *,
    format: str | None = None,
    rig: RigName = "spgnet",
    markers: MarkerNames = "spgnet",
    unseen: Unseen = "keep",
    columns: Columns = "positions",
) -> None:
    """Write motions to one file, whole or not at all, in the format of its suffix.

    >>> export(load_motion("motion.npz"), "walk.glb", rig="mixamo")

    Several people share a clock: each is there from its own first to its own last timestamp. Feet are in the
    file if all of them have feet.

    Args:
        motions: one motion, or those of several people, each with a track number of its own. Positions are
            those in the world, ``motion.world``; each format has its own axes and units (docs/export.md).
        path: the file; one that is there is replaced.
        format: one of ``FORMATS``, if the suffix does not tell.
        rig: skeleton of .bvh, .glb and .gltf files: ``spgnet``, ``mixamo``, ``vrm`` or ``unreal``.
        markers: names of the markers of .trc and .c3d files: ``spgnet``, ``pose2sim`` or ``opensim``.
        unseen: whether .trc and .c3d files ``keep`` joints whose confidence is 0, or have them ``missing``.
        columns: whether .csv files have ``positions``, joint ``angles`` or ``all``.

    Raises:
        InputError: the format is unknown or cannot hold the motions (several people, NaN, or more frames than
            it can count) or has no such option, its library is missing, the folder does not exist, there is
            no motion, or two have the same track.
        OSError: the file cannot be written.
    """
    people, path = [motions] if isinstance(motions, Motion) else list(motions), Path(path)
    name = (format or path.suffix).removeprefix(".").lower()
    known = ", ".join(f".{known}" for known in FORMATS)
    if name not in _FORMATS:
        shown = f"format {format!r}" if format else f"suffix {path.suffix!r}"
        raise InputError(f"{path}: unknown {shown}; motions are exported as {known}")
    options = _Options(rig=rig, markers=markers, unseen=unseen, columns=columns)
    _check_options(options, path, name)
    _check_motions(people, path, name)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    people = common_skeleton(people)
    with whole_file(path, f".{name}") as temporary:  # ezc3d insists on its suffix
        _FORMATS[name].write(people, temporary, path.name, options)


def _check_options(options: _Options, path: Path, name: str) -> None:
    """Refuse options that are unknown, or that a format does not have."""
    for option, choices in OPTIONS.items():
        value = getattr(options, option)
        if value not in choices:
            raise InputError(f"{path}: {option} is {value!r}, expected {' or '.join(choices)}")
        if value != choices[0] and option not in _FORMATS[name].options:
            having = ", ".join(f".{other}" for other, format in _FORMATS.items() if option in format.options)
            raise InputError(f"{path}: a .{name} file has no choice of {option}; {having} have")


def _check_motions(motions: Sequence[Motion], path: Path, name: str) -> None:
    """Refuse what a format cannot hold."""
    tracks = [motion.track for motion in motions]
    if not motions:
        raise InputError(f"{path}: there is no motion to export")
    if len(motions) > 1 and not _FORMATS[name].several_people:
        several = ", ".join(f".{name}" for name, format in _FORMATS.items() if format.several_people)
        raise InputError(
            f"{path}: a .{name} file holds one person and there are {len(motions)}; "
            f"write one file for each, or use {several}"
        )
    if len(set(tracks)) < len(tracks):
        raise InputError(f"{path}: each person needs a track number of its own, got {tracks}")
    errors = [
        f"track {motion.track}: {fault}"
        for motion in motions
        for fault in motion.non_finite(*_FORMATS[name].finite)
    ]
    if errors:
        raise InputError(f"{path}: a .{name} file holds finite numbers only; {'; '.join(errors)}")


class _CallablePackage(ModuleType):
    """Lets ``spgnet.export`` be both this package and, as a public name of ``spgnet``, its main function.

    Python binds ``spgnet.export`` to this package as soon as anything in it is imported, so a function of
    that name in ``spgnet`` would depend on the order of imports.
    """

    def __call__(
        self,
        motions: Motion | Sequence[Motion],
        path: Path | str,
        *,
        format: str | None = None,
        rig: RigName = "spgnet",
        markers: MarkerNames = "spgnet",
        unseen: Unseen = "keep",
        columns: Columns = "positions",
    ) -> None:
        export(motions, path, format=format, rig=rig, markers=markers, unseen=unseen, columns=columns)


sys.modules[__name__].__class__ = _CallablePackage
