"""Ctrl-C and SIGTERM end a command with one line at any moment, and never with a traceback."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from spgnet import cli
from spgnet.cli import commands


class InFinalizer:
    """Calls a function when it is collected."""

    def __init__(self, function):
        self.function = function

    def __del__(self):
        self.function()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_that_comes_in_a_finalizer_ends_the_command(monkeypatch, capsys, number):
    def work() -> None:
        InFinalizer(lambda: signal.raise_signal(number))
        for _ in range(500):
            time.sleep(0.01)

    monkeypatch.setattr(commands, "parse", lambda arguments: work)
    with pytest.raises(SystemExit, match="interrupted"):
        cli.run_command()
    assert capsys.readouterr().err == ""


def test_an_interrupt_in_a_last_finalizer_does_not_outlive_the_command(monkeypatch):
    work = lambda: InFinalizer(lambda: signal.raise_signal(signal.SIGTERM)) and None  # noqa: E731
    monkeypatch.setattr(commands, "parse", lambda arguments: work)
    cli.run_command()
    time.sleep(0.05)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_exceptions_of_finalizers_are_shown_as_ever(monkeypatch):
    def fail() -> None:
        raise RuntimeError("a fault")

    shown: list[SimpleNamespace] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    monkeypatch.setattr(commands, "parse", lambda arguments: lambda: InFinalizer(fail) and None)
    cli.run_command()
    assert [str(each.exc_value) for each in shown] == ["a fault"]


@pytest.mark.skipif(os.name != "posix", reason="a process cannot press Ctrl-C for itself")
def test_ctrl_c_while_the_interpreter_ends_prints_nothing():
    code = (
        "import atexit, os, signal, sys; sys.argv = ['spgnet', '--version']\n"
        "atexit.register(lambda: (os.kill(os.getpid(), signal.SIGINT), print('still running')))\n"
        "from spgnet.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
    assert done.stdout.startswith("spgnet ")
    assert "still running" not in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="no shell hands an ignored Ctrl-C on")
def test_a_command_that_was_started_to_ignore_ctrl_c_ignores_it_to_its_end():
    code = (
        "import atexit, os, signal, sys; sys.argv = ['spgnet', '--version']\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "from spgnet.cli import main; main()"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
