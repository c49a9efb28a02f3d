"""The names of ``import spgnet``: what they are, and that they cost nothing until they are used."""

import ast
import doctest
import importlib
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import spgnet

HEAVY = ("torch", "numpy", "jaxtyping", "lightning_fabric")


def run(*arguments: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import spgnet",
        "import spgnet; dir(spgnet), spgnet.__all__, spgnet.InputError",
        "import spgnet.cli",
        "import sys; sys.argv = ['spgnet', '--version']; import spgnet.cli; spgnet.cli.main()",
        "import sys; sys.argv = ['spgnet', '--help']; import spgnet.cli\n"
        "try: spgnet.cli.main()\n"
        "except SystemExit as stop: assert not stop.code",
    ],
)
def test_neither_the_import_nor_the_help_needs_a_heavy_library(code):
    printed = run(
        "-c", f"{code}\nimport sys; print('loaded:', *(name for name in {HEAVY} if name in sys.modules))"
    )
    assert printed.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize("module", ["spgnet.lifting", "spgnet.cli.motion"])
def test_lifting_loads_neither_pytorch_s_compiler_nor_what_training_needs(module):
    code = f"import sys, {module}; print(*{{'torch._dynamo', 'lightning_fabric'}} & set(sys.modules))"
    assert run("-c", code).strip() == ""


@pytest.mark.parametrize("name", spgnet.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    assert name in dir(spgnet)
    assert getattr(spgnet, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'spgnet' has no attribute 'lifft'"):
        spgnet.lifft  # noqa: B018


def test_type_checkers_see_the_same_names_from_the_same_modules():
    """The imports for type checkers, which editors follow, against what the names are at run time."""
    body = ast.parse(Path(spgnet.__file__).read_text()).body
    (checking,) = (node for node in body if isinstance(node, ast.If))
    imported = {
        alias.name: node.module
        for node in checking.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported.keys() | {"InputError", "SpgnetError"} == set(spgnet.__all__)
    for name, module in imported.items():
        value = getattr(spgnet, name)
        if name == "export":
            assert value is importlib.import_module("spgnet.export")
        elif name in ("losses", "metrics"):
            assert value is importlib.import_module(f"{module}.{name}")
        else:
            assert value is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    "imports",
    ["import spgnet", "import spgnet, spgnet.export.bvh", "import spgnet; from spgnet.export import export"],
)
def test_export_is_a_function_and_a_package_whatever_is_imported_first(imports):
    code = f"{imports}\nspgnet.export([], 'x.bvh')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "InputError: x.bvh: there is no motion to export" in done.stderr
    assert importlib.import_module("spgnet.export.bvh").bvh_text


def test_the_weights_that_come_with_the_package_have_a_line_each():
    weights = spgnet.available_weights()
    assert set(weights) == {"default", "live"}
    assert all(line and "\n" not in line for line in weights.values())
    assert "past" not in weights["default"]
    assert "live" in weights["live"]


CALIBRATION = (
    '[cam01]\nname = "cam01"\nsize = [1088.0, 1920.0]\n'
    "matrix = [[1681.0, 0.0, 544.0], [0.0, 1681.0, 960.0], [0.0, 0.0, 1.0]]\n"
    "distortions = [0.0, 0.0, 0.0, 0.0]\nrotation = [1.2, 0.0, 0.0]\ntranslation = [0.0, 1.0, 4.0]\n"
    "fisheye = false\n"
)
SHOWN_BY_EXAMPLE = (
    "Lifter",
    "Motion",
    "SPGNet",
    "StreamingLifter",
    "available_weights",
    "lift",
    "load_camera",
    "load_keypoints",
    "load_motion",
)


@pytest.fixture
def example_files(tmp_path, monkeypatch):
    """The files that the examples of the docstrings speak of."""
    monkeypatch.chdir(tmp_path)
    clip = files("spgnet").joinpath("samples", "pose2sim_cam01.npz")
    Path("keypoints.npz").write_bytes(clip.read_bytes())
    Path("calibration.toml").write_text(CALIBRATION)
    (motion,) = spgnet.lift("keypoints.npz")
    motion.save("motion.npz")


def examples_of(name: str) -> list[doctest.DocTest]:
    names = {public: getattr(spgnet, public) for public in spgnet.__all__}
    subject = names[name] if name != "export" else importlib.import_module("spgnet.export").export
    motion = {"motion": spgnet.load_motion("motion.npz")}
    found = doctest.DocTestFinder().find(subject, name, globs={**names, **motion, "export": spgnet.export})
    return [test for test in found if test.examples]


@pytest.mark.usefixtures("example_files")
@pytest.mark.parametrize("name", [*SHOWN_BY_EXAMPLE, "export"])
def test_the_examples_of_the_docstrings_do_what_they_say(name):
    examples = examples_of(name)
    assert examples
    for example in examples:
        said: list[str] = []
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=said.append)
        assert not said, "".join(said)


@pytest.mark.usefixtures("example_files")
def test_the_example_of_the_package_works():
    examples = doctest.DocTestParser().get_doctest(spgnet.__doc__ or "", {}, "spgnet", None, None)
    assert examples.examples
    assert not doctest.DocTestRunner().run(examples).failed
    assert Path("walk.bvh").exists()


@pytest.mark.usefixtures("example_files")
def test_the_readme_s_python_works(monkeypatch):
    from spgnet.view import page

    readme = (Path(__file__).parents[1] / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    lift, camera = spgnet.lift, {"camera", "camera_name"}

    def lift_keypoints(_: str, **options: Any) -> list[spgnet.Motion]:
        """The same call on keypoints, without the files that the example names."""
        return lift("keypoints.npz", **{name: value for name, value in options.items() if name not in camera})

    monkeypatch.setattr(spgnet, "lift", lift_keypoints)
    opened: list[str] = []
    monkeypatch.setattr(page.webbrowser, "open", opened.append)
    exec(compile(example, "README.md", "exec"), {})
    assert Path("walk.bvh").exists()
    assert opened
