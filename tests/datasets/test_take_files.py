"""Take files: anyone's own recordings, in arrays as ``docs/datasets.md`` lists them, read back."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spgnet.data.dataset import project_takes
from spgnet.datasets.archive import save_motion_archive
from spgnet.datasets.formats import FORMATS, find_format
from spgnet.datasets.take_files import TAKE_FILES_FORMAT, load_take, save_take
from spgnet.datasets.takes import Take
from spgnet.geometry.camera import Camera, opencv_camera
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.rigs import human36m_rig, look_at, random_rig

LENSES = ([-0.21, 0.24, -0.0009, -0.0016, -0.002], [0.05, -0.1, 0.0012, 0.0004, 0.01])


def the_arrays(frames: int = 5) -> dict[str, np.ndarray]:
    """What a user writes: two cameras 4 m away that have OpenCV's lenses, and somebody between them."""
    random = np.random.default_rng(1)
    position = torch.tensor([[4.0, 1.0, 1.5], [-3.0, 3.0, 1.0]], dtype=torch.float64)
    rotation = look_at(position, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)).numpy()
    return {
        "joints": random.uniform([-0.5, -0.5, 0], [0.5, 0.5, 1.8], (frames, 17, 3)),
        "camera_matrix": np.array(
            [[[1150, 0, 640], [0, 1140, 360], [0, 0, 1]], [[900, 0, 500], [0, 905, 510], [0, 0, 1]]], float
        ),
        "distortion": np.array(LENSES),
        "rotation": rotation,
        "translation": -(rotation @ position.numpy()[..., None])[..., 0],
        "image_size": np.array([[1280, 720], [1000, 1002]]),
        "detections_ours": random.uniform(0, 1000, (2, frames, 17, 2)),
        "detections_cpn": random.uniform(0, 1000, (2, frames, 17, 2)),
        "fps": np.array(50.0),
        "subject": np.array("Ada"),
        "action": np.array("walk"),
        "unmeasured_joints": np.array(["head_top", "spine"]),
    }


def write(path: Path, **changes: np.ndarray | None) -> Path:
    """Write the arrays with changes (None: without it) as a user does, with numpy alone."""
    arrays = {**the_arrays(), **changes}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})  # type: ignore[arg-type]
    return path


def fault_of(path: Path) -> str:
    """What is said of a broken file, which must be one line that begins with its name."""
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as error:
        load_take(path)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def the_take(**changes) -> Take:
    """A take of two cameras with lenses."""
    row = [
        opencv_camera(
            matrix, lens, (1280, 720), rotation=look_at(place, torch.zeros(3)), position=place.tolist()
        )
        for matrix, lens, place in zip(
            the_arrays()["camera_matrix"],
            LENSES,
            torch.tensor([[4.0, 1.0, 1.5], [-3.0, 3.0, 1.0]]),
            strict=True,
        )
    ]
    cameras = Camera(
        **{f.name: torch.stack([getattr(c, f.name) for c in row]) for f in fields(Camera)[:7]},
        convention="opencv",
    )
    generator = torch.Generator().manual_seed(0)
    values = {
        "name": "walk-1",
        "subject": "Ada",
        "action": "walk",
        "fps": 59.94,
        "cameras": cameras,
        "joints": torch.rand(6, 17, 3, generator=generator),
        "detections": {"cpn": 999 * torch.rand(2, 6, 17, 2, generator=generator)},
        "unmeasured_joints": ("spine", "head_top"),
    }
    return Take(**{**values, **changes})


def assert_same(take: Take, twin: Take) -> None:
    for name in ("name", "subject", "action", "fps", "unmeasured_joints"):
        assert getattr(take, name) == getattr(twin, name)
    assert take.cameras.convention == twin.cameras.convention
    for field in fields(Camera)[:7]:
        ours, theirs = getattr(take.cameras, field.name), getattr(twin.cameras, field.name)
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-6)
    for ours, theirs in ((take.joints, twin.joints), (take.eval_mask, twin.eval_mask)):
        assert ours is theirs if ours is None or theirs is None else torch.equal(ours, theirs)
    assert_same_detections(take.detections, twin.detections)


