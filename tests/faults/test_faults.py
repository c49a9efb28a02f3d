"""Faults: a few of those of ``make test-faults``, and that its laws notice what breaks them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faults.disk import full_disk
from faults.jobs import Job
from faults.marks import Marks, read_marks
from faults.table import BEGIN, END, HEADING, PAGE, RESULTS, Row, by_fault, markdown, merge, show
from faults.terminal import Session
from faults.trials import Outcome, Undisturbed, look
from lifting.people import camera, filmed, lifter
from spgnet.export import FORMATS, export
from spgnet.keypoints import save_keypoints
from spgnet.lifting import Motion
from spgnet.models import RayNetConfig
from spgnet.training.checkpoint import Progress, save_checkpoint
from spgnet.video import VideoWriter
from spgnet.view.page import write_page


@pytest.fixture(scope="module")
def motion() -> Motion:
    """The exact motion of a walk of 300 frames."""
    keypoints, joints = filmed(300)
    return Motion(
        joints=joints.astype(np.float64),
        confidence=np.ones(joints.shape[:2]),
        pixels=keypoints.points[..., :2].astype(np.float64),
        timestamps=keypoints.timestamps,
        camera=camera(),
        camera_source="a test",
        weights="none",
    )


def write_checkpoint(path: Path) -> None:
    config = RayNetConfig(filter_widths=(3, 3), channels=16, trajectory_channels=16)
    save_checkpoint(path, config, Progress(), lifter().model)


def write_video(path: Path) -> None:
    rng = np.random.default_rng(0)
    with VideoWriter(path) as writer:
        for _ in range(20):
            writer.write(rng.integers(0, 255, (96, 96, 3), dtype=np.uint8))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
@pytest.mark.parametrize(
    "name",
    [*(f"motion.{suffix}" for suffix in FORMATS), "page.html", "w.safetensors", "k.npz", "a.mp4", "a.mkv"],
)
def test_a_full_disk_is_one_error_that_names_the_file_and_leaves_nothing(motion, tmp_path, name, share):
    path = tmp_path / name
    write = {
        "page.html": lambda: write_page(path, [motion]),
        "w.safetensors": lambda: write_checkpoint(path),
        "k.npz": lambda: save_keypoints(path, filmed(60)[0]),
        "a.mp4": lambda: write_video(path),
        "a.mkv": lambda: write_video(path),
    }.get(name, lambda: export(motion, path))
    write()
    room = int(share * path.stat().st_size)
    path.unlink()
    with pytest.raises(OSError, match=name.replace(".", r"\.")) as error, full_disk(room):
        write()
    assert "partial" not in str(error.value)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_some_faults_of_every_kind_break_no_law():
    run = [sys.executable, str(Path(__file__).with_name("run.py"))]
    options = ["--only", "train", "export", "--count", "2", "--places", "1"]
    done = subprocess.run([*run, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 breaches" in done.stdout


def test_the_laws_notice_what_breaks_them(tmp_path):
    job = Job("lift", lambda inputs, folder: [])
    (tmp_path / "out.txt").write_text("half")
    (tmp_path / "whole.txt").write_text("whole")
    expected = Undisturbed({**job.contents(tmp_path), "out.txt": "another"}, 10, [])
    session = Session(lambda: print("motion: out/motion.npz\nspgnet: out/other.npz cannot be written"))
    session.wait()
    marks = Marks(tmp_path / ".marks")
    with marks.during("step"):
        marks.begin("told run 5")
    outcome = Outcome("step")
    look(job, expected, tmp_path, session, marks.path, outcome)
    assert outcome.half == ["out.txt"]
    assert outcome.lost == ["out/motion.npz", "run: step 5"]
    assert [mark.what for mark in read_marks(marks.path)] == ["step", "told run 5", "start"]


def test_ctrl_c_in_the_terminal_interrupts_a_process_and_a_kill_ends_it():
    def wait() -> None:
        print("ready", flush=True)
        time.sleep(60)

    for number, code, said in (("SIGINT", 1, "KeyboardInterrupt"), ("SIGKILL", -9, ""), ("SIGTERM", -15, "")):
        session = Session(wait)
        while "ready" not in session.text:
            session.poll(0.01)
        session.send(number)
        assert session.wait() == code
        assert said in session.text


def test_rows_of_the_table_are_replaced_by_their_latest_run_and_shown_in_their_place(tmp_path):
    row = Row("train", "SIGKILL")
    for outcome in (
        Outcome("step"),
        Outcome("write a.txt"),
        Outcome(None, half=["a", "b"]),
        Outcome("detect"),
    ):
        row.count(outcome)
    assert (row.tried, row.steps, row.writes, row.late, row.other, row.half) == (4, 1, 1, 1, 1, 1)
    kept = merge([row, Row("lift", "full disk", 2)], tmp_path / "faults.json")
    assert [each.fault for each in kept] == ["SIGKILL", "full disk"]
    again = merge([replace(row, tried=9)], tmp_path / "faults.json")
    assert [each.tried for each in again] == [9, 2]
    page = tmp_path / "trust.md"
    page.write_text(f"# Trust\n\n{HEADING}\n\nThe next.\n")
    for rows in (kept, again):
        show(rows, page)
    text = page.read_text()
    assert text.count(BEGIN) == text.count("| train |") == 1
    assert text.startswith("# Trust")
    assert text.endswith("The next.\n")
    assert markdown(again) in text


def test_the_rows_of_a_fault_are_added_up():
    rows = [Row("lift", "SIGINT", 3, late=2), Row("train", "SIGINT", 4, steps=4), Row("lift", "full disk", 2)]
    sums = [Row("lift, train", "SIGINT", 7, steps=4, late=2), Row("lift", "full disk", 2)]
    assert by_fault(rows) == sums


def test_the_page_shows_the_faults_that_were_recorded_and_nothing_was_lost():
    """What is counted as "Other" lost nothing; the page says what it was."""
    rows = [Row(**each) for each in json.loads(RESULTS.read_text())] if RESULTS.exists() else []
    shown = PAGE.read_text().split(BEGIN)[1].split(END)[0].strip()
    assert shown == (markdown(by_fault(rows)) if rows else "")
    for row in rows:
        assert not any((row.lost, row.half, row.differing, row.left)), row
    others = sum(row.wrong for row in rows)
    assert not others or 'under "Other"' in PAGE.read_text()
