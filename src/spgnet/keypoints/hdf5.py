"""HDF5 and netCDF files of keypoints: DeepLabCut's ``.h5``, SLEAP's analysis, ``movement``'s datasets."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spgnet.errors import InputError, list_names
from spgnet.hdf5 import check_size, hdf5_errors, open_hdf5
from spgnet.keypoints.arrays import named_people
from spgnet.keypoints.deeplabcut import parse_columns
from spgnet.keypoints.formats import KeypointFormat
from spgnet.keypoints.keypoints import KeypointSetName
from spgnet.keypoints.raw import RawKeypoints
from spgnet.keypoints.values import number_array, parse_rate
from spgnet.object_arrays import unpickle_plain


def parse_hdf5(path: Path, keypoint_set: KeypointSetName | None) -> tuple[KeypointFormat, RawKeypoints]:
    """Parse an HDF5 or netCDF file by what is in it; also its format.

    Raises:
        InputError: it is damaged, of no known format, or h5py is missing.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"CDF"):
        return "movement", parse_movement(_netcdf3(path), keypoint_set)
    with open_hdf5(path, "hdf5") as file:
        if "tracks" in file and "node_names" in file:
            return "sleap", _sleap(file, keypoint_set)
        if "position" in file:
            return "movement", parse_movement(_movement_content(file), keypoint_set)
        table = next((file[name] for name in file if _is_group(file[name]) and _is_pandas(file[name])), None)
        if table is not None:
            return "deeplabcut", _pandas(table, keypoint_set)
        if "instances" in file or "pred_points" in file:
            raise InputError("a SLEAP project; expected its analysis file: sleap-convert --format analysis")
        raise InputError(
            f"an HDF5 file of no known format (with {list_names(list(file)) or 'nothing'}); expected that of "
            "DeepLabCut, SLEAP's analysis or movement"
        )


def _is_group(node: Any) -> bool:
    return hasattr(node, "keys")


def _is_pandas(group: Any) -> bool:
    return "table" in group or "block0_values" in group


def _array(dataset: Any, what: str) -> np.ndarray:
    """The numbers of a dataset, if they are not more than files of keypoints have.

    Raises:
        InputError: it is immense, or no numbers.
    """
    if not hasattr(dataset, "dtype") or dataset.dtype.kind not in "fiu":
        raise InputError(f"{what} is no array of numbers")
    check_size(dataset, what)
    return np.asarray(dataset[()], dtype=np.float64)