def assert_same_detections(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_take_comes_back_as_it_was(tmp_path):
    take = the_take()
    save_take(tmp_path / "walk-1.npz", take)
    assert_same(load_take(tmp_path / "walk-1.npz", "cpn"), take)
    assert [path.name for path in tmp_path.iterdir()] == ["walk-1.npz"]


def test_confidence_comes_back_as_a_third_column_of_detections(tmp_path):
    take = the_take(detections={"cpn": torch.rand(2, 6, 17, 3)})
    save_take(tmp_path / "walk-1.npz", take)
    assert_same(load_take(tmp_path / "walk-1.npz", "cpn"), take)
    fault = fault_of(write(tmp_path / "broken.npz", detections_ours=np.zeros((2, 5, 17, 4))))
    assert "detections_ours has shape (2, 5, 17, 4), expected (2, 5, 17, 2)" in fault


def test_which_frames_are_scored_comes_back(tmp_path):
    take = the_take(eval_mask=torch.tensor([True, False, True, True, False, False]))
    save_take(tmp_path / "walk-1.npz", take)
    assert_same(load_take(tmp_path / "walk-1.npz", "cpn"), take)
    assert project_takes([load_take(tmp_path / "walk-1.npz")]).eval_frames().sum() == 2 * 3


def test_a_take_without_joints_comes_back_with_all_its_detections(tmp_path):
    seen = {name: torch.full((2, 4, 17, 2), size) for name, size in (("a", 3.0), ("b", 4.0))}
    take = the_take(joints=None, detections=seen, unmeasured_joints=())
    save_take(tmp_path / "walk-1.npz", take)
    for detector in (None, "a", "c"):
        assert_same(load_take(tmp_path / "walk-1.npz", detector), take)


def test_a_take_brings_the_detections_that_are_asked_for_and_no_others(tmp_path):
    path = write(tmp_path / "a.npz")
    assert load_take(path).detections == {}
    assert load_take(path, "nobody").detections == {}
    seen = load_take(path, "cpn").detections
    expected = torch.from_numpy(the_arrays()["detections_cpn"]).float()
    assert_same_detections(seen, {"cpn": expected})


def test_without_distortion_a_lens_is_ideal_and_a_short_one_is_filled_up(tmp_path):
    ideal = load_take(write(tmp_path / "a.npz", distortion=None)).cameras
    assert not ideal.radial.any()
    assert not ideal.tangential.any()
    short = load_take(write(tmp_path / "b.npz", distortion=np.array(LENSES)[:, :3])).cameras
    assert short.radial[0].tolist() == pytest.approx([-0.21, 0.24, 0])
    assert short.tangential[0].tolist() == pytest.approx([-0.0009, 0])


def test_cameras_of_human36m_without_tangential_distortion_can_be_saved_and_those_with_cannot(tmp_path):
    rig = random_rig(2, seed=0)
    take = the_take(cameras=rig, joints=torch.rand(6, 17, 3))
    save_take(tmp_path / "a.npz", take)
    back = load_take(tmp_path / "a.npz").cameras
    assert back.convention == "opencv"
    torch.testing.assert_close(back.focal, rig.focal)
    torch.testing.assert_close(back.position, rig.position, atol=2e-6, rtol=1e-6)
    with pytest.raises(ValueError, match="cannot be converted"):
        save_take(tmp_path / "b.npz", replace(take, cameras=human36m_rig("S1")[:2]))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), turn=st.floats(-3, 3), tilt=st.floats(-1, 1))
