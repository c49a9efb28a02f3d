"""What is installed: the constraints, and the lock of the tested platform."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-lock.txt"


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> dict[str, str]:
    lines = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    return {normal(name): version for name, version in lines}


def test_the_lock_names_the_versions_of_the_constraints_and_leaves_out_pytorch_alone():
    constraints = pinned((ROOT / "constraints.txt").read_text())
    locked = pinned(LOCK.read_text())
    assert constraints.keys() - locked.keys() == {"torch"}
    assert {**locked, "torch": constraints["torch"]} == constraints


def test_every_file_of_the_lock_has_its_hash_and_nothing_says_where_it_was_found():
    entries = re.sub(r"^#.*\n", "", LOCK.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    for line in entries.splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.]+ +--hash=sha256:[0-9a-f]{64}", line), line
    for file in (LOCK, ROOT / "constraints.txt"):
        assert not re.search(r"://|@|--(extra-)?index|--find-links|(^|\s)/", file.read_text(), re.MULTILINE)


def test_every_dependency_of_the_package_and_of_its_build_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    asked += [each for extra in project["project"]["optional-dependencies"].values() for each in extra]
    names = {normal(re.match(r"[\w.-]+", each)[0]) for each in asked} - {"spgnet"}
    assert names <= pinned((ROOT / "constraints.txt").read_text()).keys()
