"""Libraries that come with an extra, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from spgnet.errors import InputError


def import_extra(module: str, extra: str) -> ModuleType:
    """A module of an optional library.

    Args:
        module: such as ``av``.
        extra: the extra of this package that brings it.

    Raises:
        InputError: it cannot be imported; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        reason = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
        raise InputError(
            f"{module.split('.')[0]} is missing{reason}; install it with: pip install 'spgnet[{extra}]'"
        ) from None
