"""NOTICE: whatever comes from elsewhere is named with its licence."""

import json
import re
from pathlib import Path

import pytest

import spgnet
from spgnet.detection import downloads

ROOT = Path(__file__).resolve().parents[1]
NOTICE = (ROOT / "NOTICE").read_text()
OWN = {".py", ".js", ".css", ".html", ".md", ".typed"}
"""Suffixes of the project's own code and text."""


def package_data() -> list[Path]:
    package = Path(spgnet.__file__).parent
    return [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_every_data_file_of_the_package_is_named():
    files = [path for path in package_data() if path.suffix not in OWN and path.name != "manifest.json"]
    assert len(files) >= 7
    for path in files:
        assert f"src/{path.relative_to(Path(spgnet.__file__).parents[1])}" in NOTICE, path


def test_every_binary_file_of_the_package_is_data():
    for path in package_data():
        if path.suffix in OWN:
            path.read_bytes().decode()


def test_every_picture_of_the_documentation_is_named():
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in (".png", ".jpg", ".gif", ".mp4", ".webp"):
            name = str(path.relative_to(ROOT))
            assert name in NOTICE or re.sub(r"[^/]+(\.\w+)$", r"*\1", name) in NOTICE, name


def test_every_file_that_is_fetched_is_named_with_the_wheel_it_is_in():
    for file in (downloads.BOXES, downloads.POSE):
        assert Path(file.member).name in NOTICE
    wheels = (downloads.POSE2SIM, downloads.SPORTS2D)
    for requirement in (downloads.REQUIREMENT, *(wheel.requirement for wheel in wheels)):
        assert requirement.replace("==", " ") in NOTICE
    named = set(re.findall(r"[\w.]+\.(?:mp4|toml)", NOTICE))
    for wheel in wheels:
        for name in wheel.files:
            stem = re.sub(r"\d\d\.mp4$", "", name)
            assert name in named or {f"{stem}01.mp4", f"{stem}04.mp4"} <= named, name


@pytest.mark.parametrize("name", ["default", "live"])
def test_the_credit_that_the_weights_ask_for_is_given(name):
    manifest = json.loads((Path(spgnet.__file__).parent / "weights/manifest.json").read_text())
    assert "CMU" in manifest[name]["data"]
    assert "NSF EIA-0196217" in manifest[name]["credit"]
    assert "NSF EIA-0196217" in NOTICE
    assert "mocap.cs.cmu.edu" in NOTICE


def test_no_library_is_hidden_in_the_page():
    for path in (Path(spgnet.__file__).parent / "view").iterdir():
        if path.suffix in (".js", ".html", ".css"):
            text = path.read_text()
            assert not re.search(
                r"three(\.min)?\.js|@license|copyright|sourceMappingURL", text, re.IGNORECASE
            )
            assert max(map(len, text.splitlines())) < 400
