"""Imports point one way through the package."""

import ast
from pathlib import Path

import spgnet

PACKAGE = Path(spgnet.__file__).parent
LEVELS = (
    {"errors", "extras", "files"},
    {"geometry"},
    {"keypoints", "video", "camera_files", "synthetic"},
    {"datasets"},
    {"models"},
    {"data"},
    {"metrics", "evaluation"},
    {"training"},
    {"detection", "lifting", "reproduction"},
    {"export", "view"},
    {"capture"},
    {"cli"},
)


def level(module: str) -> int:
    return next(number for number, names in enumerate(LEVELS) if module in names)


def imported_rooms(path: Path) -> set[str]:
    """The rooms of this package that a file imports from, at any depth of its code."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "spgnet":
            inner = node.module.split(".")[1:]
            rooms |= {inner[0]} if inner else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("spgnet.")}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"
    return rooms


def test_every_room_has_a_place_in_the_flow():
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__", "__main__"} == set().union(*LEVELS)


def test_no_import_points_against_the_flow():
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room not in ("__init__", "__main__"):
            against = {other for other in imported_rooms(path) if level(other) > level(room)}
            assert not against, f"{path.relative_to(PACKAGE)} imports {against}"
