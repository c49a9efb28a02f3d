"""Everything that a tutorial says to type is typed here, in its order, and what it says to see is seen."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from capture.conftest import SimulatedDetector
from lifting.people import detected_as, filmed
from spgnet.capture import live_source, people
from spgnet.cli.commands import parse
from spgnet.data import sources
from spgnet.video import VideoWriter

DOCS = Path(__file__).parents[1] / "docs"
TUTORIALS = sorted(page for page in (DOCS / "tutorials").glob("*.md") if page.name != "index.md")
QUICK = ("--epochs", "1", "--steps-per-epoch", "2", "--channels", "8", "--trajectory-channels", "4")
NOT_RUN = (
    ("lift", "0"),  # a webcam
    ("reproduce",),  # tests/reproduction runs all of them
    ("data", "check", "H36M"),
    ("train", "randomized", "--data.motion", "motion", "--out", "runs/mine"),  # hours
)
"""Beginnings of commands that are parsed, not run."""


class Block(NamedTuple):
    """A block of code: its language, its text, and the words before it."""

    language: str
    text: str
    before: str


def blocks_in(page: Path) -> Iterator[Block]:
    before = ""
    for part in re.split(r"^( *```\w+\n.*?\n *```)$", page.read_text(), flags=re.DOTALL | re.MULTILINE):
        if match := re.fullmatch(r" *```(\w+)\n(.*)\n *```", part, flags=re.DOTALL):
            text = "\n".join(line.removeprefix("  ") for line in match[2].splitlines())
            yield Block(match[1], text if part.startswith(" ") else match[2], before)
        else:
            before = part


def commands_in(text: str) -> list[list[str]]:
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [line[1:] for line in lines if line[:1] == ["spgnet"]]


def without_numbers(text: str) -> str:
    return re.sub(r"-?\d+(\.\d+)?", "#", text)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """The folder that ``spgnet demo`` leaves, without a network."""
    folder = tmp_path_factory.mktemp("tutorials") / "demo"
    parse(["demo", "--offline", "--out", str(folder)])()
    return folder


@pytest.fixture
def workplace(tmp_path, monkeypatch, demo) -> Path:
    """A folder with what the tutorials' reader has: the demo, a video, keypoints of a detector."""
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(people, "RtmDetector", SimulatedDetector)
    monkeypatch.setattr(live_source, "RtmDetector", lambda folder, concurrent: SimulatedDetector())
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 3, "validation": 1, "test": 1})
    shutil.copytree(demo, "demo")
    with VideoWriter(Path("walk.mp4"), 30.0) as writer:
        for _ in range(30):
            writer.write(np.zeros((1280, 720, 3), np.uint8))
    points = detected_as(filmed(20)[0].points[..., :2], "coco17").points
    frames = [{"image_id": f"{i}.jpg", "keypoints": frame.ravel().tolist()} for i, frame in enumerate(points)]
    Path("keypoints.json").write_text(json.dumps(frames))
    return tmp_path


def photograph_chessboard(folder: Path) -> None:
    """Twelve pictures of a chessboard of 10 x 7 squares of 25 mm, held at different places and angles."""
    cv2 = pytest.importorskip("cv2")
    folder.mkdir()
    squares = 255 * (np.indices((7, 10)).sum(axis=0) % 2).astype(np.uint8)
    board = np.pad(np.kron(squares, np.ones((40, 40), np.uint8)), 40, constant_values=255)
    metres = np.array([[0.025 / 40, 0, -0.15], [0, 0.025 / 40, -0.11], [0, 0, 1]])
    lens = np.array([[900.0, 0, 360], [0, 900, 640], [0, 0, 1]])
    angles = np.random.default_rng(0).uniform(-0.4, 0.4, (12, 3))
    for number, (tilt, turn, roll) in enumerate(angles):
        rotation = cv2.Rodrigues(np.array([tilt, turn, roll]))[0]
        place = [0.1 * roll, 0.1 * tilt, 0.5 + 0.2 * turn]
        view = lens @ np.column_stack((rotation[:, 0], rotation[:, 1], place)) @ metres
        picture = cv2.warpPerspective(board, view, (720, 1280), borderValue=255, flags=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number}.png"), picture)


class Reader:
    """Somebody who types what a page says, into a terminal and into Python."""

    def __init__(self, command: Callable[..., tuple[object, str]], capsys: Any) -> None:
        self.command, self.capsys = command, capsys
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""

    def follow(self, block: Block) -> None:
        if file := re.search(r"as `([\w.]+)`:\s*$", block.before):
            Path(file[1]).write_text(block.text)
        elif block.language == "python":
            exec(compile(block.text, "the page's code", "exec"), self.names)
            self.printed = self.capsys.readouterr().out
        elif block.language == "console":
            self.printed = "\n".join(self.run(arguments) for arguments in commands_in(block.text))
        elif block.language == "text":
            lines = [without_numbers(line).strip() for line in self.printed.splitlines()]
            for line in block.text.splitlines():
                assert without_numbers(line) in lines, self.printed

    def run(self, arguments: list[str]) -> str:
        if any(tuple(arguments[: len(start)]) == start for start in NOT_RUN):
            parse(arguments)
            return ""
        if arguments == ["demo"]:
            arguments = ["demo", "--offline"]
        if arguments[0] == "train":
            arguments = shortened(arguments)
        code, printed = self.command(*arguments)
        assert code is None, f"{arguments}: {code}"
        return printed


def shortened(arguments: list[str]) -> list[str]:
    """A training that takes no time."""
    for name, value in zip(QUICK[::2], QUICK[1::2], strict=True):
        if name in arguments:
            arguments[arguments.index(name) + 1] = value
        else:
            arguments = [*arguments, name, value]
    return arguments


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_can_be_followed_to_its_end(page, workplace, command, capsys):
    if page.stem == "calibrated_cameras":
        photograph_chessboard(workplace / "board")
    reader = Reader(command, capsys)
    blocks = list(blocks_in(page))
    assert {block.language for block in blocks} <= {"bash", "console", "python", "text", "toml"}
    for block in blocks:
        reader.follow(block)


def test_the_list_of_tutorials_is_that_of_the_files():
    named = re.findall(r"\]\((\w+\.md)\)", (DOCS / "tutorials/index.md").read_text())
    assert sorted(named) == [page.name for page in TUTORIALS]
