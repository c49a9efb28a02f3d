"""Every reader of the package, valid small files of each of its formats, and how a file is read."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import human36m_files
import mocap_files
import mpi_inf_3dhp_files
import numpy as np
import torch
import written_files

from spgnet.camera_files import load_camera
from spgnet.datasets import human36m, human36m_motion, humaneva, mpi_inf_3dhp
from spgnet.datasets.archive import load_motion_archive, save_motion_archive
from spgnet.datasets.cdf import CdfReader
from spgnet.datasets.mocap.folder import read_clip
from spgnet.datasets.mocap.joint_maps import JointsFile, read_joints_file
from spgnet.datasets.take_files import load_take
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.rigs import look_at
from spgnet.keypoints import load_keypoints, save_keypoints
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.lifting.motion import Motion, load_motion, save_motion
from spgnet.lifting.quality import Quality
from spgnet.models import MartinezConfig, RayNetConfig, SPGNetConfig, build_model
from spgnet.models.baselines.videopose3d import load_videopose3d
from spgnet.synthetic.procedural import procedural_clips
from spgnet.training.checkpoint import Progress, load_model, save_checkpoint
from spgnet.training.recipes import RECIPES
from spgnet.training.runs import config_to_json, read_config, read_log


class Case(NamedTuple):
    """A valid input: a file that is changed, and the path that is read, which may be a folder around it."""

    file: Path
    path: Path


class Reader(NamedTuple):
    """A kind of files.

    Args:
        name: in the table.
        write: writes the valid inputs into an empty folder.
        read: reads a path.
        share: how many of all inputs it gets, relative to the others.
    """

    name: str
    write: Callable[[Path], Iterator[Case]]
    read: Callable[[Path], object]
    share: float


# --- keypoints ----------------------------------------------------------------------------------


def _read_keypoints(path: Path) -> object:
    return load_keypoints(path, fps=25.0, image_size=(1280, 720))


def _keypoints(*suffixes: str, folder: bool = False) -> Callable[[Path], Iterator[Case]]:
    """The formats of ``written_files`` whose file has one of the suffixes, of one person and of two."""

    def write(place: Path) -> Iterator[Case]:
        for index, (_, writer, keypoint_set) in enumerate(written_files.WRITERS):
            for people in (1, 2):
                inside = place / f"{index}_{people}"
                inside.mkdir()
                tracks = [written_files.a_track(keypoint_set, person, frames=4) for person in range(people)]
                path = writer(inside, *(track.astype(np.float32).astype(float).round(4) for track in tracks))
                if path.is_dir() == folder and (folder or path.suffix in suffixes):
                    file = sorted(path.glob("*.*"))[1] if folder else path
                    yield Case(file, path)
                else:
                    shutil.rmtree(inside)
        for suffix in () if folder else set(suffixes) & {".npz", ".json"}:
            path = place / f"ours{suffix}"
            save_keypoints(path, written_files.some_keypoints())
            yield Case(path, path)
        if folder:
            yield _ultralytics_txt(place / "yolo")
        if ".nc" in suffixes:
            yield _netcdf(place / "movement.nc")
        if ".npz" in suffixes:
            path = place / "data_2d.npz"
            view = np.nan_to_num(written_files.a_track("coco17")[..., :2])
            metadata: Any = {
                "layout_name": "coco",
                "num_joints": 17,
                "video_metadata": {"S1": {"w": 1280, "h": 720}},
            }
            human36m_files.write_objects(path, positions_2d={"S1": {"walk": [view]}}, metadata=metadata)
            yield Case(path, path)
        if ".csv" in suffixes:
            yield from _tables(place)

    return write


def _ultralytics_txt(folder: Path) -> Case:
    folder.mkdir()
    points = np.nan_to_num(written_files.a_track("coco17", frames=4)[:3]) / [1280, 720, 1]
    for number, pose in enumerate(points, start=1):
        line = " ".join(map(str, [0, 0.5, 0.5, 0.2, 0.4, *pose.ravel().round(5)]))
        (folder / f"clip_{number}.txt").write_text(line + "\n")
    return Case(folder / "clip_2.txt", folder)


def _netcdf(path: Path) -> Case:
    from scipy.io import netcdf_file

    points = written_files.a_track("coco17", frames=4)
    with netcdf_file(path, "w") as file:
        for name, size in (("time", 4), ("space", 2), ("keypoints", 17), ("individuals", 1)):
            file.createDimension(name, size)
        file.createVariable("position", "f8", ("time", "space", "keypoints", "individuals"))[:] = points[
            ..., :2
        ].transpose(0, 2, 1)[..., None]
        file.createVariable("confidence", "f8", ("time", "keypoints", "individuals"))[:] = points[..., 2:]
        file.fps = 25.0
    return Case(path, path)


def _tables(place: Path) -> Iterator[Case]:
    texts = {
        "semicolons.csv": "# fps=30 image_size=1280x720\nframe;"
        + ";".join(f"{name}_{part}" for name in KEYPOINT_NAMES["coco17"] for part in "xy")
        + "".join(f"\n{i};" + ";".join(f"{100 + 9 * k + i},5" for k in range(34)) for i in range(3)),
        "long.csv": "frame,keypoint,x,y,score\n"
        + "".join(
            f"{i},{name},{99 + i},{9 * k},0.9\n"
            for i in range(3)
            for k, name in enumerate(KEYPOINT_NAMES["coco17"])
        ),
        "times.tsv": "time\ttrack\t"
        + "\t".join(
            f"{name}_{part}" for name in KEYPOINT_NAMES["coco17"] for part in ("x", "y", "likelihood")
        )
        + "".join(f"\n{i / 25}\t{'AB'[i % 2]}" + f"\t1{i}0\t{i}00\t0.{i}" * 17 for i in range(4)),
    }
    for name, text in texts.items():
        (place / name).write_text(text)
        yield Case(place / name, place / name)


# --- cameras ------------------------------------------------------------------------------------

MATRIX = np.array([[913.25, 0.0, 366.5], [0.0, 914.5, 638.5], [0.0, 0.0, 1.0]])
LENS = np.array([0.125, -0.28, -0.0003, 0.0007, 0.21])

_CAMERA_TEXTS = {
    "ours.json": json.dumps(
        {
            "camera_matrix": MATRIX.tolist(),
            "distortion": LENS.tolist(),
            "image_size": [720, 1280],
            "rotation": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
            "position": [0.5, -4, 1.2],
            "extrinsics": "calibrated",
        }
    ),
    "places.json": json.dumps(
        {"fx": 913.25, "fy": 914.5, "cx": 366.5, "cy": 638.5, "width": 720, "height": 1280}
    ),
    "fisheye.json": json.dumps(
        {
            "K": MATRIX.tolist(),
            "D": [[0.08], [-0.02], [0.004], [-0.001]],
            "fisheye": True,
            "w": 720,
            "h": 1280,
        }
    ),
    "opencap.json": json.dumps(
        {"intrinsicMat": MATRIX.tolist(), "distortion": [LENS.tolist()], "imageSize": [[1280.0], [720.0]]}
    ),
    "ros.yaml": """image_width: 720
