"""The benchmark of generalisation: what it averages, what it samples, and that rays reach the network."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spgnet.data.config import DataConfig
from spgnet.data.dataset import PoseDataset, project_clips
from spgnet.data.sources import load_dataset
from spgnet.datasets.open_benchmark import open_benchmark_facts
from spgnet.evaluation import METRICS, evaluate
from spgnet.files import file_sha256
from spgnet.geometry.rigs import human36m_rig
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.models import LiftedPose, LiftingNetwork, RayNet, RayNetConfig, build_model
from spgnet.synthetic.detector_noise import DetectorNoise
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training.checkpoint import Progress, save_checkpoint
from spgnet.training.weights import read_manifest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "generalisation.py"
ACTIONS = ["sit", "walk", "squat"]
SMALL = RayNetConfig(filter_widths=(3, 3), channels=8, trajectory_channels=8)


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("generalisation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def filmed(noise: DetectorNoise | None = None) -> PoseDataset:
    """Three clips each of sitting, walking, squatting by two cameras; at the end, a piece of a walk again."""
    clips = [clip for clip in procedural_clips(21, seed=6, seconds=2.0) if clip.action in ACTIONS]
    upright = torch.tensor([1.0, 1.0, 0.0])
    centred = [replace(clip, joints=clip.joints - clip.joints[:1, :1] * upright) for clip in clips]
    walk = next(clip for clip in centred if clip.action == "walk")
    piece = replace(walk, joints=walk.joints[60:], name=f"{walk.name}@60")
    return project_clips([(clip, human36m_rig("S9")[:2]) for clip in [*centred, piece]], noise=noise)


@pytest.fixture(scope="module")
def exact() -> PoseDataset:
    return filmed()


@pytest.fixture(scope="module")
def noisy() -> PoseDataset:
    return filmed(DetectorNoise())


@pytest.fixture(scope="module")
def untrained() -> RayNet:
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    assert isinstance(model, RayNet)
    model.init_root_bias(torch.tensor([0.0, 0.0, 5.0]))
    return model


class KnowsDepths(LiftingNetwork):
    """Puts every joint on its ray, at its true depth, sequence by sequence, an action after the other."""

    input_space, receptive_field, context = "rays", 1, (0, 0)

    def __init__(self, dataset: PoseDataset) -> None:
        super().__init__()
        order = [
            sequence
            for action in ACTIONS
            for sequence in range(len(dataset))
            if dataset.actions[sequence] == action
        ]
        by_clip = sorted(
            order, key=lambda sequence: (ACTIONS.index(dataset.actions[sequence]), clip_of(dataset, sequence))
        )
        self.depths = iter([dataset.joints[dataset.frames_of(sequence)][..., 2:] for sequence in by_clip])
        self.weight = nn.Parameter(torch.zeros(()))
        self.visible: set[float] = set()
        self.eval()

    def forward(self, keypoints_2d: Tensor, *, dense: bool = False) -> LiftedPose:
        self.visible |= set(keypoints_2d[..., 2].unique().tolist())
        depth = next(self.depths)
        depths = torch.stack((depth, depth[:, HUMAN36M.mirror]))
        joints = torch.cat((keypoints_2d[..., :2], torch.ones_like(depths)), dim=-1) * depths
        return LiftedPose(joints - joints[..., :1, :], joints[..., :1, :])


def clip_of(dataset: PoseDataset, sequence: int) -> int:
    """Number of a sequence's clip, of which it shows all or a piece."""
    clips = [name.split("@")[0] for name in dataset.names]
    return clips.index(clips[sequence])


def rows_of(script: ModuleType, model: LiftingNetwork, dataset: PoseDataset, **options: object) -> list:
    return script.rows_of(
        model, dataset, "projected", "generated", ACTIONS, script.Options(Path("MOTION"), **options)
    )


# --- What reaches the network -------------------------------------------------------------------


def test_exact_rays_at_their_true_depths_are_the_true_joints(script, exact):
    model = KnowsDepths(exact)
    for row in rows_of(script, model, exact):
        assert row.values["mpjpe"] < 0.01
        assert row.values["trajectory"] < 0.01
        assert row.values["bone_deviation"] < 0.01
    assert next(model.depths, None) is None