def _texts(dataset: Any, what: str) -> list[str]:
    if not hasattr(dataset, "shape") or dataset.ndim != 1 or dataset.size > 10_000:
        raise InputError(f"{what} is no list of names")
    check_size(dataset, what)
    return [_text(value) for value in dataset[()]]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _sleap(file: Any, keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """SLEAP's analysis: tracks [tracks, 2, nodes, frames], or in new versions [frames, tracks, nodes, 2]."""
    names = _texts(file["node_names"], "node_names")
    tracks = _array(file["tracks"], "tracks")
    scores = _array(file["point_scores"], "point_scores") if "point_scores" in file else None
    by_track = tracks.ndim == 4 and tracks.shape[1:3] == (2, len(names))
    by_frame = tracks.ndim == 4 and tracks.shape[2:] == (len(names), 2)
    if by_track and by_frame and scores is not None:  # of two tracks
        by_track = scores.shape == (tracks.shape[0], *tracks.shape[2:])
    if by_track:
        position = tracks.transpose(3, 2, 0, 1)
        scores = scores.transpose(2, 1, 0) if scores is not None and scores.ndim == 3 else None
    elif by_frame:
        position = tracks.transpose(0, 2, 1, 3)
        scores = scores.transpose(0, 2, 1) if scores is not None and scores.ndim == 3 else None
    else:
        raise InputError(f"tracks has shape {list(tracks.shape)}, expected [tracks, 2, {len(names)}, frames]")
    if scores is not None and scores.shape != position.shape[:3]:
        raise InputError(f"point_scores has another shape than tracks, {list(tracks.shape)}")
    return named_people(position, scores, names, keypoint_set)


def _pandas(group: Any, keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """DeepLabCut's data frame as pandas stores it, as a table or as fixed blocks."""
    if "table" in group:
        table = group["table"]
        columns = unpickle_plain(_bytes(group.attrs["non_index_axes"]))
        columns = columns[0][1]
        blocks = [name for name in table.dtype.names or () if name.startswith("values_block_")]
        check_size(table, "the table")
        if len(blocks) != 1:
            raise InputError(f"the table has {len(blocks)} blocks of numbers, expected one")
        values = np.asarray(table[()][blocks[0]], dtype=np.float64)
    else:
        values = _array(group["block0_values"], "block0_values")
        levels = int(group.attrs.get("axis0_nlevels", group.attrs.get("block0_items_nlevels", 0)))
        named = [_texts(group[f"block0_items_level{level}"], "the columns") for level in range(levels)]
        codes = [_array(group[f"block0_items_label{level}"], "the columns") for level in range(levels)]
        columns = [
            tuple(names[int(code)] for names, code in zip(named, column, strict=True))
            for column in zip(*codes, strict=True)
        ]
    if (
        values.ndim != 2
        or len(columns) != values.shape[1]
        or not all(len(name) in (3, 4) for name in columns)
    ):
        raise InputError("columns are not DeepLabCut's: expected scorer, (individuals,) bodyparts and coords")
    named_columns = [(column[1] if len(column) == 4 else "", *column[-2:]) for column in columns]
    return parse_columns(named_columns, values, keypoint_set)


def _bytes(value: Any) -> bytes:
    return value.encode("latin1") if isinstance(value, str) else bytes(value)


def _movement_content(file: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"position": _array(file["position"], "position")}
    content["dims"] = [
        _text(dim[0].name).rsplit("/")[-1] if len(dim) else "" for dim in file["position"].dims
    ]
    if "confidence" in file:
        content["confidence"] = _array(file["confidence"], "confidence")
    if "keypoints" in file:
        content["keypoints"] = _texts(file["keypoints"], "keypoints")
    if file.attrs.get("fps") is not None:
        content["fps"] = np.asarray(file.attrs["fps"]).ravel()[0]
    return content


def _netcdf3(path: Path) -> dict[str, Any]:
    from scipy.io import netcdf_file

    # From memory, since a file object claims as much of it as a header says before it reads.
    with hdf5_errors(), netcdf_file(io.BytesIO(path.read_bytes()), "r") as file:
        variables = file.variables
        if "position" not in variables:
            raise InputError("a netCDF file without 'position', expected that of movement")
        content: dict[str, Any] = {"position": np.array(variables["position"][:], dtype=np.float64)}
        content["dims"] = list(variables["position"].dimensions)
        if "confidence" in variables:
            content["confidence"] = np.array(variables["confidence"][:], dtype=np.float64)
        if "keypoints" in variables:
            letters = np.array(variables["keypoints"][:])
            rows = letters.reshape(len(letters), -1)
            content["keypoints"] = [_text(row.tobytes()).rstrip("\0 ") for row in rows]
        if (fps := getattr(file, "fps", None)) is not None:
            content["fps"] = np.asarray(fps).ravel()[0]
        return content


def parse_movement(content: dict[str, Any], keypoint_set: KeypointSetName | None) -> RawKeypoints:
    """Parse a ``movement`` dataset: position [time, space, keypoints, individuals] and confidence [time,
    keypoints, individuals]; the last dimension may be left out, and [time, keypoints, space] be given.

    Raises:
        InputError: shapes do not fit, positions are in 3D, or nobody is there.
    """
    array = np.asarray(content["position"])
    position = number_array(array, "position", tuple(f"dimension {index}" for index in range(array.ndim)))
    dims = [str(dim) for dim in content.get("dims", ())]
    if position.ndim == 3:
        position = position[..., None]
        dims = [*dims, "individuals"] if dims else []
    if position.ndim != 4:
        raise InputError(
            f"position has shape {list(array.shape)}, expected [time, space, keypoints, individuals]"
        )
    space = dims.index("space") if "space" in dims else 1 if position.shape[1] in (2, 3) else 2
    if position.shape[space] != 2:
        raise InputError(
            f"position has shape {list(array.shape)}, expected 2 numbers for x and y: 3D is not read"
        )
    position = np.moveaxis(position, space, 3)
    scores = content.get("confidence")
    if scores is not None:
        scores = np.asarray(scores)
        scores = scores[..., None] if scores.ndim == 2 else scores
        scores = number_array(scores, "confidence", position.shape[:3])
        scores = np.ones_like(scores) if np.isnan(scores).all() else scores
    raw = named_people(position, scores, content.get("keypoints"), keypoint_set)
    if content.get("fps") is not None:
        raw = replace(raw, fps=parse_rate(content["fps"], "fps"))
    return raw