image_height: 1280
camera_name: phone  # a comment
camera_matrix:
  rows: 3
  cols: 3
  data: [913.25, 0, 366.5, 0, 914.5, 638.5, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data:
  - 0.125
  - -0.28
  - -3.0e-4
  - 7e-4
  - 0.2
""",
    "kalibr.yaml": """cam0:
  camera_model: pinhole
  distortion_coeffs: [0.125, -0.28, -0.0003, 0.0007]
  distortion_model: radtan
  intrinsics: [913.25, 914.5, 366.5, 638.5]
  resolution: [720, 1280]
""",
    "pose2sim.toml": """[cam_1]
name = "int_cam01_img"
size = [ 720.0, 1280.0]
matrix = [ [ 913.25, 0.0, 366.5], [ 0.0, 914.5, 638.5], [ 0.0, 0.0, 1.0]]
distortions = [ 0.125, -0.28, -0.0003, 0.0007]
rotation = [ 1.678, 1.031, -0.391]
translation = [ 0.26, 0.96, 2.93]
fisheye = false

[metadata]
adjusted = false
error = 0.0
""",
    "caliscope.toml": """[cameras.1]
cam_id = 1
rotation_count = 1
ignore = false
size = [720, 1280]
matrix = [[913.25, 0.0, 366.5], [0.0, 914.5, 638.5], [0.0, 0.0, 1.0]]
distortions = [0.125, -0.28, -0.0003, 7e-4, 0.2]
translation = [0.26, 0.96, 2.93]
rotation = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
""",
    "cameras.txt": "# Camera list\n#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
    "1 OPENCV 720 1280 913.25 914.5 367 639 0.125 -0.28 -0.0003 0.0007\n",
}


def _write_text_cameras(place: Path) -> Iterator[Case]:
    for name, text in _CAMERA_TEXTS.items():
        (place / name).write_text(text)
        yield Case(place / name, place / name)
    for suffix in ("yaml", "xml"):
        path = place / f"opencv.{suffix}"
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
        for key, value in (("image_width", 720), ("image_height", 1280), ("camera_matrix", MATRIX)):
            storage.write(key, value)
        storage.write("distortion_coefficients", LENS[None])
        storage.release()
        yield Case(path, path)
    easymocap = {
        "intri": {"K_01": MATRIX, "dist_01": LENS[None]},
        "extri": {"R_01": LENS[:3, None], "T_01": LENS[:3, None]},
    }
    for name, entries in easymocap.items():
        storage = cv2.FileStorage(str(place / f"{name}.yml"), cv2.FILE_STORAGE_WRITE)
        for key, value in entries.items():
            storage.write(key, value)
        storage.release()
        yield Case(place / f"{name}.yml", place / "intri.yml")


def _write_binary_cameras(place: Path) -> Iterator[Case]:
    content = struct.pack("<Q", 1) + struct.pack(
        "<iiQQ8d", 1, 4, 720, 1280, 913.25, 914.5, 367, 639, *LENS[:4]
    )
    (place / "cameras.bin").write_bytes(content)
    yield Case(place / "cameras.bin", place / "cameras.bin")
    np.savez(place / "opencap.npz", intrinsicMat=MATRIX, distortion=LENS[None], imageSize=[[1280.0], [720.0]])
    np.savez(place / "plain.npz", mtx=MATRIX, dist=LENS, rotation=np.eye(3), position=np.zeros(3))
    for name in ("opencap.npz", "plain.npz"):
        yield Case(place / name, place / name)


def _read_camera(path: Path) -> object:
    return load_camera(path, image_size=(720, 1280))


# --- motion -------------------------------------------------------------------------------------


def _write_motions(place: Path) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    quality = Quality(0.9, 0.9, 0.01, 0.02, 0.0, 1.7, 1.1, 20.0, 1.0, 0.0, faults=())
    for name, lens, fisheye in (
        ("opencv", [0.1, 0.2, 0.01, 0.02, 0.3], False),
        ("fisheye", [0.1, 0, 0, 0], True),
    ):
        matrix = [[900, 0, 360], [0, 910, 640], [0, 0, 1]]
        motion = Motion(
            joints=rng.normal(size=(5, 17, 3)).astype(np.float32) + np.float32([0, 0, 4]),
            confidence=rng.random((5, 17)).astype(np.float32),
            pixels=rng.random((5, 17, 2)).astype(np.float32),
            timestamps=np.arange(5) / 25,
            camera=opencv_camera(matrix, lens, (720, 1280), fisheye=fisheye),
            camera_source="a test",
            uncertainty=rng.random((5, 17)).astype(np.float32),
            rejected=rng.random((5, 17)) < 0.1,
            quality=quality,
        )
        save_motion(place / f"{name}.npz", motion)
        yield Case(place / f"{name}.npz", place / f"{name}.npz")


def _write_archives(place: Path) -> Iterator[Case]:
    clips = procedural_clips(2, seed=0, seconds=0.2, fps=25.0)
    save_motion_archive(place / "archive.npz", clips)
    yield Case(place / "archive.npz", place / "archive.npz")


def _read_archive(path: Path) -> list[MotionClip]:
    return load_motion_archive(path)


def _write_takes(place: Path) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    position = torch.tensor([[4.0, 1.0, 1.5], [-3.0, 3.0, 1.0]], dtype=torch.float64)
    rotation = look_at(position, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)).numpy()
    arrays: dict[str, Any] = {
        "joints": rng.uniform([-0.5, -0.5, 0], [0.5, 0.5, 1.8], (3, 17, 3)),
        "camera_matrix": np.stack([MATRIX, MATRIX]),
        "distortion": np.stack([LENS, LENS]),
        "rotation": rotation,
        "translation": -(rotation @ position.numpy()[..., None])[..., 0],
        "image_size": np.array([[1280, 720], [1000, 1002]]),
        "detections_cpn": rng.uniform(0, 1000, (2, 3, 17, 2)),
        "fps": np.array(50.0),
        "subject": np.array("Ada"),
        "action": np.array("walk"),
        "unmeasured_joints": np.array(["head_top", "spine"]),
        "eval_mask": np.array([True, False, True]),
    }
    np.savez(place / "take.npz", **arrays)
    del arrays["joints"]
    np.savez(place / "unlabelled.npz", **arrays)
    for name in ("take.npz", "unlabelled.npz"):
        yield Case(place / name, place / name)


# --- networks and runs --------------------------------------------------------------------------


def _write_checkpoints(place: Path) -> Iterator[Case]:
    torch.manual_seed(0)
    for config in (
        RayNetConfig(filter_widths=(3,), channels=4, trajectory_channels=4),
        SPGNetConfig(filter_widths=(3,), channels=4, trajectory_channels=4),
        MartinezConfig(channels=4, trajectory_channels=4),
    ):
        path = place / f"{type(config).__name__}.safetensors"
        save_checkpoint(path, config, Progress(), build_model(config))
        yield Case(path, path)


def _write_foreign_checkpoints(place: Path) -> Iterator[Case]:
    weights = {"expand_conv.weight": torch.ones(4, 34, 3), "shrink.weight": torch.ones(51, 4, 1)}
    weights |= {"shrink.bias": torch.zeros(51), "expand_bn.num_batches_tracked": torch.tensor(7)}
    weights |= {
        f"expand_bn.{name}": torch.ones(4) for name in ("weight", "bias", "running_mean", "running_var")
    }
    checkpoint = {"epoch": 80, "lr": 0.1, "random_state": np.random.RandomState(0), "model_pos": weights}
    torch.save(checkpoint, place / "a.pth")
    yield Case(place / "a.pth", place / "a.pth")


def _write_runs(place: Path) -> Iterator[Case]:
    for name, recipe in list(RECIPES.items())[:3]:
        (place / name).mkdir()
        (place / name / "config.json").write_text(json.dumps(config_to_json(recipe)))
        (place / name / "log.jsonl").write_text('{"step": 10, "loss": 0.5}\n{"step": 20, "loss": 0.25}\n')
        yield Case(place / name / "config.json", place / name)
    yield Case(place / name / "log.jsonl", place / name)


def _read_run(path: Path) -> object:
    return read_config(path), len(read_log(path))


# --- motion capture files and data sets ---------------------------------------------------------


def _write_bvh(place: Path) -> Iterator[Case]:
    yield Case(path := mocap_files.write_person(place / "mixamo.bvh"), path)


def _write_amc(place: Path) -> Iterator[Case]:
    names = {
        "lhipjoint": "root",
        "lfemur": "lhipjoint",
        "ltibia": "lfemur",
        "lfoot": "ltibia",
        "ltoes": "lfoot",
    }
    names |= {
        "rhipjoint": "root",
        "rfemur": "rhipjoint",
        "rtibia": "rfemur",
        "rfoot": "rtibia",
        "rtoes": "rfoot",
    }
    names |= {"lowerback": "root", "upperback": "lowerback", "thorax": "upperback", "lowerneck": "thorax"}
    names |= {"upperneck": "lowerneck", "head": "upperneck"}
    for side in "lr":
        names |= {f"{side}clavicle": "thorax", f"{side}humerus": f"{side}clavicle"}
        names |= {
            f"{side}radius": f"{side}humerus",
            f"{side}wrist": f"{side}radius",
            f"{side}hand": f"{side}wrist",
        }
    bones = []
    for name, parent in names.items():
        side = (
            {"l": 1.0, "r": -1.0}.get(name[0], 0.0) if name[0] in "lr" and not name.startswith("low") else 0.0
        )
        down = any(part in name for part in ("femur", "tibia", "radius", "humerus", "hand", "wrist"))
        offset = (
            2.0 * side if "hip" in name or "clavicle" in name else 0.3 * side,
            -7.0 if down else 2.0,
            0.5,
        )
        bones.append(mocap_files.AsfBone(name, parent, offset, (0, 0, 20), "rx ry rz" if down else ""))
    (place / "01.asf").write_text(mocap_files.asf_text(bones))
    frame: dict[str, Any] = {"root": [0, 17, 0, 0, 0, 0], **{b.name: [1, 2, 3] for b in bones if b.dof}}
    (place / "01_01.amc").write_text(mocap_files.amc_text([frame] * 3))
    yield Case(place / "01_01.amc", place / "01_01.amc")
    yield Case(place / "01.asf", place / "01_01.amc")


def _read_mocap(path: Path) -> object:
    return read_clip(path, JointsFile(fps=30.0), name="a", subject="b", action="c")


def _write_joints(place: Path) -> Iterator[Case]:
    values = {
        "right_hip": "RThigh",
        "spine": ["Hips", "Chest"],
        "unit": 0.01,
        "up": "y",
        "fps": 60,
        "head": "Head",
    }
    (place / "joints.json").write_text(json.dumps(values))
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    (place / "joints.toml").write_text("\n".join(lines) + "\n")
    for name in ("joints.json", "joints.toml"):
        yield Case(place / name, place / name)


class Faults(ValueError):
    """The faults of a data set that its reader has listed."""


def _unless(errors: list[str], result: object) -> object:
    """The result of a reader that lists faults; each of them is checked as if it had been raised."""
    if errors:
        raise Faults(errors)
    return result


def _write_human36m(place: Path) -> Iterator[Case]:
    motion = human36m_files.make_motion(("S9",), (3, 4))
    folder = human36m_files.write_prepared(place / "prepared", motion, ("gt",))
    for name in ("data_3d_h36m.npz", "data_2d_h36m_gt.npz"):
        yield Case(folder / name, folder)


def _read_human36m(folder: Path) -> object:
    errors: list[str] = []
    motion = human36m_motion.read_motion(folder, ("S9",), errors)
    pixels = human36m.read_pixels(human36m.pixel_file(folder, "gt"), motion, errors)
    return _unless(errors, (motion, pixels))


def _write_cdf(place: Path) -> Iterator[Case]:
    motion = human36m_files.make_motion(("S9",), (3, 4))["S9"]
    joints = human36m_files.to_32_joints(next(iter(motion.values()))) * 1000
    for one_record in (True, False):
        path = place / f"pose{one_record:d}.cdf"
        path.write_bytes(human36m_files.cdf_file(joints, one_record=one_record))
        yield Case(path, path)


_cdf_readers: dict[int, CdfReader] = {}
"""One for each process, since each has a process of its own."""


def _read_cdf(path: Path) -> object:
    reader = _cdf_readers.setdefault(os.getpid(), CdfReader())
    return human36m_motion.cdf_positions(path.read_bytes(), reader)


def _write_tgz(place: Path) -> Iterator[Case]:
    motion = human36m_files.make_motion(("S9",), (3, 4))
    some = {"S9": dict(list(motion["S9"].items())[:2])}
    human36m_files.write_original(place, some)
    path = place / "Poses_D3_Positions_S9.tgz"
    yield Case(path, path)


def _read_tgz(path: Path) -> object:
    return human36m_motion._members(path, "S9")


def _write_humaneva(place: Path) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    joints = rng.uniform(-0.8, 0.8, (4, 15, 3)).astype(np.float32) + np.float32([0, 0, 1])
    views = [rng.uniform(0, 600, (4, 15, 2)).astype(np.float32) for _ in range(3)]
    path = place / "data_3d_humaneva15.npz"
    human36m_files.write_objects(path, positions_3d={"Train/S1": {"Walking 1 chunk0": joints}})
    pixels = place / "data_2d_humaneva15_gt.npz"
    metadata: Any = {"layout_name": "humaneva15", "num_joints": 15, "keypoints_symmetry": [[2], [5]]}
    human36m_files.write_objects(
        pixels, positions_2d={"Train/S1": {"Walking 1 chunk0": views}}, metadata=metadata
    )
    yield Case(path, place)
    yield Case(pixels, place)


def _read_humaneva(folder: Path) -> object:
    errors: list[str] = []
    motion = humaneva.read_motion(folder / "data_3d_humaneva15.npz", ["Train/S1"], errors)
    pixels = humaneva.read_pixels(folder / "data_2d_humaneva15_gt.npz", motion, errors)
    return _unless(errors, (motion, pixels))


def _write_mpi_inf_3dhp(place: Path) -> Iterator[Case]:
    folder = mpi_inf_3dhp_files.write(place / "set", TS1=mpi_inf_3dhp_files.a_sequence("TS1"))
    yield Case(folder / "TS1" / "annot_data.mat", folder)
    arrays = mpi_inf_3dhp_files.training_arrays("S1/Seq1", frames=3)
    folder = mpi_inf_3dhp_files.write_training(place / "training", S1_Seq1=arrays)
    for name in ("annot.mat", "camera.calibration"):
        yield Case(folder / "S1" / "Seq1" / name, folder)


def _read_mpi_inf_3dhp(folder: Path) -> object:
    if (folder / "S1").exists():
        return mpi_inf_3dhp.MPI_INF_3DHP_FORMAT.load(folder, "train", "gt")
    return mpi_inf_3dhp._takes(mpi_inf_3dhp._read_sequence(folder, "TS1"), "gt")


READERS = (
    Reader("Keypoints: JSON", _keypoints(".json"), _read_keypoints, 6),
    Reader("Keypoints: tables", _keypoints(".csv"), _read_keypoints, 3),
    Reader("Keypoints: folders", _keypoints(folder=True), _read_keypoints, 2),
    Reader("Keypoints: NumPy", _keypoints(".npz", ".npy"), _read_keypoints, 4),
    Reader("Keypoints: HDF5, netCDF", _keypoints(".h5", ".nc"), _read_keypoints, 2),
    Reader("Cameras: text", _write_text_cameras, _read_camera, 5),
    Reader("Cameras: binary", _write_binary_cameras, _read_camera, 2),
    Reader("Motions", _write_motions, load_motion, 3),
    Reader("Motion archives", _write_archives, _read_archive, 3),
    Reader("Takes", _write_takes, load_take, 3),
    Reader("Checkpoints", _write_checkpoints, load_model, 3),
    Reader("VideoPose3D's weights", _write_foreign_checkpoints, load_videopose3d, 1),
    Reader("Run folders", _write_runs, _read_run, 3),
    Reader("BVH", _write_bvh, _read_mocap, 2),
    Reader("ASF/AMC", _write_amc, _read_mocap, 2),
    Reader("Choices of joints", _write_joints, read_joints_file, 2),
    Reader("Human3.6M: prepared", _write_human36m, _read_human36m, 1),
    Reader("Human3.6M: CDF", _write_cdf, _read_cdf, 1),
    Reader("Human3.6M: archives", _write_tgz, _read_tgz, 1),
    Reader("HumanEva-I", _write_humaneva, _read_humaneva, 1),
    Reader("MPI-INF-3DHP", _write_mpi_inf_3dhp, _read_mpi_inf_3dhp, 1),
)