def test_every_joint_counts_as_seen(script, exact, noisy):
    for dataset in (exact, noisy):
        model = KnowsDepths(dataset)
        rows_of(script, model, dataset)
        assert model.visible == {1.0}


def test_a_network_that_adds_no_error_has_that_of_the_noise_alone(script, exact, noisy):
    clean, disturbed = (rows_of(script, KnowsDepths(dataset), dataset) for dataset in (exact, noisy))
    for before, after in zip(clean, disturbed, strict=True):
        assert before[:2] == after[:2]
        for name in script.COLUMNS:
            assert after.values[name] > before.values[name] + 1


# --- What is averaged ---------------------------------------------------------------------------


def test_the_rows_of_actions_are_those_of_one_evaluation_of_everything(script, untrained, exact):
    whole = evaluate(untrained, exact)
    _, *rows = rows_of(script, untrained, exact)
    assert [row.action for row in rows] == ACTIONS
    for row in rows:
        assert row.values == pytest.approx(whole.actions[row.action], rel=1e-4)
    assert sum(row.frames for row in rows) == whole.frames


def test_the_first_row_counts_actions_alike(script, untrained, exact):
    first, *_ = rows_of(script, untrained, exact)
    assert first.action is None
    assert first.values == pytest.approx(evaluate(untrained, exact).mean_over_actions, rel=1e-4)
    assert first[3:6] == (9, 9, len(exact.joints))


def test_alignment_lowers_the_error_and_rigid_alignment_more_than_a_scale(script, untrained, exact):
    for row in rows_of(script, untrained, exact):
        assert 0 < row.values["p_mpjpe"] < row.values["n_mpjpe"] < row.values["mpjpe"]


def test_every_action_of_the_test_and_validation_splits_has_one_origin(script):
    found = [
        (split, action)
        for split, archives in script.ORIGINS.values()
        for action in script.actions_of(split, archives)
    ]
    facts = open_benchmark_facts()
    groups = [(split, group["action"]) for split in ("test", "validation") for group in facts[split]]
    assert sorted(found) == sorted(groups)
    assert len(set(found)) == len(found)
    assert script.actions_of("test", "cmu") == ["indian dance", "martial arts"]
    assert script.actions_of("validation", "cmu") == ["modern dance"]


# --- What is sampled ----------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_sample_is_in_order_evenly_spread_and_about_the_middle(script, count, most):
    sample = script.evenly(range(count), most)
    gaps = {after - before for before, after in pairwise(sample)}
    assert len(sample) == min(count, most)
    assert not gaps or min(gaps) >= max(1, max(gaps) - 1)
    assert abs(sample[0] - (count - 1 - sample[-1])) <= 1


def test_without_a_limit_everything_is_kept(script):
    assert script.evenly(range(7), None) == list(range(7))


def test_a_sample_has_whole_clips_of_every_action_and_is_the_same_for_both_inputs(
    script, untrained, exact, noisy
):
    first, second = (rows_of(script, untrained, dataset, clips=2) for dataset in (exact, noisy))
    assert [row[:6] for row in first] == [row[:6] for row in second]
    assert [row[3:5] for row in first] == [(6, 9), (2, 3), (2, 3), (2, 3)]


def test_the_pieces_and_cameras_of_a_clip_belong_to_it(script, exact):
    clips = script.clips_of(exact, "walk")
    assert sorted(map(len, clips)) == [2, 2, 4]
    for clip in clips:
        assert len({exact.names[sequence].split("@")[0] for sequence in clip}) == 1


def test_chosen_views_are_themselves_and_longer_ones_are_cut_to_their_middle(script, exact):
    kept = [3, 0, len(exact) - 1]
    dataset = script.chosen(exact, kept, 50)
    assert dataset.lengths.tolist() == [min(int(exact.lengths[sequence]), 50) for sequence in kept]
    for new, old in enumerate(kept):
        frames = exact.frames_of(old)
        before = (frames.stop - frames.start - int(dataset.lengths[new])) // 2
        middle = slice(frames.start + before, frames.start + before + int(dataset.lengths[new]))
        assert torch.equal(dataset.joints[dataset.frames_of(new)], exact.joints[middle])
        assert torch.equal(dataset.keypoints_2d[dataset.frames_of(new)], exact.keypoints_2d[middle])
        assert torch.equal(dataset.cameras.rotation[new], exact.cameras.rotation[old])
        assert dataset.names[new] == exact.names[old]
        assert dataset.actions[new] == exact.actions[old]


