"""The command line: what it does, and how it says no."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spgnet import __version__
from spgnet.cli import evaluate
from spgnet.cli.commands import COMMANDS, parse
from spgnet.cli.former_names import with_present_names
from spgnet.data import sources
from spgnet.errors import InputError
from spgnet.models import MODEL_CONFIGS
from spgnet.training.losses import LOSS_TERMS
from spgnet.training.recipes import RECIPES
from spgnet.training.runs import read_log
from spgnet.training.weights import read_manifest

SMALL = ["--channels", "8", "--trajectory-channels", "4", "--epochs", "1", "--steps-per-epoch", "2"]


@pytest.fixture
def spgnet(monkeypatch, tmp_path, command):
    """Run the command in an empty folder with little motion: how it ended, and its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "PROCEDURAL_CLIPS", {"train": 7, "validation": 1, "test": 7})
    return command


def is_one_line(message: object) -> bool:
    return isinstance(message, str) and message.startswith("spgnet: ") and "\n" not in message


def test_train_then_evaluate(spgnet):
    code, output = spgnet("train", "demo", *SMALL)
    assert code is None
    assert "spgnet evaluate runs/demo" in output
    code, output = spgnet("evaluate", "runs/demo", "--input", "noisy")
    assert code is None
    assert "mean over actions" in output
    result = json.loads(Path("runs/demo/evaluation-test-noisy.json").read_text())
    assert set(result["actions"]) >= {"walk", "sit"}
    assert Path("runs/demo/evaluation-test-noisy.md").read_text().startswith("| action |")


def test_train_does_not_overwrite_and_resumes_when_told(spgnet):
    spgnet("train", "demo", *SMALL, "--out", "r")
    code, _ = spgnet("train", "demo", *SMALL, "--out", "r")
    assert is_one_line(code)
    assert "already holds a run" in str(code)
    assert spgnet("train", "demo", *SMALL, "--out", "r", "--resume")[0] is None
    code, _ = spgnet("train", "demo", *SMALL, "--out", "r", "--resume", "--seed", "5")
    assert is_one_line(code)
    assert "seed is 0, now 5" in str(code)


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.usefixtures("registries")
def test_a_network_of_one_s_own_is_known_where_its_module_is_named(spgnet):
    imported = ["--import", str(EXAMPLES / "08_add_a_network.py")]
    few = ["--epochs", "1", "--steps-per-epoch", "2"]
    code, _ = spgnet("train", "recurrent", *few, "--channels", "8", "--out", "r", *imported)
    assert code is None
    code, output = spgnet(*imported, "evaluate", "r/best.safetensors")
    assert code is None
    assert "mean over actions" in output
    MODEL_CONFIGS.pop("recurrent")
    needs = "the network 'recurrent' is defined in '08_add_a_network', which is not imported"
    for weights in ("r", "r/best.safetensors"):
        code, _ = spgnet("evaluate", weights)
        assert is_one_line(code)
        assert needs in str(code)
        assert "--import" in str(code)


@pytest.mark.usefixtures("registries")
def test_a_file_to_import_does_not_take_the_place_of_a_module(spgnet):
    Path("json.py").write_text("raise AssertionError\n")
    code, _ = spgnet("evaluate", "default", "--import", "json.py")
    assert code == "spgnet: json.py: another module called 'json' is loaded; rename the file"
    assert spgnet("evaluate", "default", "--import")[0] == "spgnet: --import needs a value"


def test_a_loss_term_of_one_s_own_is_an_option_of_every_recipe_and_stands_in_the_run(spgnet):
    source = (EXAMPLES / "07_add_a_loss_term.py").read_text()
    Path("my_terms.py").write_text(source)
    options = ["--import=my_terms", "--terms.symmetry.weight", "0.5", "--terms.symmetry.power", "2"]
    assert spgnet("train", "demo", *SMALL, "--out", "r", *options)[0] is None
    terms = json.loads(Path("r/config.json").read_text())["terms"]
    assert terms == {"symmetry": {"weight": 0.5, "power": 2.0, "module": "my_terms"}}
    assert "loss/symmetry" in read_log(Path("r"))[0]
    assert spgnet("train", "demo", *SMALL, "--out", "without", "--import", "my_terms")[0] is None
    assert json.loads(Path("without/config.json").read_text())["terms"] == {}
    LOSS_TERMS.clear()
    code, _ = spgnet("evaluate", "r")
    assert "the loss term 'symmetry' is defined in 'my_terms', which is not imported" in str(code)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("nowhere.py", "nowhere.py: no such file to import"),
        ("no_such_module", "no module 'no_such_module'"),
        ("./my_terms", "no module './my_terms' to import; expected its name, or the path of a file (.py)"),
        ("", "no module '' to import"),
    ],
)
def test_a_module_that_is_not_there_is_named(spgnet, name, fault):
    code, _ = spgnet("evaluate", "r", "--import", name)
    assert is_one_line(code)
    assert fault in str(code)


