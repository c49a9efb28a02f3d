"""Parsing JSON, XML and YAML of camera files into plain values, within limits.

OpenCV's ``FileStorage`` and ROS write a matrix as rows, columns and data; it becomes an array where it is
used (:func:`opencv_matrix`), so that what else a file holds may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from spgnet.errors import InputError
from spgnet.keypoints.values import floats
from spgnet.limits import DEEPEST, LONGEST_NUMBER
from spgnet.text import parse_json_text, place_of


def json_entries(text: str) -> dict[str, Any]:
    """The entries of a JSON object.

    Raises:
        InputError: it is not a JSON object, or beyond the limits of :func:`spgnet.text.parse_json_text`.
    """
    values = parse_json_text(text)
    if not isinstance(values, dict):
        raise InputError("not a camera file: a JSON object is expected")
    return values


def parse_xml(text: str) -> ElementTree.Element:
    """The root of XML.

    Raises:
        InputError: it is not XML, declares entities, or has more than :data:`spgnet.limits.DEEPEST` levels.
    """
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise InputError("not readable XML (document types and entities are not supported)")
    parser = ElementTree.XMLPullParser(("start", "end"))
    depth, root = 0, None
    try:
        parser.feed(text)
        for found in parser.read_events():
            if root is None and len(found) == 2 and isinstance(found[1], ElementTree.Element):
                root = found[1]
            depth += 1 if found[0] == "start" else -1
            if depth > DEEPEST:
                raise InputError(f"not readable XML (more than {DEEPEST} levels are not supported)")
        parser.close()
    except ElementTree.ParseError as error:
        raise InputError(f"not readable XML{place_of(error)}") from None
    if root is None:
        raise InputError("not readable XML (it is empty)")
    return root


def xml_entries(root: ElementTree.Element) -> dict[str, Any]:
    """The entries of OpenCV's XML."""
    return {
        node.tag: {part.tag: _scalar(part.text or "") for part in node}
        if node.get("type_id") == "opencv-matrix"
        else _scalar(node.text or "")
        for node in root
    }


def yaml_entries(text: str) -> dict[str, Any]:
    """The entries of the first document of YAML, as OpenCV, ROS, Kalibr and EasyMocap write it.

    Raises:
        InputError: it is not a YAML mapping, or has aliases or too many levels.
    """
    text = re.sub(r"\A%YAML.*", "", text)  # OpenCV writes %YAML:1.0, which is not a valid directive
    loader = getattr(
        yaml, "CBaseLoader", yaml.BaseLoader
    )  # strings, lists and mappings only, tags are ignored
    try:
        _refuse_aliases_and_depth(yaml.parse(text, Loader=loader))
        values = next(iter(yaml.load_all(text, Loader=loader)), None)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"not readable YAML{place_of(error)}") from None
    if not isinstance(values, dict):
        raise InputError("not readable YAML (expected keys and values)")
    return {name: _typed(value) for name, value in values.items()}


def _refuse_aliases_and_depth(events: Iterable[yaml.Event]) -> None:
    """Refuse YAML that could exhaust memory (by aliases) or the stack (by nesting).

    Raises:
        InputError: it has aliases, or more than :data:`spgnet.limits.DEEPEST` levels.
    """
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
            raise InputError(f"not readable YAML (aliases and more than {DEEPEST} levels are not supported)")


def _typed(value: Any) -> Any:
    """A YAML value with its number strings converted to numbers."""
    if isinstance(value, dict):
        return {key: _typed(part) for key, part in value.items()}
    return [_typed(part) for part in value] if isinstance(value, list) else _scalar(value)


def _scalar(text: str) -> float | str:
    """A string as a number, with YAML's ``.Nan`` and ``.Inf``; unchanged if it is not one."""
    text = text.strip().strip("\"'")
    if len(text) > LONGEST_NUMBER:
        return text
    try:
        return float(re.sub(r"\.(?=(nan|inf)$)", "", text.lower()))
    except ValueError:
        return text


def opencv_matrix(parts: dict[str, Any]) -> np.ndarray | None:
    """The array of a matrix that OpenCV or ROS wrote; None for any other mapping.

    Raises:
        InputError: rows, cols or data are missing or malformed.
    """
    if not {"rows", "cols", "data"} & parts.keys():
        return None
    missing = [part for part in ("rows", "cols", "data") if part not in parts]
    if missing:
        raise InputError(f"a matrix lacks {' and '.join(missing)}")
    shape, errors = numbers("a matrix's rows and cols", [parts["rows"], parts["cols"]], (2,))
    if errors or (shape < 0).any() or (shape % 1).any():
        raise InputError(f"a matrix has {excerpt(parts['rows'])} rows and {excerpt(parts['cols'])} cols")
    rows, cols = int(shape[0]), int(shape[1])
    data = parts["data"]
    if isinstance(data, str):
        data = [_scalar(word) for word in re.split(r"[\s,]+", data.strip()) if word]
    count = len(data) if isinstance(data, list) else 1
    if count != rows * cols:
        raise InputError(f"a matrix of {rows} x {cols} has {count} numbers")
    return numbers_or_raise("a matrix's data", data, (rows, cols))


def numbers(name: str, value: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """The value as an array of a shape, and its errors."""
    expected = f"expected {' x '.join(map(str, shape))} numbers"
    array = floats(value)
    if array is None:
        return np.zeros(shape), [f"{name} is {excerpt(value)}, {expected}"]
    if array.size == np.prod(shape):
        array = array.reshape(shape)
    if array.shape != shape:
        return np.zeros(shape), [f"{name} has shape {array.shape}, {expected}"]
    if not np.isfinite(array).all():
        return array, [f"{name} holds NaN or infinity"]
    return array, []


def numbers_or_raise(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The value as an array of a shape; it may hold NaN and infinity.

    Raises:
        InputError: it is not numbers, or has another shape.
    """
    array, errors = numbers(name, value, shape)
    if errors and np.isfinite(array).all():
        raise InputError(errors[0])
    return array


def excerpt(value: Any) -> str:
    """The beginning of a value's representation, on one line."""
    try:
        return " ".join(repr(value).split())[:60]
    except (ValueError, RecursionError):  # integers of very many digits; deep nesting
        return f"a {type(value).__name__}"
