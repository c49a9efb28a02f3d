"""Recipes, options and values of the command line by the names that they had before."""

from __future__ import annotations

from spgnet.errors import InputError
from spgnet.training.recipes import RECIPES
from spgnet.training.runs import FORMER_DATA_FIELDS, FORMER_FIELDS, FORMER_RANDOMIZATION_FIELDS

FORMER_RECIPES = {"wild": "randomized", "wild-live": "randomized-live", "wild-gpu": "randomized-gpu"}
FORMER_OPTIONS = {
    **FORMER_FIELDS,
    **{f"data.{former}": f"data.{present}" for former, present in FORMER_DATA_FIELDS.items()},
    **{
        f"data.{former_group}.{former}": f"data.randomization.{present}"
        for former_group in ("wildness", "randomization")
        for former, present in FORMER_RANDOMIZATION_FIELDS.items()
    },
}
"""Recipes and options by the names that they had before."""


def with_present_names(arguments: list[str]) -> list[str]:
    """The arguments of ``spgnet train``, former names of recipes and options replaced by the present ones.

    Raises:
        InputError: there is no such recipe.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        return arguments
    recipe = FORMER_RECIPES.get(arguments[0], arguments[0])
    if recipe not in RECIPES:
        raise InputError(f"no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    return [recipe, *with_present_options(arguments[1:])]


def with_present_options(arguments: list[str]) -> list[str]:
    """The options of ``spgnet train`` by their present names."""
    return with_present_input([_present_option(argument) for argument in arguments])


def with_present_input(arguments: list[str]) -> list[str]:
    """The arguments with the 2D input ``wild`` by its present name, ``randomized``."""
    present = []
    for argument in arguments:
        option, equals, value = argument.rpartition("=")
        if value == "wild" and (option if equals else (present or [""])[-1]) in ("--input", "--data.input"):
            argument = f"{option}{equals}randomized"
        present.append(argument)
    return present


def _present_option(argument: str) -> str:
    """An option such as ``--data.wildness.roll`` or ``--run-length=3`` by its present name."""
    name, equals, value = argument.partition("=")
    if not name.startswith("--"):
        return argument
    field = name[2:].replace("-", "_")
    present = FORMER_OPTIONS.get(field, field.replace("data.wildness.", "data.randomization."))
    return argument if present == field else f"--{present.replace('_', '-')}{equals}{value}"
