"""HumanEva-I in VideoPose3D's layout: files that the tests write, read back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from spgnet.datasets.humaneva import HUMANEVA_FORMAT, published_rig
from spgnet.datasets.takes import Split
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.synthetic.procedural import procedural_clips

JOINTS = [
    "pelvis",
    "thorax",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_hip",
    "right_knee",
    "right_ankle",
    "head_top",
]
"""The order in which VideoPose3D's ``ConvertHumanEva.m`` writes the joints; it calls the last one head."""
LENSES = torch.tensor(
    [[-0.29, 0.11, -0.0014, 0.0011], [-0.25, 0.09, 0.001, -0.002], [-0.27, 0.08, 0.0, 0.001]],
    dtype=torch.float64,
)
"""k1, k2, p1, p2 of the cameras that film here; the first as published."""
PARTS = [f"{folder}/{subject}" for folder in ("Train", "Validate") for subject in ("S1", "S2", "S3")]
CHUNKS = ("Walking 1 chunk0", "Walking 1 chunk2", "Jog 1 chunk0", "Box 1 chunk1", "Gestures 1 chunk0")
METADATA = {
    "layout_name": "humaneva15",
    "num_joints": 15,
    "keypoints_symmetry": [[2, 3, 4, 8, 9, 10], [5, 6, 7, 11, 12, 13]],
}
NAMES = HUMAN36M.names


def filming(part: str):
    """The cameras of a part with their true lenses, a batch of shape [3, 1]."""
    rig = published_rig(part.split("/")[1])
    radial = torch.cat((LENSES[:, :2], torch.zeros(3, 1)), dim=1)
    return replace(rig, radial=radial, tangential=LENSES[:, 2:])[:, None]


@pytest.fixture(scope="module")
def motion() -> dict:
    """By part and chunk: [T, 15, 3] in metres."""
    clips = iter(procedural_clips(len(PARTS) * len(CHUNKS), seed=3, seconds=0.4))
    order = [NAMES.index(name) for name in JOINTS]
    spread = dict(zip(CHUNKS, (-0.8, -0.4, 0.0, 0.4, 0.8), strict=True))
    return {
        part: {
            chunk: (next(clips).joints[:, order] + torch.tensor([shift, -shift, 0])).numpy()
            for chunk, shift in spread.items()
        }
        for part in PARTS
    }


def projected(motion: dict) -> dict:
    def project_clips(part, joints):
        return [
            view.numpy() for view in filming(part).world_to_image(torch.from_numpy(joints).double()).float()
        ]

    return {
        part: {chunk: project_clips(part, joints) for chunk, joints in chunks.items()}
        for part, chunks in motion.items()
    }


def as_coco(pixels: dict) -> dict:
    """What a perfect detector of COCO's points sees; ears and eyes, which nothing uses, are far away."""

    def point(view, name):
        if name == "nose":
            return (view[:, JOINTS.index("thorax")] + view[:, JOINTS.index("head_top")]) / 2
        return view[:, JOINTS.index(name)] if name in JOINTS else np.full((len(view), 2), 9e3, np.float32)

    def views(held):
        return [np.stack([point(view, name) for name in KEYPOINT_NAMES["coco17"]], axis=1) for view in held]

    return {part: {chunk: views(held) for chunk, held in chunks.items()} for part, chunks in pixels.items()}


def copy(table: dict) -> dict:
    """So that a test may spoil it."""
    return {
        part: {chunk: list(held) if isinstance(held, list) else held.copy() for chunk, held in chunks.items()}
        for part, chunks in table.items()
    }


def write(folder, motion, **detections):
    np.savez_compressed(folder / "data_3d_humaneva15.npz", positions_3d=motion)
    for name, pixels in detections.items():
        coco = {"layout_name": "coco", "num_joints": 17}
        layout: Any = coco if name == "detectron_pt_coco" else METADATA
        np.savez_compressed(folder / f"data_2d_humaneva15_{name}.npz", positions_2d=pixels, metadata=layout)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory, motion):
    pixels = projected(motion)
    return write(tmp_path_factory.mktemp("humaneva"), motion, gt=pixels, detectron_pt_coco=as_coco(pixels))


def test_the_folder_and_its_motion_file_are_recognised(written, tmp_path):
    assert HUMANEVA_FORMAT.recognises(written)
    assert HUMANEVA_FORMAT.recognises(written / "data_3d_humaneva15.npz")
    assert not HUMANEVA_FORMAT.recognises(tmp_path)


