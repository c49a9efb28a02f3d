"""Modules of the user's own, which register networks, loss terms and recipes (``--import``).

Nothing else of the user's is ever run: a run folder or a checkpoint that needs a module says which one.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from spgnet.errors import InputError


def import_named_modules(arguments: list[str]) -> list[str]:
    """Import what the options ``--import`` of a command line name, and return the other arguments.

    Raises:
        InputError: there is no such module or file.
    """
    while True:
        arguments, name = take_option(arguments, "--import")
        if name is None:
            return arguments
        import_user_module(name)


def take_option(arguments: list[str], option: str) -> tuple[list[str], str | None]:
    """The arguments without the first such option and its value, and this value.

    Raises:
        InputError: the option has no value.
    """
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name != option:
            continue
        if equals:
            return arguments[:number] + arguments[number + 1 :], value
        if number + 1 == len(arguments):
            raise InputError(f"{option} needs a value")
        return arguments[:number] + arguments[number + 2 :], arguments[number + 1]
    return arguments, None


def import_user_module(name: str) -> None:
    """Import a module by its name, also from the present folder, or a file (``.py``) by its path.

    Raises:
        InputError: there is none, or a file has the name of a module that is loaded.
    """
    path = Path(name)
    if path.suffix == ".py":
        spec = spec_from_file_location(path.stem, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise InputError(f"{path}: no such file to import")
        loaded = sys.modules.get(path.stem)
        if loaded is not None and getattr(loaded, "__file__", None) != spec.origin:
            raise InputError(f"{path}: another module called {path.stem!r} is loaded; rename the file")
        module = sys.modules[path.stem] = module_from_spec(spec)
        spec.loader.exec_module(module)
        return
    if not name or name.startswith("."):
        raise InputError(f"no module {name!r} to import; expected its name, or the path of a file (.py)")
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and lacks another one
        raise InputError(f"no module {name!r} to import, here or installed") from None
    finally:
        sys.path.remove(here)