def test_a_file_is_projected_as_opencv_projects_its_own_numbers(tmp_path_factory, seed, turn, tilt):
    arrays, random = the_arrays(), np.random.default_rng(seed)
    arrays["rotation"] = np.stack([cv2.Rodrigues(np.array([tilt, turn, 0.3]))[0]] * 2)
    arrays["translation"] = random.uniform([-0.3, -0.3, 3], [0.3, 0.3, 6], (2, 3))
    arrays["joints"] = random.uniform(-0.7, 0.7, (2, 17, 3))
    arrays = {key: value for key, value in arrays.items() if not key.startswith("detections")}
    path = tmp_path_factory.mktemp("takes") / "a.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    take = load_take(path)
    dataset = project_takes([take])
    for camera in range(2):
        rotation, _ = cv2.Rodrigues(arrays["rotation"][camera])
        pixels, _ = cv2.projectPoints(
            arrays["joints"].reshape(-1, 3),
            rotation,
            arrays["translation"][camera],
            arrays["camera_matrix"][camera],
            arrays["distortion"][camera],
        )
        frames = dataset.frames_of(camera)
        ours = dataset.keypoints_2d[frames]
        np.testing.assert_allclose(ours.reshape(-1, 2).numpy(), pixels[:, 0], atol=0.01)


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", ">i8", "<u2", "|u1"])
def test_numbers_of_any_type_and_byte_order_are_read(tmp_path, dtype):
    joints = np.arange(2 * 17 * 3).reshape(2, 17, 3).astype(dtype)
    take = load_take(write(tmp_path / "a.npz", joints=joints, detections_cpn=None, detections_ours=None))
    assert take.joints is not None
    assert take.joints.flatten().tolist() == list(range(2 * 17 * 3))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i8", "f2"])
def test_cameras_in_whole_or_narrow_numbers_stand_where_their_numbers_say(tmp_path, dtype):
    turned = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    rotation, translation = np.stack([np.eye(3), turned]).astype(dtype), np.array([[1, 2, 5]] * 2, dtype)
    take = load_take(write(tmp_path / "a.npz", rotation=rotation, translation=translation))
    assert take.cameras.position.tolist() == [[-1.0, -2.0, -5.0], [-2.0, -5.0, -1.0]]


def test_uncaptured_joints_have_one_order_whatever_that_of_the_file(tmp_path):
    takes = [
        load_take(write(tmp_path / f"{number}.npz", unmeasured_joints=np.array(names)))
        for number, names in enumerate((["nose", "spine"], ["spine", "nose", "nose"]))
    ]
    assert [take.unmeasured_joints for take in takes] == [("spine", "nose")] * 2
    assert project_takes(takes).unmeasured_joints == ("spine", "nose")
    assert load_take(write(tmp_path / "none.npz", unmeasured_joints=None)).unmeasured_joints == ()


def test_arrays_under_their_former_names_are_read(tmp_path):
    mask = np.array([True, False, True, True, False])
    old = write(tmp_path / "old.npz", unmeasured_joints=None, uncaptured=np.array(["nose"]), scored=mask)
    new = write(tmp_path / "new.npz", unmeasured_joints=np.array(["nose"]), eval_mask=mask)
    for take in map(load_take, (old, new)):
        assert take.unmeasured_joints == ("nose",)
        assert take.eval_mask.tolist() == mask.tolist()
    save_take(tmp_path / "again.npz", load_take(old))
    assert not {"uncaptured", "scored"} & set(np.load(tmp_path / "again.npz").files)


@pytest.mark.parametrize(
    "key", ["camera_matrix", "rotation", "translation", "image_size", "fps", "subject", "action"]
)
def test_an_array_that_is_missing_is_named(tmp_path, key):
    assert fault_of(write(tmp_path / "a.npz", **{key: None})) == f"not a take file: arrays {key} are missing"