def test_training_is_on_train_and_the_test_on_validate_of_three_actions(written):
    folders: dict[Split, str] = {"train": "Train", "test": "Validate"}
    for split, folder in folders.items():
        takes = HUMANEVA_FORMAT.load(written, split, None)
        expected = {f"{folder}/S{n}/{chunk}" for n in (1, 2, 3) for chunk in CHUNKS[:4]}
        assert {take.name for take in takes} == expected
        assert {(take.subject, take.action) for take in takes} == {
            (f"S{n}", action) for n in (1, 2, 3) for action in ("Walk", "Jog", "Box")
        }
        assert {take.fps for take in takes} == {60.0}
        assert all(not take.detections for take in takes)
    assert HUMANEVA_FORMAT.load(written, "validation", None) == []


def test_every_joint_lands_under_its_name(written, motion):
    for take in HUMANEVA_FORMAT.load(written / "data_3d_humaneva15.npz", "test", None):
        part, _, chunk = take.name.rpartition("/")
        assert take.joints is not None
        for index, name in enumerate(JOINTS):
            np.testing.assert_allclose(
                take.joints[:, NAMES.index(name)], motion[part][chunk][:, index], atol=1e-6
            )


def test_lacking_joints_are_half_way_between_captured_ones_and_not_scored(written):
    (take, *_) = HUMANEVA_FORMAT.load(written, "train", "gt")
    assert take.unmeasured_joints == ("spine", "nose")
    assert take.joints is not None
    for joints in (take.joints, take.detections["gt"]):
        pelvis, thorax, top = (joints[..., NAMES.index(n), :] for n in ("pelvis", "thorax", "head_top"))
        torch.testing.assert_close(joints[..., NAMES.index("spine"), :], (pelvis + thorax) / 2)
        torch.testing.assert_close(joints[..., NAMES.index("nose"), :], (thorax + top) / 2)


def test_fitted_cameras_project_the_motion_onto_its_exact_2d(written):
    captured = [NAMES.index(name) for name in JOINTS]
    for split in ("train", "test"):
        for take in HUMANEVA_FORMAT.load(written, split, "gt"):
            assert take.joints is not None
            pixels = take.cameras[:, None].world_to_image(take.joints)
            assert (pixels - take.detections["gt"])[:, :, captured].abs().max() < 0.05


def test_fitted_cameras_are_those_that_filmed(written):
    for take in HUMANEVA_FORMAT.load(written, "train", None):
        true = filming(f"Train/{take.subject}")[:, 0].to(torch.float32)
        for name, tolerance in (("focal", 0.05), ("center", 0.05), ("position", 1e-6), ("rotation", 1e-6)):
            torch.testing.assert_close(
                getattr(take.cameras, name), getattr(true, name), atol=tolerance, rtol=0
            )
        torch.testing.assert_close(take.cameras.radial[:, 0], true.radial[:, 0], atol=1e-3, rtol=0)
        assert take.cameras.image_size.tolist() == [[640, 480]] * 3


def test_c1_stands_where_the_calibration_file_of_the_data_set_says():
    """Rotation and translation (millimetres) of S1's and S2's C1.cal, world to camera."""
    files = {
        "S1": (
            [
                [-0.143362, 0.989627, 0.009217],
                [0.167173, 0.033395, -0.985362],
                [-0.975449, -0.139723, -0.170226],
            ],
            [-88.085494, 804.781346, 4315.339452],
        ),
        "S2": (
            [
                [-0.152389, 0.988262, 0.010755],
                [0.170400, 0.036991, -0.984680],
                [-0.973520, -0.148222, -0.174037],
            ],
            [-8.996069, 797.610556, 4365.802204],
        ),
    }
    for subject, (rotation, translation) in files.items():
        camera = published_rig(subject)[0]
        np.testing.assert_allclose(camera.rotation, rotation, atol=1e-6)
        np.testing.assert_allclose(
            -camera.rotation @ camera.position, np.array(translation) / 1000, atol=1e-5
        )


@pytest.mark.parametrize("subject", ["S1", "S2", "S3"])
def test_all_cameras_see_a_person_in_the_middle_of_the_room_upright(subject):
    feet_and_head = torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.0, 1.7]], dtype=torch.float64)
    pixels = published_rig(subject).world_to_image(feet_and_head)
    assert pixels.shape == (3, 2, 2)
    assert ((pixels > 0) & (pixels < torch.tensor([640, 480]))).all()
    assert (pixels[:, 1, 1] < pixels[:, 0, 1] - 150).all()


