"""The commands, and how a command line becomes one of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from typing import Any, NamedTuple

import tyro

from spgnet.cli.user_modules import import_named_modules


class Command(NamedTuple):
    """A command, imported only when it is asked for: most of them need PyTorch, which takes seconds.

    Attributes:
        module: where its function is, called ``NAME_command``, with ``_`` for ``-``.
        summary: one line for the help.
    """

    module: str
    summary: str


COMMANDS = {
    "lift": Command(
        "spgnet.cli.motion", "Lift videos, images, 2D keypoints or a webcam to 3D motion in metres."
    ),
    "export": Command(
        "spgnet.cli.motion",
        "Write a lifted motion in the format of another program: spgnet export motion.npz out.bvh.",
    ),
    "view": Command(
        "spgnet.cli.motion",
        "Look at lifted motions in the browser: play, scrub, turn; or write a page that works offline.",
    ),
    "app": Command(
        "spgnet.cli.motion",
        "Drop videos into a page in the browser, and get their motion there; files stay on this machine.",
    ),
    "demo": Command(
        "spgnet.cli.motion",
        "Lift a sample video, and write its motion, a page, an overlay video and a BVH file.",
    ),
    "train": Command(
        "spgnet.cli.research",
        "Train a network by a named recipe or a run's configuration, as it is or with changes.",
    ),
    "evaluate": Command(
        "spgnet.cli.evaluate",
        "Evaluate a network by every metric: a table, and JSON and Markdown files.",
    ),
    "reproduce": Command(
        "spgnet.cli.research",
        "Reproduce a table or a figure of the paper on Human3.6M, or on open data; goes on where it stopped.",
    ),
    "export-model": Command(
        "spgnet.cli.research", "Write a network as an ONNX file, for programs without PyTorch."
    ),
    "bench": Command(
        "spgnet.cli.research",
        "Measure how fast the package is on this machine, beside what people would use instead.",
    ),
    "data": Command(
        "spgnet.cli.research",
        "Check a data set before it is trained or evaluated on: spgnet data check PATH.",
    ),
}

ABOUT = """From 2D human pose to 3D motion in metres.

spgnet COMMAND --help explains a command; spgnet --version says which version this is. With --debug, any
command that refuses its input shows the traceback, too. With --import MODULE (or FILE.py), any command knows
the networks, loss terms and recipes that this module of yours registers."""


def parse(arguments: list[str]) -> Callable[[], None]:
    """The command that a command line asks for, ready to run.

    Raises:
        InputError: there is no such recipe, or an option's value is out of its range.
        SystemExit: help was asked for, or there is no such command or option; what to say is printed.
    """
    arguments = import_named_modules(arguments)
    if not arguments or arguments[0] not in COMMANDS:
        return _print_help(arguments)
    name, *options = arguments
    module = import_module(COMMANDS[name].module)
    if name == "train":
        return partial(module.train_command, module.train_options(options))
    if name == "evaluate":
        options = module.with_present_input(options)
    return tyro.cli(
        _deferred(getattr(module, f"{name.replace('-', '_')}_command")),
        prog=f"spgnet {name}",
        description=COMMANDS[name].summary,
        args=options,
        config=(tyro.conf.AvoidSubcommands, tyro.conf.OmitSubcommandPrefixes),
    )


def _deferred(command: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """A command that is to be parsed now and run later."""

    @wraps(command)
    def parsed(*args: Any, **kwargs: Any) -> Callable[[], None]:
        return partial(command, *args, **kwargs)

    return parsed


def _print_help(arguments: list[str]) -> Callable[[], None]:
    """The help of all commands, or that there is no such command; always ends in SystemExit."""
    return tyro.extras.subcommand_cli_from_dict(
        {name: _placeholder(command.summary) for name, command in COMMANDS.items()},
        prog="spgnet",
        description=ABOUT,
        args=arguments,
    )


def _placeholder(summary: str) -> Callable[[], Callable[[], None]]:
    """A command of which only the summary is needed."""

    def command() -> Callable[[], None]:
        raise AssertionError("only the help of this command is for use")

    command.__doc__ = summary
    return command