def test_neither_joints_nor_detections_is_a_fault(tmp_path):
    path = write(tmp_path / "a.npz", joints=None, detections_cpn=None, detections_ours=None)
    assert fault_of(path) == "not a take file: it has neither joints nor detections_NAME"


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("joints", np.zeros((5, 16, 3)), "joints has shape (5, 16, 3), expected (5, 17, 3)"),
        ("joints", np.zeros((5, 51)), "joints has shape (5, 51), expected (T, 17, 3)"),
        ("joints", np.zeros((0, 17, 3)), "expected (2, 0, 17, 2)"),
        ("camera_matrix", np.eye(3), "camera_matrix has shape (3, 3), expected (C, 3, 3)"),
        ("camera_matrix", np.eye(3)[None], "rotation has shape (2, 3, 3), expected (1, 3, 3)"),
        ("rotation", np.zeros((2, 3)), "rotation has shape (2, 3), expected (2, 3, 3)"),
        ("translation", np.zeros((2, 3, 1)), "translation has shape (2, 3, 1), expected (2, 3)"),
        ("distortion", np.zeros(5), "distortion has shape (5,), expected (2, n)"),
        ("distortion", np.zeros((2, 9)), "distortion is not k1, k2, p1, p2, k3 or these and k4, k5, k6"),
        ("image_size", np.zeros(2), "image_size has shape (2,), expected (2, 2)"),
        ("image_size", np.zeros((2, 2)), "image_size holds sizes of less than a pixel"),
        ("detections_cpn", np.zeros(5), "detections_cpn has shape (5,), expected (2, 5, 17, 2)"),
        ("detections_cpn", np.zeros((2, 4, 17, 2)), "shape (2, 4, 17, 2), expected (2, 5, 17, 2)"),
        ("detections_cpn", np.zeros((1, 5, 17, 2)), "shape (1, 5, 17, 2), expected (2, 5, 17, 2)"),
        ("fps", np.array([50.0]), "fps has shape (1,), expected ()"),
        ("fps", np.array("fifty"), "fps holds <U5, expected numbers"),
        ("fps", np.array(0), "fps is not positive"),
        ("fps", np.array(0.001, np.float16), "fps is not positive"),
        ("image_size", np.full((2, 2), 0.5, np.float16), "image_size holds sizes of less than a pixel"),
        ("fps", np.array(np.inf), "fps holds 1 NaN or infinite numbers"),
        ("subject", np.array(b"Ada"), "subject holds |S3, expected text"),
        ("action", np.array(["walk"]), "action has shape (1,), expected ()"),
        ("unmeasured_joints", np.array("nose"), "unmeasured_joints has shape (), expected (joints)"),
        ("unmeasured_joints", np.array(7), "unmeasured_joints holds int64, expected text"),
        ("eval_mask", np.ones(4, bool), "eval_mask has shape (4,), expected (5)"),
        ("eval_mask", np.ones(5), "eval_mask holds float64, expected booleans"),
        ("eval_mask", np.zeros(5, bool), "no frame is evaluated"),
        ("unmeasured_joints", np.array(["neck", "pelvis"]), "joints that may be missing: neck, pelvis"),
        ("rotation", 1.01 * the_arrays()["rotation"], "rotation holds matrices that are no rotations"),
        ("rotation", -the_arrays()["rotation"], "rotation holds matrices that are no rotations"),
        ("rotation", np.ones((2, 3, 3), int), "rotation holds matrices that are no rotations"),
        ("rotation", np.full((2, 3, 3), np.inf), "rotation holds 18 NaN or infinite numbers"),
        ("camera_matrix", the_arrays()["camera_matrix"].swapaxes(1, 2), "camera_matrix holds matrices that"),
        ("camera_matrix", the_arrays()["camera_matrix"] * [[-1], [1], [1]], "with positive f"),
        ("joints", np.full((5, 17, 3), 1e39), "joints holds 255 NaN or infinite numbers"),
        ("joints", np.full((5, 17, 3), 1j), "joints holds complex128, expected numbers"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_a_fault(tmp_path, key, value, fault):
    assert fault in fault_of(write(tmp_path / "a.npz", **{key: value}))


def test_a_take_of_no_frames_or_no_cameras_is_refused(tmp_path):
    nobody = {key: value[:, :0] for key, value in the_arrays().items() if key.startswith("detections")}
    fault = fault_of(write(tmp_path / "a.npz", joints=None, **nobody))
    assert fault == "not a take file: detections_cpn is empty; detections_ours is empty"
    cameras = ("camera_matrix", "distortion", "rotation", "translation", "image_size", *nobody)
    blind = fault_of(write(tmp_path / "b.npz", **{key: the_arrays()[key][:0] for key in cameras}))
    assert "camera_matrix is empty; rotation is empty" in blind


def test_every_fault_is_told_at_once(tmp_path):
    several = {"rotation": np.zeros((2, 3)), "subject": np.array(3), "action": None, "joints": np.zeros(3)}
    assert fault_of(write(tmp_path / "a.npz", **several)) == (
        "not a take file: arrays action are missing; joints has shape (3,), expected (T, 17, 3); "
        "rotation has shape (2, 3), expected (2, 3, 3); subject holds int64, expected text"
    )
    broken = the_arrays()["joints"]
    broken[2, 3, 1] = broken[4, 0] = np.nan
    values = {"joints": broken, "rotation": np.zeros((2, 3, 3)), "unmeasured_joints": np.array(["ear"])}
    assert fault_of(write(tmp_path / "b.npz", **values, fps=np.array(-1))) == (
        "not a take file: joints holds 4 NaN or infinite numbers, the first at [2, 3, 1]; "
        "rotation holds matrices that are no rotations; fps is not positive, from 0.01 to 100000; "
        "unmeasured_joints names no joints that may be missing: ear"
    )


def test_other_arrays_in_the_file_are_no_fault(tmp_path):
    take = load_take(write(tmp_path / "a.npz", notes=np.array([np.nan, 1])))
    assert take.name == "a"


class Bomb:
    """What must never be unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("an object was unpickled",))


def test_objects_are_never_opened(tmp_path):
    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb()
    for key in ("joints", "subject", "notes"):
        file = write(tmp_path / f"{key}.npz", **{key: bomb})
        assert fault_of(file) == "it holds pickled Python objects, which are never opened"


def test_a_damaged_or_missing_file_is_named(tmp_path):
    assert fault_of(tmp_path / "no.npz") == "no such file"
    path = write(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-500])
    assert "not an .npz file, or a truncated one" in fault_of(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A data set of two takes to train on, an unlabelled one, and one to test on."""
    write(tmp_path / "own/train/b.npz")
    write(tmp_path / "own/train/a.npz", detections_ours=None)
    write(tmp_path / "own/train/c.npz", joints=None, unmeasured_joints=None)
    write(
        tmp_path / "own/test/d.npz", joints=the_arrays(7)["joints"], detections_cpn=None, detections_ours=None
    )
    return tmp_path / "own"


def test_a_folder_of_takes_is_recognised_and_its_splits_are_loaded_by_name(folder):
    known = find_format(folder)
    assert known is TAKE_FILES_FORMAT
    assert [take.name for take in known.load(folder, "train", "cpn")] == ["a", "b", "c"]
    assert [len(take) for take in known.load(folder, "test", None)] == [7]
    assert known.load(folder, "validation", None) == []


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_one_split_is_enough(tmp_path, split):
    write(tmp_path / split / "a.npz")
    assert find_format(tmp_path) is TAKE_FILES_FORMAT


def test_a_detector_that_is_missing_is_named_beside_those_that_are_there(folder):
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as error:
        TAKE_FILES_FORMAT.load(folder, "train", "hrnet")
    a, b, c = (folder / "train" / f"{name}.npz" for name in "abc")
    assert str(error.value) == (
        f"{a}: has no detections by 'hrnet' (it has: cpn); "
        f"{b}: has no detections by 'hrnet' (it has: cpn, ours); "
        f"{c}: has no detections by 'hrnet' (it has: cpn, ours)"
    )
    with pytest.raises(ValueError, match=r"d.npz: has no detections by 'cpn' \(it has: none\)\Z"):
        TAKE_FILES_FORMAT.load(folder, "test", "cpn")


def test_check_tells_what_is_there(folder):
    facts, faults = TAKE_FILES_FORMAT.check(folder)
    assert not faults
    assert facts == [
        "train: 3 takes (1 without 3D), 30 frames in all cameras",
        "validation: 0 takes, 0 frames in all cameras",
        "test: 1 takes, 14 frames in all cameras",
    ]


def test_check_and_load_tell_every_fault_of_every_file(folder):
    one = write(folder / "train/x.npz", fps=np.array(-3))
    two = write(folder / "train/y.npz", subject=None)
    three = folder / "test/z.npz"
    three.write_bytes(b"no archive")
    faults = TAKE_FILES_FORMAT.check(folder).errors
    assert [fault.split(": ")[0] for fault in faults] == [str(one), str(two), str(three)]
    with pytest.raises(ValueError, match=r"fps is not positive.*; .*arrays subject are missing"):
        TAKE_FILES_FORMAT.load(folder, "train", None)
    with pytest.raises(ValueError, match=r"z.npz: not an .npz file"):
        TAKE_FILES_FORMAT.load(folder, "test", None)


def test_check_and_load_tell_which_takes_of_a_split_do_not_go_together(folder):
    other = write(folder / "train/x.npz", fps=np.array(25), unmeasured_joints=np.array(["nose"]))
    write(folder / "test/e.npz", fps=np.array(50), unmeasured_joints=None)
    expected = [
        f"{other}: fps is 25, but 50 in a.npz",
        f"{other}: unmeasured_joints is nose, but spine, head_top in a.npz",
        f"{folder / 'test/e.npz'}: unmeasured_joints is none, but spine, head_top in d.npz",
    ]
    assert TAKE_FILES_FORMAT.check(folder).errors == expected
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as error:
        TAKE_FILES_FORMAT.load(folder, "train", None)
    assert str(error.value) == "; ".join(expected[:2])


def test_takes_that_load_can_be_filmed(folder):
    dataset = project_takes(TAKE_FILES_FORMAT.load(folder, "train", "cpn"), detector="cpn")
    assert len(dataset) == 6
    assert dataset.unmeasured_joints == ("spine", "head_top")


def test_files_that_systems_hide_and_other_files_are_no_takes(folder):
    for name in ("._a.npz", ".b.npz.partial.npz", "notes.txt"):
        (folder / "train" / name).write_bytes(b"something else")
    assert len(TAKE_FILES_FORMAT.load(folder, "train", None)) == 3
    assert not TAKE_FILES_FORMAT.check(folder).errors


def test_motion_archives_and_other_archives_are_no_take_files(tmp_path):
    for place in (tmp_path, tmp_path / "train"):
        place.mkdir(exist_ok=True)
        clip = MotionClip(torch.rand(3, 17, 3), 50.0, "walk/1", "s", "walk")
        save_motion_archive(place / "cmu_walk.npz", [clip])
        np.savez(place / "other.npz", numbers=np.ones(3))
        (place / "damaged.npz").write_bytes(b"PK\x05\x06" + bytes(10))
    assert not TAKE_FILES_FORMAT.recognises(tmp_path)
    write(tmp_path / "train/take.npz")
    assert TAKE_FILES_FORMAT.recognises(tmp_path)


def test_what_is_no_data_set_is_told_with_those_that_are(tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such file or folder"):
        find_format(tmp_path / "nowhere")
    file = write(tmp_path / "single.npz")
    for path in (tmp_path, file):
        with pytest.raises(ValueError, match="holds no data set that is known") as error:
            find_format(path)
        assert str(error.value).startswith(f"{path}: ")
        assert all(known.name in str(error.value) for known in FORMATS)
