"""Imports point one way through the package."""

import ast
from pathlib import Path

import spgnet

PACKAGE = Path(spgnet.__file__).parent
LEVELS = (
    {"errors", "extras", "field_types", "files", "hdf5", "hdf5_process", "limits", "object_arrays", "text"},
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
    {"batch", "bench"},
    {"app"},
    {"cli"},
)

CONVENIENCES = {("lifting/motion.py", "export"), ("lifting/motion.py", "view")}
"""Imports against the flow that are allowed inside functions. ``Motion.export`` and ``Motion.show`` are short
for functions of rooms above theirs. They import them when they are called, so that lifting can be imported,
read and tested without these rooms."""


def level(module: str) -> int:
    return next(number for number, names in enumerate(LEVELS) if module in names)


def imported_rooms(path: Path, tree: ast.AST) -> set[str]:
    """The rooms of this package that code imports from, at any depth."""
    rooms = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "spgnet":
            inner = node.module.split(".")[1:]
            rooms |= {inner[0]} if inner else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("spgnet.")}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"
    return rooms


def rooms_imported_in_functions_only(path: Path, tree: ast.Module) -> set[str]:
    """The rooms that importing a file does not import."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    outside = ast.Module([node for node in ast.walk(tree) if id(node) not in inside], [])
    outside.body = [node for node in outside.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return imported_rooms(path, tree) - imported_rooms(path, outside)


def test_every_room_has_a_place_in_the_flow():
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__", "__main__"} == set().union(*LEVELS)


def test_no_import_points_against_the_flow():
    for path in sorted(PACKAGE.rglob("*.py")):
        name, tree = path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room not in ("__init__", "__main__"):
            lazy = rooms_imported_in_functions_only(path, tree)
            allowed = {other for file, other in CONVENIENCES if file == name and other in lazy}
            against = {other for other in imported_rooms(path, tree) if level(other) > level(room)} - allowed
            assert not against, f"{name} imports {against}"


def test_the_allowed_imports_against_the_flow_are_there():
    for name, room in CONVENIENCES:
        path = PACKAGE / name
        assert room in rooms_imported_in_functions_only(path, ast.parse(path.read_text()))
