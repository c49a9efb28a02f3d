"""The commands, and how a command line becomes one of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import redirect_stderr
from functools import partial, wraps
from io import StringIO
from typing import Any

import tyro

from spgnet.cli.motion import demo_command, export_command, lift_command, view_command
from spgnet.cli.research import data_command, evaluate_command, reproduce_command, train_command
from spgnet.errors import InputError
from spgnet.training.recipes import RECIPES


def deferred(command: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """A command that is to be parsed now and run later."""

    @wraps(command)
    def parsed(*args: Any, **kwargs: Any) -> Callable[[], None]:
        return partial(command, *args, **kwargs)

    return parsed


OLD_RECIPES = {"wild": "randomized", "wild-live": "randomized-live"}
"""Recipes by the names that they had before."""

COMMANDS = {
    "lift": lift_command,
    "export": export_command,
    "view": view_command,
    "demo": demo_command,
    "train": train_command,
    "evaluate": evaluate_command,
    "reproduce": reproduce_command,
    "data": data_command,
}


def parse(arguments: list[str]) -> Callable[[], None]:
    """The command that a command line asks for, ready to run.

    Raises:
        InputError: there is no such command, recipe or option, or a value is out of its range.
        SystemExit: help was asked for, and is printed.
    """
    if arguments[:1] == ["train"] and arguments[1:2]:
        arguments = ["train", OLD_RECIPES.get(arguments[1], arguments[1]), *arguments[2:]]
    if arguments[:1] == ["train"] and len(arguments) > 1 and arguments[1] not in (*RECIPES, "-h", "--help"):
        raise InputError(f"no recipe {arguments[1]!r}; there are {', '.join(RECIPES)}")
    messages = StringIO()
    try:
        with redirect_stderr(messages):
            return tyro.extras.subcommand_cli_from_dict(
                {name: deferred(command) for name, command in COMMANDS.items()},
                prog="spgnet",
                description="From 2D human pose to 3D motion in metres.",
                args=arguments,
                config=(tyro.conf.AvoidSubcommands, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if stop.code:
            raise InputError(_without_box(messages.getvalue())) from None
        raise


def _without_box(message: str) -> str:
    """The sentences of the parser's framed, many-lined error message."""
    rows = [row.strip(" │") for row in message.splitlines() if not row.startswith(("╭", "╰"))]
    sections = " ".join("\n" if set(row) == {"─"} else row for row in rows).split("\n")
    kept = [part.strip() for part in sections if not re.match(r" *(For full|Argument) helptext", part)]
    return re.sub(r"Error parsing __tyro\S*: ", "", "; ".join(kept))