def test_a_run_s_configuration_trains_again_with_changes_and_goes_on_longer(spgnet):
    assert spgnet("train", "demo", *SMALL, "--out", "r", "--decay", "0.5", "--log-every", "2")[0] is None
    again = ["train", "--config", "r/config.json"]
    assert "already holds a run" in str(spgnet(*again)[0])
    assert spgnet(*again, "--out", "again")[0] is None
    assert Path("again/config.json").read_text() == Path("r/config.json").read_text()
    assert spgnet(*again, "--resume", "--epochs", "2", "--log-every", "1")[0] is None
    assert [entry["step"] for entry in read_log(Path("r"))] == [2, 4]
    steps = [json.loads(line) for line in Path("r/steps.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in steps] == [2, 3, 4]
    assert steps[0].keys() >= {"rate", "loss/pose"}
    assert steps[2]["rate"] == pytest.approx(0.5 * steps[0]["rate"])
    code, _ = spgnet("train", "small-27", "--config", "r/config.json")
    assert "give either the recipe 'small-27' or --config" in str(code)


def test_a_run_starts_from_weights_of_the_package_and_names_the_fields_that_differ(spgnet):
    rays = ["--data.input", "randomized", "--data.generated", "0", "--initial-weights", "live"]
    few = ["--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "8", "--steps-per-draw", "1"]
    channels = read_manifest()["live"]["recipe"]["model"]["channels"]
    sizes = ["--channels", str(channels), "--out", "r"]
    assert spgnet("train", "randomized-live", *rays, *few, *sizes)[0] is None
    code, _ = spgnet("train", "randomized-live", *rays, *few, "--channels", "128", "--out", "s")
    assert is_one_line(code)
    assert "live.safetensors: weights do not fit the network" in str(code)
    assert f"channels is {channels}, expected 128" in str(code)


def test_an_unknown_recipe_is_refused_with_the_known_ones(spgnet):
    code, _ = spgnet("train", "paper-244")
    assert is_one_line(code)
    assert "no recipe 'paper-244'" in str(code)
    assert all(name in str(code) for name in RECIPES)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["evaluate", "nowhere"], "nowhere: not a run folder"),
        (["train", "demo", "--data.motion", "nowhere"], "nowhere: no such folder"),
        (["data", "check", "nowhere"], "nowhere: no such file or folder"),
        (["train", "demo", "--out", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_bad_input_gives_one_line_and_leaves_nothing(spgnet, tmp_path, arguments, fault):
    code, _ = spgnet(*arguments)
    assert is_one_line(code)
    assert fault in str(code)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["train", "demo", "--machine.accelerator", "tpu"],
            ["invalid choice 'tpu'", "spgnet train demo --help"],
        ),
        (["train", "demo", "--epochs", "0"], ["epochs must be at least 1"]),
        (["train", "demo", "--loss.pose", "-1"], ["finite and not negative"]),
        (["train", "demo", "--filter-widths", "2"], ["odd and positive"]),
        (["evaluate"], ["WEIGHTS", "spgnet evaluate --help"]),
        (["evaluate", "runs/demo", "--colour", "red"], ["--colour", "spgnet evaluate --help"]),
        (["lift", "walk.npz", "--format", "nonsense"], ["nonsense", "openpose"]),
        (["nothing"], ["nothing", *COMMANDS]),
        ([], ["subcommand", *COMMANDS]),
    ],
)
def test_arguments_that_cannot_be_parsed_end_with_the_parser_s_message(spgnet, tmp_path, arguments, words):
    code, printed = spgnet(*arguments)
    assert code == 2
    assert all(word in " ".join(printed.split()) for word in words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [ValueError("shapes do not fit"), KeyError("x"), RuntimeError()])
def test_a_fault_of_the_package_is_not_printed_as_the_user_s(spgnet, monkeypatch, fault):
    def broken(*arguments: object) -> None:
        raise fault

    monkeypatch.setattr(evaluate, "find_weights", broken)
    with pytest.raises(type(fault)) as raised:
        spgnet("evaluate", "runs/demo")
    assert raised.value is fault


@pytest.mark.parametrize("arguments", ["--debug evaluate nowhere", "evaluate nowhere --debug"])
def test_debug_anywhere_shows_where_input_was_refused(spgnet, arguments):
    with pytest.raises(InputError, match="nowhere: not a run folder"):
        spgnet(*arguments.split())
    assert is_one_line(spgnet("evaluate", "nowhere")[0])
    with pytest.raises(InputError, match="epochs must be at least 1, got 0"):
        spgnet("train", "demo", "--epochs", "0", "--debug")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_all_commands_says_of_each_what_its_function_says(name):
    module = importlib.import_module(COMMANDS[name].module)
    assert getattr(module, f"{name.replace('-', '_')}_command").__doc__ == COMMANDS[name].summary


def test_recipes_can_be_called_by_their_old_names(spgnet):
    code, printed = spgnet("train", "wild", "--help")
    assert code == 0
    assert "usage: spgnet train randomized" in printed


def test_a_damaged_checkpoint_is_refused_by_name(spgnet):
    spgnet("train", "demo", *SMALL, "--out", "r")
    Path("r/best.safetensors").write_bytes(b"garbage")
    code, _ = spgnet("evaluate", "r")
    assert is_one_line(code)
    assert "r/best.safetensors: not a readable safetensors file" in str(code)


def test_a_checkpoint_of_another_configuration_is_refused(spgnet):
    spgnet("train", "demo", *SMALL, "--out", "a")
    spgnet("train", "demo", *SMALL, "--out", "b", "--causal")
    Path("a/best.safetensors").replace("b/best.safetensors")
    code, _ = spgnet("evaluate", "b")
    assert is_one_line(code)
    assert "a checkpoint of another configuration: causal is False, expected True" in str(code)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], [*COMMANDS, "--debug", "--version"]),
        (["train", "--help"], ["paper-243", "small-27"]),
        (
            ["train", "paper-243", "--help"],
            ["--loss.reprojection", "--resume", "--data.motion", "--channels"],
        ),
        (["evaluate", "--help"], ["--motion", "--flip"]),
        (["reproduce", "--help"], ["--seeds", "--motion", "--human36m", "table1", "figure6"]),
    ],
)
def test_help_names_what_there_is(spgnet, arguments, words):
    code, output = spgnet(*arguments)
    assert code == 0
    assert all(word in output for word in words)


