"""The result of lifting: one person's 3D motion, and its file format (docs/motion.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float

from spgnet.camera_files import IntrinsicsSource
from spgnet.camera_files.calibration import stored_extrinsics
from spgnet.camera_files.sources import early_source
from spgnet.errors import InputError, prefix_errors
from spgnet.files import read_npz, write_npz
from spgnet.geometry.camera import EXTRINSICS, Camera, opencv_camera
from spgnet.geometry.distortion import is_fisheye
from spgnet.geometry.gait import GaitEvent, gait_events
from spgnet.geometry.joint_angles import joint_angles, unwrap_degrees
from spgnet.geometry.skeleton import HUMAN36M, SKELETONS, Skeleton, skeleton_of
from spgnet.keypoints.keypoints import mean_fps, timestamps_error
from spgnet.keypoints.values import LARGEST_IMAGE
from spgnet.lifting.angle_uncertainty import angle_deviations
from spgnet.lifting.quality import Quality, parse_quality, quality_entries

VERSION = 1
FloatArray = Literal["joints", "confidence", "pixels", "uncertainty"]
"""The arrays of a motion that hold floating-point numbers, apart from its times."""
_SHAPES = {
    "camera_matrix": (3, 3),
    "camera_rotation": (3, 3),
    "camera_position": (3,),
    "image_size": (2,),
    "track": (),
}
"""Shapes of the arrays in a file that :class:`Motion` does not check."""
_LARGEST_VALUE = 1e15
"""The largest magnitude of a number in a file; times count seconds since some day at most."""


_JOINT_ARRAYS = {"joints": (3,), "confidence": (), "pixels": (2,), "uncertainty": (), "rejected": ()}
"""Shapes of the arrays of a :class:`Motion` after its frames and joints."""
_FRAME_ARRAYS = {"timestamps": (), "foot_contact": (2,)}
"""Shapes of others after its frames."""
_COUNTS = {len(skeleton) for skeleton in SKELETONS.values()}


def _shape_errors(arrays: Mapping[str, np.ndarray | None]) -> list[str]:
    """What is wrong with the shapes of the arrays of a motion; those that are None may be."""
    joints = arrays["joints"]
    frames = len(joints) if joints is not None and joints.ndim else 0
    count = joints.shape[1] if joints is not None and joints.ndim > 1 and joints.shape[1] in _COUNTS else 17
    errors = [] if frames else ["a motion needs a frame or more"]
    expected = {name: (frames, count, *shape) for name, shape in _JOINT_ARRAYS.items()}
    expected |= {name: (frames, *shape) for name, shape in _FRAME_ARRAYS.items()}
    for name, shape in expected.items():
        value = arrays.get(name)
        if value is not None and value.shape != shape:
            errors.append(f"{name} has shape {value.shape}, expected {shape}")
    return errors


@dataclass(frozen=True, eq=False)  # equality of arrays is no truth value
class Motion:
    """One person's 3D motion.

    >>> motion = load_motion("motion.npz")
    >>> motion.export("walk.bvh")
    >>> len(motion), round(motion.fps)
    (100, 60)

    Args:
        joints: the 17 joints of Human3.6M, or the 23 of ``spgnet.geometry.skeleton.FEET23``, which are the
            same and then three points of each foot, in the camera frame (x right, y down, z forward), in
            metres.
        confidence: confidence of the 2D detection, in [0, 1]; 0 where a joint is not visible, so that its
            position is the network's guess.
        pixels: the 2D input: joints in the image in pixels, gaps filled.
        timestamps: time of each frame in seconds, increasing.
        camera: a single camera in one of OpenCV's conventions. Its rotation and position define the world
            frame, and its ``extrinsics`` state their source: if calibrated or estimated, the world has z up
            and the floor at z = 0; if arbitrary, the camera is upright at the origin and the floor's height
            unknown.
        camera_source: source of the intrinsics in words.
        track: the person's number in the clip, from 1.
        weights: name of the weights that lifted the motion.
        intrinsics_source: source of the intrinsics.
        uncertainty: one standard deviation, in metres, of each joint's position relative to the pelvis, and,
            as the pelvis's entry, of the pelvis's position relative to the camera; None if not estimated.
        rejected: joints that were detected but cannot be right; their confidence is 0. None if not checked.
        quality: measured figures and what is wrong with the motion; None if not assessed.
        remarks: what was assumed about the input, and what of it was not understood, a sentence each.
        foot_contact: whether the right and the left foot are on the floor; None if not known.

    Raises:
        InputError: shapes do not fit each other, there is no frame, time does not increase, or the camera is
            not a single one in one of OpenCV's conventions.
    """

    joints: Float[np.ndarray, "frames joints 3"]
    confidence: Float[np.ndarray, "frames joints"]
    pixels: Float[np.ndarray, "frames joints 2"]
    timestamps: Float[np.ndarray, " frames"]
    camera: Camera
    camera_source: str
    track: int = 1
    weights: str = ""
    intrinsics_source: IntrinsicsSource = IntrinsicsSource.GIVEN
    uncertainty: Float[np.ndarray, "frames joints"] | None = None
    rejected: Bool[np.ndarray, "frames joints"] | None = None
    quality: Quality | None = None
    remarks: tuple[str, ...] = ()
    foot_contact: Bool[np.ndarray, "frames 2"] | None = None

    def __post_init__(self) -> None:
        errors = _shape_errors({name: getattr(self, name) for name in (*_JOINT_ARRAYS, *_FRAME_ARRAYS)})
        if self.timestamps.ndim == 1 and (error := timestamps_error(self.timestamps)):
            errors.append(error)
        if self.camera.focal.ndim != 1 or self.camera.convention == "human36m":
            errors.append("the camera must be a single one in one of OpenCV's conventions")
        if errors:
            raise InputError("; ".join(errors))

    def __len__(self) -> int:
        return len(self.joints)

    def __repr__(self) -> str:
        return (
            f"Motion(track={self.track}, {len(self)} frames at {self.fps:.4g} fps, "
            f"camera: {self.camera_source}, weights={self.weights!r})"
        )

    @property
    def fps(self) -> float:
        """Mean frames per second; 30 for a single frame."""
        return mean_fps(self.timestamps)

    @property
    def skeleton(self) -> Skeleton:
        """Names and parents of the joints."""
        return skeleton_of(self.joints.shape[1])

    @property
    def has_feet(self) -> bool:
        """Whether there are heels and toes among the joints."""
        return len(self.skeleton) > len(HUMAN36M)

    def without_feet(self) -> Motion:
        """The motion of the 17 joints of Human3.6M alone.

        >>> load_motion("motion.npz").without_feet().joints.shape
        (100, 17, 3)
        """
        if not self.has_feet:
            return self
        arrays = {name: getattr(self, name) for name in _JOINT_ARRAYS}
        body = {name: None if array is None else array[:, : len(HUMAN36M)] for name, array in arrays.items()}
        return replace(self, **body, foot_contact=None)

    def gait_events(self) -> list[GaitEvent]:
        """When feet come to the floor and leave it, in order of time; none if the motion has no feet.

        >>> [(event.side, event.kind) for event in load_motion("motion.npz").gait_events()][:2]
        [('right', 'foot off'), ('right', 'foot contact')]
        """
        return [] if self.foot_contact is None else gait_events(self.foot_contact, self.timestamps)

    @property
    def world(self) -> Float[np.ndarray, "frames joints 3"]:
        """The joints in the world frame (z up), in metres."""
        camera = self.camera.to(torch.float64)
        world = camera.camera_to_world(torch.from_numpy(self.joints.astype(np.float64)))
        return world.numpy().astype(np.float32)

    def joint_angles(self) -> dict[str, Float[np.ndarray, " frames"]]:
        """Angles of the joints in degrees, by name, in every frame (docs/joint_angles.md).

        >>> angles = load_motion("motion.npz").joint_angles()
        >>> round(float(angles["left_knee_flexion"].max()))
        52

        They are those of :func:`spgnet.geometry.joint_angles.joint_angles`: NaN where an angle cannot be
        seen. ``pelvis_rotation`` goes on beyond 180 where the person turns around.
        """
        world = torch.from_numpy(self.world.astype(np.float64))
        angles = {name: values.numpy() for name, values in joint_angles(world).items()}
        return angles | {"pelvis_rotation": unwrap_degrees(angles["pelvis_rotation"])}

    def joint_angle_uncertainty(self) -> dict[str, Float[np.ndarray, " frames"]] | None:
        """One standard deviation of each joint angle in degrees, by name, in every frame.

        >>> deviations = load_motion("motion.npz").joint_angle_uncertainty()
        >>> deviations["left_knee_flexion"].shape
        (100,)

        Returns:
            NaN where an angle cannot be seen; None if the motion has no uncertainty.
        """
        return None if self.uncertainty is None else angle_deviations(self.world, self.uncertainty)

    def non_finite(self, *names: FloatArray) -> list[str]:
        """Messages about NaN or infinity in the named arrays; empty if all that are there are finite."""
        errors = []
        for name in names:
            values = getattr(self, name)
            if values is None:
                continue
            broken = int((~np.isfinite(values.reshape(len(self), -1))).any(axis=1).sum())
            if broken:
                errors.append(f"{name} are NaN or infinite in {broken} of {len(self)} frames")
        return errors

    def save(self, path: Path | str) -> None:
        """Write the motion as an ``.npz`` file, which :func:`load_motion` reads (docs/motion.md).

        >>> motion.save("motion.npz")

        Raises:
            OSError: it cannot be written.
        """
        save_motion(path, self)

    def export(
        self,
        path: Path | str,
        *,
        format: str | None = None,
        rig: Literal["spgnet", "mixamo", "vrm", "unreal"] = "spgnet",
        markers: Literal["spgnet", "pose2sim", "opensim"] = "spgnet",
        unseen: Literal["keep", "missing"] = "keep",
        columns: Literal["positions", "angles", "all"] = "positions",
    ) -> None:
        """Write the motion in the format of the file's suffix, such as .bvh, .glb, .c3d (docs/export.md).

        >>> motion.export("walk.bvh")

        Args:
            path: the file; an existing one is replaced.
            format: one of ``spgnet.export.FORMATS``; by default that of the suffix.
            rig: skeleton of .bvh, .glb and .gltf files.
            markers: names of the markers of .trc and .c3d files.
            unseen: whether .trc and .c3d files keep joints whose confidence is 0.
            columns: whether .csv files have positions, joint angles or both.

        Raises:
            InputError: as :func:`spgnet.export.export`.
            OSError: the file cannot be written.
        """
        from spgnet.export import export

        export(self, path, format=format, rig=rig, markers=markers, unseen=unseen, columns=columns)

    def show(self) -> Path:
        """Open a page that plays the motion in the browser, and return at once.

        Returns:
            Path of the page, a temporary file that works offline.

        Raises:
            InputError: a joint is not finite.
            OSError: the page cannot be written.
        """
        from spgnet.view.page import open_page

        return open_page([self])


def save_motion(path: Path | str, motion: Motion) -> None:
    """Write a motion as an ``.npz`` file of plain arrays, which appears complete or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    camera = motion.camera.to(torch.float64)
    optional = {name: getattr(motion, name) for name in ("uncertainty", "rejected", "foot_contact")}
    write_npz(
        path,
        **{name: value for name, value in optional.items() if value is not None},
        **({} if motion.quality is None else quality_entries(motion.quality)),
        **({"remarks": np.array(motion.remarks, dtype=str)} if motion.remarks else {}),
        version=VERSION,
        joints=motion.joints.astype(np.float32),
        confidence=motion.confidence.astype(np.float32),
        pixels=motion.pixels.astype(np.float32),
        timestamps=motion.timestamps.astype(np.float64),
        fps=motion.fps,
        joint_names=np.array(motion.skeleton.names),
        camera_matrix=camera.intrinsics_matrix().numpy(),
        distortion=camera.distortion_coefficients().numpy(),
        distortion_model=camera.distortion_model,
        camera_rotation=camera.rotation.numpy(),
        camera_position=camera.position.numpy(),
        extrinsics=camera.extrinsics,
        extrinsics_known=camera.extrinsics_known,
        image_size=camera.image_size.numpy().astype(np.int64),
        camera_source=motion.camera_source,
        intrinsics_source=motion.intrinsics_source.value,
        track=motion.track,
        weights=motion.weights,
    )


