"""Values from JSON for the fields of a dataclass, checked against the types of the fields."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from spgnet.errors import InputError

LARGEST = 1e9
"""The largest magnitude of a floating-point number in a configuration; whole ones may be as large as is
exact."""
_LONGEST = 1000
"""The most values of a tuple."""


def field_values(kind: type, values: Any) -> dict[str, Any]:
    """Arguments for a dataclass from the values of a JSON object.

    Lists become tuples, whole numbers floating-point ones where these are expected, and text a path. Fields
    that are dataclasses themselves, or dictionaries, are left as they are.

    Args:
        kind: the dataclass.
        values: of its fields, by name; those that have defaults may be absent.

    Raises:
        InputError: they are no object, one is no field's, or a value is not of its field's type, not finite,
            or beyond :data:`LARGEST`.
    """
    if not isinstance(values, dict):
        raise InputError(f"expected an object with the fields of {kind.__name__}, got {str(values)[:40]}")
    hints, arguments = _hints(kind), {}
    for name, value in values.items():
        if name not in hints:
            raise InputError(f"{kind.__name__} has no {name[:40]!r}")
        try:
            arguments[name] = _converted(value, hints[name])
        except TypeError:
            raise InputError(f"{name} is {str(value)[:40]}, expected {_name(hints[name])}") from None
    return arguments


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _converted(value: Any, hint: Any) -> Any:
    """The value as the type that a hint names.

    Raises:
        TypeError: it is no such value.
    """
    origin, choices = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        for choice in choices:
            try:
                return _converted(value, choice)
            except TypeError:
                continue
    elif origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return value
    elif origin is tuple and isinstance(value, list | tuple) and len(value) <= _LONGEST:
        types = choices[:1] * len(value) if choices[-1] is ... else choices
        if len(types) == len(value):
            return tuple(_converted(part, each) for part, each in zip(value, types, strict=True))
    elif origin is dict and isinstance(value, dict):
        return value
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= LARGEST:  # which NaN is not, either
            return float(value)
    elif hint is int and type(value) is int:
        if abs(value) <= 2**53:
            return value
    elif hint in (bool, str, NoneType) and type(value) is hint:
        return value
    elif hint is Path and isinstance(value, str | Path):
        return Path(value)
    elif isinstance(hint, type) and hint not in (bool, int, float, str, tuple, Path, NoneType):
        return value
    raise TypeError


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", "") if isinstance(hint, type) and not get_args(hint) else str(hint)