def test_a_sample_of_nothing_is_refused(script):
    with pytest.raises(ValueError, match=r"clips must be at least 1, got 0; seconds_per_clip .* got 0\.5"):
        script.Options(Path("MOTION"), clips=0, seconds_per_clip=0.5)


# --- What is written ----------------------------------------------------------------------------


@pytest.fixture
def written(script, monkeypatch, exact, noisy, untrained, tmp_path) -> Path:
    """A folder with small weights in ``run``, where the script finds generated motion."""
    save_run(tmp_path / "run", untrained)
    dataset = {"projected": exact, "noisy": noisy}
    monkeypatch.setattr(script, "load_dataset", lambda data, split: dataset[data.input])
    monkeypatch.setattr(script, "actions_of", lambda split, archives: ACTIONS)
    return tmp_path


def save_run(run: Path, model: RayNet) -> None:
    run.mkdir()
    save_checkpoint(run / "best.safetensors", SMALL, Progress(), model)


def test_the_table_has_a_row_of_each_origin_and_input_and_with_actions_every_action(script, written, capsys):
    labels = [(f"| {kind}", origin) for kind in script.INPUTS for origin in script.ORIGINS]
    script.main(script.Options(written, weights=str(written / "run"), clips=1, seconds_per_clip=1.0))
    caption, _, heading, _, *lines = capsys.readouterr().out.strip().splitlines()
    assert "best.safetensors (SHA-256" in caption
    assert "the middle 1 s" in caption
    assert heading.startswith(
        "| input | motion | clips | frames | MPJPE (P1) [mm] | P-MPJPE (P2) [mm] | Traj"
    )
    assert [tuple(line.split(" | ")[:2]) for line in lines] == labels
    assert {tuple(line.split(" | ")[2:4]) for line in lines} == {("3 of 9", "300")}
    script.main(script.Options(written, weights=str(written / "run"), clips=1, actions=True))
    lines = capsys.readouterr().out.strip().splitlines()[4:]
    assert [line.split(" | ")[2] for line in lines] == ["mean over actions", *ACTIONS] * len(labels)


def test_the_file_names_the_weights_by_their_hash_and_holds_every_row(script, written):
    run, path = written / "run", written / "numbers.json"
    script.main(script.Options(written, weights=str(run), clips=2, json=path))
    numbers = json.loads(path.read_text())
    assert numbers["sha256"] == file_sha256(run / "best.safetensors")
    assert numbers["weights"].endswith(f"(SHA-256 {numbers['sha256'][:12]})")
    assert numbers["command"] == f"python benchmarks/generalisation.py MOTION --weights {run} --clips 2"
    assert set(numbers) == {"weights", "sha256", "command", "commit", "rig", "rows"}
    assert len(numbers["rows"]) == 2 * 3 * (1 + len(ACTIONS))
    assert all(set(row["values"]) == set(METRICS) for row in numbers["rows"])


def test_weights_of_the_package_are_told_by_what_they_were_trained_on_and_the_manifests_hash(script):
    for name, entry in read_manifest().items():
        assert entry["data"] in script.caption(name, script.Options(Path("MOTION"), weights=name))
        assert file_sha256(script.weights_file(name)) == entry["sha256"]


def test_rows_of_the_real_test_split_are_of_all_its_clips(script, untrained, real_motion, monkeypatch):
    dataset = load_dataset(DataConfig(motion=real_motion), "test")
    monkeypatch.setattr(script, "load_dataset", lambda data, split: dataset)
    monkeypatch.delitem(script.ORIGINS, "CMU 05")
    lengths = dataset.lengths.tolist()
    for origin, frames in (("Bandai-Namco", 276_080), ("CMU, test subjects", 52_928)):
        actions = script.actions_of(*script.ORIGINS[origin])
        clips = [clip for action in actions for clip in script.clips_of(dataset, action)]
        assert sum(lengths[sequence] for clip in clips for sequence in clip) == frames
    rows = script.compared(untrained, "projected", script.Options(real_motion, clips=1, seconds_per_clip=1.0))
    assert [row[3:5] for row in rows if row.action is None] == [(10, 238), (2, 15)]