def load_motion(path: Path | str) -> Motion:
    """Load a motion file.

    >>> load_motion("motion.npz").world.shape  # in metres, z up
    (100, 23, 3)

    Raises:
        InputError: the file is missing or damaged, is not a motion file or has another format version, or its
            contents contradict each other.
    """
    with prefix_errors(path):
        return _motion(read_npz(path))


def _motion(values: dict[str, np.ndarray]) -> Motion:
    """The motion in a file's arrays."""
    wanted = (
        "version",
        "joints",
        "confidence",
        "pixels",
        "timestamps",
        "camera_source",
        "weights",
        "distortion",
        *_SHAPES,
    )
    missing = [name for name in wanted if name not in values]
    if missing:
        raise InputError(f"not a motion file: it lacks {', '.join(missing)}")
    if values["version"].tolist() != VERSION:
        raise InputError(f"a motion file of version {values['version']}, expected version {VERSION}")
    fisheye, lens = is_fisheye(str(values.get("distortion_model", "plumb_bob"))), values["distortion"].shape
    errors = []
    if lens not in ([(4,)] if fisheye else [(5,), (8,)]):
        errors.append(f"distortion has shape {lens}, expected {'(4,)' if fisheye else '(5,) or (8,)'}")
    errors += [
        f"{name} has shape {values[name].shape}, expected {shape}"
        for name, shape in _SHAPES.items()
        if values[name].shape != shape
    ]
    numbers = (
        "joints",
        "confidence",
        "pixels",
        "timestamps",
        "uncertainty",
        "rejected",
        "foot_contact",
        "distortion",
        *_SHAPES,
    )
    errors += [
        f"{name} holds no numbers"
        for name in numbers
        if name in values and values[name].dtype.kind not in "bfiu"
    ]
    remarks = values.get("remarks", np.array([], dtype=str))
    if remarks.dtype.kind != "U" or remarks.ndim != 1:
        errors.append("remarks holds no list of texts")
    errors += _shape_errors(values)
    source = str(values.get("intrinsics_source", early_source(str(values["camera_source"]))))
    if source not in list(IntrinsicsSource):
        errors.append(f"intrinsics_source is {source}, expected {' or '.join(IntrinsicsSource)}")
    if str(values.get("extrinsics", "calibrated")) not in EXTRINSICS:
        errors.append(f"extrinsics is {values['extrinsics']}, expected {' or '.join(EXTRINSICS)}")
    errors += [
        f"{name} holds NaN, infinity or immense numbers"
        for name in (*numbers, *(name for name in values if name.startswith("quality_")))
        if name in values
        and name != "image_size"
        and values[name].dtype.kind in "bfiu"
        and not _is_sound(values[name])
    ]
    if errors:
        raise InputError("; ".join(errors))
    return Motion(
        joints=values["joints"].astype(np.float32),
        confidence=values["confidence"].astype(np.float32),
        pixels=values["pixels"].astype(np.float32),
        timestamps=values["timestamps"].astype(np.float64),
        camera=_camera(values),
        camera_source=str(values["camera_source"]),
        intrinsics_source=IntrinsicsSource(source),
        track=int(values["track"]),
        weights=str(values["weights"]),
        uncertainty=values["uncertainty"].astype(np.float32) if "uncertainty" in values else None,
        rejected=values["rejected"].astype(bool) if "rejected" in values else None,
        quality=parse_quality(values),
        remarks=tuple(remarks.tolist()),
        foot_contact=values["foot_contact"].astype(bool) if "foot_contact" in values else None,
    )


def common_skeleton(motions: Sequence[Motion]) -> list[Motion]:
    """The motions with the joints that all of them have: those of 17 joints if one has no feet."""
    if all(motion.has_feet for motion in motions):
        return list(motions)
    return [motion.without_feet() for motion in motions]


def _is_sound(array: np.ndarray) -> bool:
    with np.errstate(all="ignore"):  # of numbers that double precision does not hold
        return bool((np.abs(array.astype(np.float64)) <= _LARGEST_VALUE).all())


def _camera(values: dict[str, np.ndarray]) -> Camera:
    if not (values["image_size"].astype(np.float64) <= LARGEST_IMAGE).all():
        raise InputError(f"image_size is {values['image_size'].tolist()}, expected pixels")
    camera = opencv_camera(
        values["camera_matrix"],
        values["distortion"],
        (int(values["image_size"][0]), int(values["image_size"][1])),
        rotation=values["camera_rotation"],
        position=values["camera_position"],
        fisheye=is_fisheye(str(values.get("distortion_model", "plumb_bob"))),
    )
    return replace(camera, extrinsics=stored_extrinsics(values))
