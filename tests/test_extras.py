"""A library that is not installed is told in one line, with the extra that brings it."""

import ast
import os
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import spgnet
from spgnet.errors import InputError
from spgnet.extras import how_to_install, import_extra


def test_a_library_that_is_there_is_imported():
    assert import_extra("xml.dom", "export") is sys.modules["xml.dom"]


@pytest.mark.parametrize(
    ("module", "title"), [("av", "PyAV"), ("PIL.Image", "Pillow"), ("cv2", "OpenCV"), ("viser", "viser")]
)
def test_a_missing_library_is_called_by_its_title_and_its_extra(monkeypatch, module, title):
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    monkeypatch.delitem(sys.modules, module, raising=False) if "." in module else None
    with pytest.raises(InputError) as error:
        import_extra(module, "some-extra")
    assert str(error.value) == f"{title} is missing; install it with: pip install 'spgnet[some-extra]'"
    assert how_to_install(module, "some-extra") == str(error.value)


def test_onnx_runtime_is_told_to_send_nothing_home_before_it_is_imported(monkeypatch):
    told = []

    def recorded(name: str) -> ModuleType:
        told.append(os.environ["ORT_DISABLE_TELEMETRY"])
        return sys

    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setattr("spgnet.extras.import_module", recorded)
    import_extra("rtmlib", "video")  # which imports it
    assert told == ["1"]


def test_why_a_library_cannot_be_imported_is_told(monkeypatch):
    """Such as a requirement of its own that is missing, or a shared library that does not fit."""

    def broken(name: str) -> None:
        raise ModuleNotFoundError("No module named 'tqdm'", name="tqdm")

    monkeypatch.setattr("spgnet.extras.import_module", broken)
    with pytest.raises(InputError, match=r"viser is missing \(No module named 'tqdm'\); install"):
        import_extra("viser", "view")


def test_an_opencv_without_display_libraries_is_told_what_to_do(monkeypatch):
    def broken(name: str) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr("spgnet.extras.import_module", broken)
    with pytest.raises(InputError, match=r"libGL\.so\.1.*no display.*spgnet\[video-headless\].*--no-deps"):
        import_extra("rtmlib", "video")


def test_an_error_inside_a_library_is_no_missing_library(monkeypatch):
    def faulty(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("spgnet.extras.import_module", faulty)
    with pytest.raises(ZeroDivisionError):
        import_extra("viser", "view")


def test_every_extra_that_the_package_asks_for_exists():
    """The names in calls of `import_extra` and `how_to_install` are those of the package's metadata."""
    asked = set()
    for path in Path(spgnet.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_extra":
                asked |= {argument.value for argument in node.args[1:] if isinstance(argument, ast.Constant)}
    project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())
    assert asked
    assert asked <= set(project["project"]["optional-dependencies"])