def test_coco_points_land_under_our_names(written):
    take = HUMANEVA_FORMAT.load(written, "test", "detectron_pt_coco")[0]
    exact = HUMANEVA_FORMAT.load(written, "test", "gt")[0].detections["gt"]
    pixels = take.detections["detectron_pt_coco"]
    direct = [n for n in NAMES if n in KEYPOINT_NAMES["coco17"]]
    assert len(direct) == 13
    for name in direct:
        torch.testing.assert_close(pixels[:, :, NAMES.index(name)], exact[:, :, NAMES.index(name)])
    hips = exact[:, :, [NAMES.index("left_hip"), NAMES.index("right_hip")]].mean(dim=2)
    torch.testing.assert_close(pixels[:, :, 0], hips)
    thorax, nose, top = (pixels[:, :, NAMES.index(name)] for name in ("thorax", "nose", "head_top"))
    torch.testing.assert_close(top - nose, nose - thorax, atol=1e-3, rtol=0)


def test_the_confidence_in_a_joint_is_the_lowest_of_the_points_that_it_comes_from(tmp_path, motion):
    scores = np.linspace(0.1, 0.9, 17)
    table = {
        part: {
            chunk: [np.concatenate((v, np.tile(scores[:, None], (len(v), 1, 1))), axis=-1) for v in held]
            for chunk, held in chunks.items()
        }
        for part, chunks in as_coco(projected(motion)).items()
    }
    folder = write(tmp_path, motion, gt=projected(motion), detectron_pt_coco=table)
    seen = HUMANEVA_FORMAT.load(folder, "test", "detectron_pt_coco")[0].detections["detectron_pt_coco"]
    expected = dict(zip(KEYPOINT_NAMES["coco17"], scores, strict=True))
    expected["pelvis"] = min(expected["left_hip"], expected["right_hip"])
    expected["head_top"] = min(expected[name] for name in ("nose", "left_shoulder", "right_shoulder"))
    for name in ("left_wrist", "right_knee", "pelvis", "head_top"):
        torch.testing.assert_close(
            seen[..., NAMES.index(name), 2], torch.full(seen.shape[:2], expected[name]), atol=1e-6, rtol=0
        )


def test_2d_frames_beyond_the_motion_are_cut_off(tmp_path, motion):
    pixels = projected(motion)
    longer = {
        part: {chunk: [np.concatenate((v, v[-1:], v[-1:])) for v in held] for chunk, held in chunks.items()}
        for part, chunks in pixels.items()
    }
    for take in HUMANEVA_FORMAT.load(write(tmp_path, motion, gt=longer), "train", "gt"):
        part, _, chunk = take.name.rpartition("/")
        assert len(take) == len(motion[part][chunk])
        expected = np.stack(pixels[part][chunk])[..., 0, :]
        np.testing.assert_allclose(take.detections["gt"][:, :, 0], expected, atol=1e-3)


def test_check_tells_what_is_there_and_how_far_2d_is_from_projected_3d(written, motion):
    facts, faults = HUMANEVA_FORMAT.check(written)
    assert not faults
    text = "\n".join(facts)
    frames = sum(len(motion[part][chunk]) for part in PARTS[:3] for chunk in CHUNKS[:4])
    assert f"train (Train): 12 chunks, {frames} frames" in text
    assert "test: 2D joints gt, 0.00 px from" in text
    assert "test: 2D joints detectron_pt_coco" in text
    assert "camera C1: focal lengths 765.8, 765.3 px, fitted to gt (published: 765.8, 765.3)" in text


def test_a_missing_detector_is_named_with_those_there(written):
    with pytest.raises(ValueError, match=r"'cpn' \(it has: detectron_pt_coco, gt\)"):
        HUMANEVA_FORMAT.load(written, "test", "cpn")


def test_without_exact_2d_there_is_no_camera(tmp_path, motion):
    write(tmp_path, motion)
    with pytest.raises(ValueError, match=r"data_2d_humaneva15_gt.npz: no such file"):
        HUMANEVA_FORMAT.load(tmp_path, "train", None)


