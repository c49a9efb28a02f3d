"""Loggers beside a run's own log."""

import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from spgnet.errors import InputError
from spgnet.files import read_json_lines
from spgnet.training.loggers import StepLog, WandbLog


def test_steps_that_are_done_again_are_logged_once(tmp_path):
    log = StepLog(tmp_path)
    for step in (10, 20, 30):
        log.log_metrics({"step/loss": 1.0 / step, "validation_mpjpe": 3.0}, step)
    log.log_metrics({"validation_mpjpe": 3.0}, 30)  # an epoch, which has its own log
    again = StepLog(tmp_path, step=20)
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": 4')  # a disk was full
    again.log_metrics({"step/loss": 0.5}, 30)
    expected = [{"step": 10, "loss": 0.1}, {"step": 20, "loss": 0.05}, {"step": 30, "loss": 0.5}]
    assert read_json_lines(tmp_path / "steps.jsonl") == expected


def test_wandb_gets_a_run_of_the_folder_s_name_with_the_first_entry(tmp_path, monkeypatch):
    calls = []
    run = SimpleNamespace(log=lambda values, step: calls.append((values, step)))
    fake = ModuleType("wandb")
    monkeypatch.setattr(fake, "init", lambda **options: calls.append(options) or run, raising=False)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    log = WandbLog(tmp_path / "walk", "mine")
    assert calls == []
    log.log_metrics({"loss": 1.0}, 5)
    log.log_metrics({"loss": 0.5}, 6)
    options = {"project": "mine", "name": "walk", "dir": str(tmp_path / "walk")}
    assert calls == [options, ({"loss": 1.0}, 5), ({"loss": 0.5}, 6)]


def test_wandb_itself_writes_a_run_without_a_network(tmp_path):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    (tmp_path / "walk").mkdir()
    script = """
from pathlib import Path
from spgnet.training.loggers import WandbLog

WandbLog(Path("walk"), "mine").log_metrics({"loss": 1.0}, 5)
"""
    environment = os.environ | {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment)
    (record,) = (tmp_path / "walk" / "wandb").glob("offline-run-*/run-*.wandb")
    assert record.stat().st_size > 0


def test_a_missing_wandb_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"wandb is missing; install it with: pip install 'spgnet\[wandb\]'"):
        WandbLog(tmp_path, "mine")