def test_tensorboard_is_named_when_it_is_missing(spgnet, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    code, _ = spgnet("train", "demo", *SMALL, "--tensorboard")
    assert is_one_line(code)
    assert not Path("runs").exists()
    assert "pip install 'spgnet[tensorboard]'" in str(code)


def test_the_version_is_said(spgnet):
    assert spgnet("--version") == (None, f"spgnet {__version__}\n")


def test_what_an_output_s_encoding_lacks_is_printed_as_escapes():
    code = "import spgnet, sys; sys.argv = ['spgnet', '--version']; spgnet.__version__ = '65°'\n"
    code += "from spgnet.cli import main; main()"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert printed.stdout == "spgnet 65\\xb0\n"


def test_former_names_of_recipes_and_training_options_are_understood():
    former = ["wild", "--data.wildness.roll", "3", "--data.wildness.mixed=0.1", "--run-length", "4"]
    former += ["--clip", "2", "--data.input", "wild", "--out", "wild"]
    present = ["randomized", "--data.randomization.roll", "3"]
    present += ["--data.randomization.swapped-upper-bodies=0.1", "--frames-per-sample", "4"]
    present += ["--max-grad-norm", "2", "--data.input", "randomized", "--out", "wild"]
    assert with_present_names(former) == present
    assert with_present_names(present) == present
    assert parse(["train", *former]).args == parse(["train", *present]).args
    assert with_present_names(["wild", "--data.input=wild"]) == ["randomized", "--data.input=randomized"]
    for former_input in (["--input", "wild"], ["--input=wild"]):
        assert (
            parse(["evaluate", "wild", *former_input]).args
            == parse(["evaluate", "wild", "--input", "randomized"]).args
        )