def test_every_fault_is_listed_and_load_raises_them_in_one_line(tmp_path, motion):
    spoilt, pixels = copy(motion), copy(projected(motion))
    spoilt["Train/S1"]["Jog 1 chunk0"][3, 2] = np.nan
    spoilt["Train/S1"]["Box 1 chunk1"] *= 1000
    spoilt["Train/S2"]["Box 1 chunk1"] = spoilt["Train/S2"]["Box 1 chunk1"][:, :14]
    del spoilt["Train/S3"]
    del pixels["Train/S2"]["Walking 1 chunk0"]
    walk = pixels["Train/S1"]
    walk["Walking 1 chunk2"] = walk["Walking 1 chunk2"][:2]
    walk["Walking 1 chunk0"][1] = walk["Walking 1 chunk0"][1][:-1]
    pixels["Train/S2"]["Jog 1 chunk0"][2] = pixels["Train/S2"]["Jog 1 chunk0"][2][:, :3]
    write(tmp_path, spoilt, gt=pixels)
    told = HUMANEVA_FORMAT.check(tmp_path).errors
    frames = len(motion["Train/S1"]["Walking 1 chunk0"])
    for expected in (
        "Train/S1/Jog 1 chunk0 holds NaN or infinity in 1 frames, the first is frame 3",
        "Train/S1/Box 1 chunk1 has joints",
        "Train/S2/Box 1 chunk1 has shape",
        "Train/S3 is missing",
        "Train/S2/Walking 1 chunk0 is missing",
        "Train/S1/Walking 1 chunk2 has 2 cameras, expected 3",
        f"Train/S1/Walking 1 chunk0 camera C2 has {frames - 1} frames, the motion has {frames}",
        "Train/S2/Jog 1 chunk0 camera C3 has shape",
    ):
        assert sum(expected in fault for fault in told) == 1, expected
    assert len(told) == 8
    with pytest.raises(ValueError, match="Train/S3 is missing") as error:
        HUMANEVA_FORMAT.load(tmp_path, "train", "gt")
    assert str(error.value) == "; ".join(told)
    assert "\n" not in str(error.value)
    assert len(HUMANEVA_FORMAT.load(tmp_path, "test", "gt")) == 12


def test_exact_2d_of_other_cameras_is_refused(tmp_path, motion):
    swapped = {
        part: {chunk: held[::-1] for chunk, held in chunks.items()}
        for part, chunks in projected(motion).items()
    }
    write(tmp_path, motion, gt=swapped)
    with pytest.raises(ValueError, match=r"gt\.npz: camera"):
        HUMANEVA_FORMAT.load(tmp_path, "test", None)


def test_2d_that_is_not_in_pixels_is_refused(tmp_path, motion):
    pixels = projected(motion)
    scaled = {
        part: {chunk: [view / 320 - 1 for view in held] for chunk, held in chunks.items()}
        for part, chunks in pixels.items()
    }
    write(tmp_path, motion, gt=pixels, mine=scaled)
    (train, test) = HUMANEVA_FORMAT.check(tmp_path).errors
    assert "data_2d_humaneva15_mine.npz: 2D joints of Train are" in train
    assert "Validate" in test
    with pytest.raises(ValueError, match="expected pixels"):
        HUMANEVA_FORMAT.load(tmp_path, "test", "mine")
    assert HUMANEVA_FORMAT.load(tmp_path, "test", "gt")


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"positions_2d": {}}, "has no dictionary 'metadata'"),
        (
            {"metadata": {"layout_name": "mpii"}, "positions_2d": {}},
            "layout 'mpii', expected humaneva15 or coco",
        ),
        (
            {"metadata": {"layout_name": ["coco"]}, "positions_2d": {}},
            "layout ['coco'], expected humaneva15 or coco",
        ),
        ({"metadata": METADATA, "positions_2d": np.zeros(3)}, "has no dictionary 'positions_2d'"),
    ],
)
def test_other_archives_are_told_apart(tmp_path, motion, arrays, fault):
    write(tmp_path, motion, gt=projected(motion))
    np.savez(tmp_path / "data_2d_humaneva15_mine.npz", **arrays)
    with pytest.raises(ValueError, match=r"data_2d_humaneva15_mine\.npz") as error:
        HUMANEVA_FORMAT.load(tmp_path, "test", "mine")
    assert fault in str(error.value)


def test_a_damaged_motion_file_is_one_fault(tmp_path):
    (tmp_path / "data_3d_humaneva15.npz").write_bytes(b"no archive")
    (fault,) = HUMANEVA_FORMAT.check(tmp_path).errors
    assert str(tmp_path / "data_3d_humaneva15.npz") in fault
