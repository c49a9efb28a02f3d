"""Cameras: transforms between world, camera frame, pixels, rays and screen coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.distortion import DISTORT, Convention, undistort

Extrinsics = Literal["calibrated", "estimated", "arbitrary"]
"""Where a camera's pose in the world comes from: a calibration; an estimate from a motion, with the floor at
z = 0; or an arbitrary choice, in which case the height of the floor is not known."""
EXTRINSICS: tuple[Extrinsics, ...] = get_args(Extrinsics)
"""The values of :data:`Extrinsics`, the most certain first."""


@dataclass(frozen=True)
class Camera:
    """Pinhole or fisheye cameras with lens distortion and a pose in the world.

    One object holds one camera or a batch: every field may have the same leading dimensions
    ``*batch``, and indexing (``cameras[3]``, ``cameras[:, None]``) works on them. A method takes
    points ``[*batch, n, 3]`` (or ``2``): n points for each camera; the leading dimensions of points and
    cameras broadcast. Everything is differentiable.

    Frames and units (see ``docs/conventions.md``): the world is in metres with z up; the camera frame is
    in metres with x right, y down and z forward; pixels have their origin in the top left corner; screen
    coordinates have theirs in the principal point, and half an image width as their unit in x and y.

    Args:
        focal: focal lengths (fx, fy) in pixels.
        center: principal point (cx, cy) in pixels.
        radial: distortion coefficients k1, k2, k3; of the rational model k1 to k6; of a fisheye k1 to k4.
        tangential: the two tangential coefficients, as the convention orders them; 0 of a fisheye.
        rotation: world-to-camera rotation matrix.
        position: the camera's centre in the world, in metres.
        image_size: width and height in pixels.
        convention: the lens model. ``"human36m"`` is Algorithm 1 of the SPGNet paper, ``"opencv"`` is that of
            ``cv2.projectPoints`` and ``"fisheye"`` that of ``cv2.fisheye.projectPoints``.
        extrinsics: how rotation and position were obtained; one value for the whole batch.

    Example:
        A camera 4 m in front of the world's origin (along -y) and 1.5 m above the floor, which looks along y:

        >>> matrix = [[1150, 0, 640], [0, 1150, 360], [0, 0, 1]]
        >>> camera = opencv_camera(matrix, [-0.2, 0.1], (1280, 720), position=[0, -4, 1.5])
        >>> ankle = torch.tensor([[0.0, 0.0, 0.08]])  # one point in the world, in metres
        >>> camera.world_to_camera(ankle)
        tensor([[0.0000, 1.4200, 4.0000]])
        >>> pixels = camera.world_to_image(ankle)
        >>> pixels
        tensor([[640.0000, 758.6084]])
        >>> rays = camera.image_to_rays(pixels)
        >>> torch.allclose(rays, torch.tensor([[0.0, 1.42 / 4]]))
        True
        >>> cameras = concatenate_cameras([camera[None], camera[None]])
        >>> cameras.world_to_image(ankle).shape
        torch.Size([2, 1, 2])
    """

    focal: Float[Tensor, "*batch 2"]
    center: Float[Tensor, "*batch 2"]
    radial: Float[Tensor, "*batch coefficients"]
    tangential: Float[Tensor, "*batch 2"]
    rotation: Float[Tensor, "*batch 3 3"]
    position: Float[Tensor, "*batch 3"]
    image_size: Float[Tensor, "*batch 2"]
    convention: Convention = "human36m"
    extrinsics: Extrinsics = "calibrated"

    @property
    def extrinsics_known(self) -> bool:
        """Whether rotation and position are calibrated, and not estimated or arbitrary."""
        return self.extrinsics == "calibrated"

    def __getitem__(self, index: Any) -> Camera:
        """The camera or cameras at an index into the leading dimensions."""
        return self._map(lambda value: value[index])

    def to(self, target: torch.device | torch.dtype) -> Camera:
        """The same cameras on another device or in another floating point type."""
        return self._map(lambda value: value.to(target))

    def _map(self, function: Any) -> Camera:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: function(v) for n, v in values.items() if isinstance(v, Tensor)})

    def world_to_camera(self, points: Float[Tensor, "*points n 3"]) -> Float[Tensor, "*out n 3"]:
        """World to camera frame, both in metres."""
        return (points - self.position.unsqueeze(-2)) @ self.rotation.mT

    def camera_to_world(self, points: Float[Tensor, "*points n 3"]) -> Float[Tensor, "*out n 3"]:
        """Camera frame to world, both in metres."""
        return points @ self.rotation + self.position.unsqueeze(-2)

    def camera_to_image(self, points: Float[Tensor, "*points n 3"]) -> Float[Tensor, "*out n 2"]:
        """Camera frame (metres) to pixels: :func:`project`."""
        return project(points, self)

    def world_to_image(self, points: Float[Tensor, "*points n 3"]) -> Float[Tensor, "*out n 2"]:
        """World (metres) to pixels."""
        return self.camera_to_image(self.world_to_camera(points))

    def image_to_rays(self, pixels: Float[Tensor, "*points n 2"]) -> Float[Tensor, "*out n 2"]:
        """Pixels to undistorted normalised points (x / z, y / z) of the camera frame.

        Raises:
            InputError: the distortion cannot be inverted at some pixels (they lie beyond the lens's fold).
        """
        rays, converged = self.try_image_to_rays(pixels)
        if not bool(converged.all()):
            worst = pixels.expand(rays.shape)[~converged][0].tolist()
            raise InputError(
                f"undistortion did not converge for {int((~converged).sum())} of {converged.numel()} points, "
                f"the first at pixel ({worst[0]:.1f}, {worst[1]:.1f}); check the distortion coefficients"
            )
        return rays

    def try_image_to_rays(
        self, pixels: Float[Tensor, "*points n 2"]
    ) -> tuple[Float[Tensor, "*out n 2"], Bool[Tensor, "*out n"]]:
        """:meth:`image_to_rays`, and which pixels have a ray; the values of the others are undefined."""
        distorted = (pixels - self.center.unsqueeze(-2)) / self.focal.unsqueeze(-2)
        return undistort(distorted, self.radial.unsqueeze(-2), self.tangential.unsqueeze(-2), self.convention)

    def image_to_screen(self, pixels: Float[Tensor, "*points n 2"]) -> Float[Tensor, "*out n 2"]:
        """Pixels to screen coordinates: the principal point is at 0, and 2 is an image width in x and y."""
        return (pixels - self.center.unsqueeze(-2)) * (2 / self.image_size[..., None, :1])

    def screen_to_image(self, screen: Float[Tensor, "*points n 2"]) -> Float[Tensor, "*out n 2"]:
        """Screen coordinates to pixels."""
        return screen * (self.image_size[..., None, :1] / 2) + self.center.unsqueeze(-2)

    def camera_to_screen(self, points: Float[Tensor, "*points n 3"]) -> Float[Tensor, "*out n 2"]:
        """Camera frame (metres) to screen coordinates: the input of the networks."""
        return self.image_to_screen(self.camera_to_image(points))

    def intrinsics_matrix(self) -> Float[Tensor, "*batch 3 3"]:
        """The matrices [fx 0 cx; 0 fy cy; 0 0 1], in pixels."""
        matrix = torch.eye(3).to(self.focal).repeat(*self.focal.shape[:-1], 1, 1)
        matrix[..., [0, 1], [0, 1]], matrix[..., :2, 2] = self.focal, self.center
        return matrix

    def distortion_coefficients(self) -> Float[Tensor, "*batch coefficients"]:
        """OpenCV's coefficients: k1, k2, p1, p2, k3; of the rational model also k4, k5, k6.

        Those of a fisheye are k1, k2, k3, k4.

        Raises:
            InputError: the cameras have Human3.6M's lens model and tangential distortion.
        """
        if self.convention == "fisheye":
            return self.radial
        lens = self.to_convention("opencv")
        return torch.cat((lens.radial[..., :2], lens.tangential, lens.radial[..., 2:]), dim=-1)

    @property
    def distortion_model(self) -> str:
        """ROS's name of OpenCV's lens model: plumb_bob, rational_polynomial or equidistant (a fisheye).

        It says what :meth:`distortion_coefficients` are.
        """
        if self.convention == "fisheye":
            return "equidistant"
        return "plumb_bob" if self.radial.shape[-1] == 3 else "rational_polynomial"

    def without_distortion(self) -> Camera:
        """The same cameras with an ideal lens: pinholes."""
        return replace(
            self,
            radial=self.radial.new_zeros((*self.radial.shape[:-1], 3)),
            tangential=torch.zeros_like(self.tangential),
            convention="opencv" if self.convention == "fisheye" else self.convention,
        )

    def flipped(self) -> Camera:
        """The camera that projects a pose mirrored left to right to the mirrored screen coordinates.

        The sign of the horizontal tangential coefficient changes. Rotation and position are kept: only
        the projection of the camera frame is mirrored.
        """
        return self.flipped_where(
            torch.ones(self.focal.shape[:-1], dtype=torch.bool, device=self.focal.device)
        )

    def flipped_where(self, flip: Bool[Tensor, "*batch"]) -> Camera:
        """:meth:`flipped`, for some cameras of the batch."""
        horizontal = 0 if self.convention == "human36m" else 1
        tangential = self.tangential.clone()
        tangential[..., horizontal] *= torch.where(flip, -1, 1)
        return replace(self, tangential=tangential)

    def to_convention(self, convention: Convention) -> Camera:
        """The same cameras written in the other distortion convention.

        Raises:
            InputError: the cameras have tangential distortion, which the two conventions model by
                different polynomials, so that no exact conversion exists, or one model is a fisheye.
        """
        if convention != self.convention and "fisheye" in (convention, self.convention):
            raise InputError(
                f"cameras cannot be converted from the {self.convention!r} to the {convention!r} convention: "
                "a fisheye is another lens model"
            )
        if convention != self.convention and bool((self.tangential != 0).any()):
            raise InputError(
                f"cameras with tangential distortion cannot be converted from the {self.convention!r} to the "
                f"{convention!r} convention: their cross terms differ by a factor of two"
            )
        return replace(self, convention=convention)


def project(points: Float[Tensor, "*points n 3"], camera: Camera) -> Float[Tensor, "*out n 2"]:
    """The projector: camera frame to pixels, with the distortion of the lens.

    In the convention ``"human36m"`` it is Algorithm 1 of the SPGNet paper, as corrected in ``docs/paper.md``:
    the normalised point is clamped to [-1, 1] (line 3), which bounds the gradient where z is small. In
    ``"opencv"`` it is ``cv2.projectPoints``, and in ``"fisheye"`` ``cv2.fisheye.projectPoints``, without a
    clamp. It is differentiable in points and camera.

    Args:
        points: n points in the camera frame of each camera, in metres: x right, y down, z forward. They must
            lie in front of the camera (z > 0).
        camera: one camera or a batch, whose dimensions broadcast with those of the points before n.

    Returns:
        Pixels (u right, v down) from the top left corner of the image; those of points outside the image lie
        outside it.

    Example:
        >>> camera = opencv_camera([[900, 0, 640], [0, 900, 360], [0, 0, 1]], None, (1280, 720))
        >>> project(torch.tensor([[0.0, 0.0, 2.0], [1.0, -0.5, 3.0]]), camera)
        tensor([[640., 360.],
                [940., 210.]])
    """
    xy = _normalise(points)  # line 2
    if camera.convention == "human36m":
        xy = xy.clamp(-1, 1)  # line 3
    distort = DISTORT[camera.convention]
    distorted = distort(xy, camera.radial.unsqueeze(-2), camera.tangential.unsqueeze(-2))  # lines 4 to 8
    return distorted * camera.focal.unsqueeze(-2) + camera.center.unsqueeze(-2)  # line 9


def concatenate_cameras(cameras: Sequence[Camera]) -> Camera:
    """Batches of cameras of one convention, one after the other; their extrinsics are the least certain.

    If some have OpenCV's rational model, the others get zeros for its additional coefficients.
    """
    assert len({batch.convention for batch in cameras}) == 1
    most = max(batch.radial.shape[-1] for batch in cameras)
    cameras = [
        replace(batch, radial=torch.nn.functional.pad(batch.radial, (0, most - batch.radial.shape[-1])))
        for batch in cameras
    ]
    names = ("focal", "center", "radial", "tangential", "rotation", "position", "image_size")
    joined = {name: torch.cat([getattr(batch, name) for batch in cameras]) for name in names}
    extrinsics = EXTRINSICS[max(EXTRINSICS.index(batch.extrinsics) for batch in cameras)]
    return Camera(**joined, convention=cameras[0].convention, extrinsics=extrinsics)


def _normalise(points: Tensor) -> Tensor:
    """(x / z, y / z), kept finite (and its gradient too) where z is zero."""
    z = points[..., 2:]
    return points[..., :2] / torch.where(z.abs() < 1e-6, 1e-6, z)


UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
"""World-to-camera rotation of a level camera that looks along the world's y axis."""


def opencv_camera(
    matrix: Any,
    distortion: Any,
    image_size: tuple[int, int],
    *,
    rotation: Any = None,
    position: Any = None,
    fisheye: bool = False,
) -> Camera:
    """One camera from OpenCV's intrinsics and distortion coefficients.

    If neither rotation nor position is given, the extrinsics are ``"arbitrary"``, otherwise
    ``"calibrated"``.

    Args:
        matrix: the 3 x 3 intrinsics in pixels; skew is not modelled.
        distortion: k1, k2, p1, p2, k3 of OpenCV, or only the first of them; None for no distortion. With k4,
            k5, k6 as well, it is the rational model. Of a fisheye k1, k2, k3, k4.
        image_size: width and height in pixels.
        rotation: world to camera, 3 x 3; :data:`UPRIGHT` if None.
        position: the camera's centre in the world, in metres; the world's origin if None.
        fisheye: the lens model is that of ``cv2.fisheye``.

    Raises:
        InputError: an array has another shape, a value is not finite, the focal lengths or the sides of the
            image are not positive, the last row of ``matrix`` is not 0 0 1, the distortion has too many
            coefficients, or ``rotation`` is no rotation matrix.
    """
    values, axes = _doubles(matrix), _doubles(UPRIGHT if rotation is None else rotation)
    centre = _doubles([0, 0, 0] if position is None else position).flatten()
    if values.shape != (3, 3) or axes.shape != (3, 3) or centre.shape != (3,):
        raise InputError(
            "the intrinsics and rotation must be 3 x 3 and the position 3 numbers, got "
            f"{' and '.join(str(tuple(each.shape)) for each in (values, axes, centre))}"
        )
    radial, tangential = _lens_coefficients(distortion, fisheye)
    size = torch.tensor(image_size, dtype=torch.float64)
    if not bool((size.isfinite() & (size >= 1)).all()):
        raise InputError(f"the image is {image_size[0]} x {image_size[1]}, expected 1 x 1 pixels or more")
    camera = Camera(
        focal=values.diagonal()[:2].clone(),
        center=values[:2, 2].clone(),
        radial=radial,
        tangential=tangential,
        rotation=axes,
        position=centre,
        image_size=size,
        convention="fisheye" if fisheye else "opencv",
        extrinsics="arbitrary" if rotation is None and position is None else "calibrated",
    )
    numbers = (camera.focal, camera.center, radial, tangential, camera.rotation, camera.position, size)
    if not all(bool(number.isfinite().all()) for number in numbers) or bool((camera.focal <= 0).any()):
        raise InputError(f"camera values must be finite and focal lengths positive, got {values.tolist()}")
    if not torch.allclose(values[2], values.new_tensor([0.0, 0.0, 1.0]), atol=1e-6):
        raise InputError(
            f"the last row of the intrinsics is {values[2].tolist()}, expected 0 0 1 (are they transposed?)"
        )
    largest = max(float(number.abs().max()) for number in numbers)
    if largest > _LARGEST_VALUE or bool((camera.focal < 1 / _LARGEST_VALUE).any()):
        raise InputError(f"the camera holds a number that is too large ({largest:g}) or a tiny focal length")
    if not torch.allclose(axes @ axes.mT, torch.eye(3, dtype=torch.float64), atol=1e-2) or axes.det() < 0:
        raise InputError(f"rotation is not a rotation matrix: {axes.tolist()}")
    return camera.to(torch.float32)


_LARGEST_VALUE = 1e12
"""The largest magnitude of a number of a camera, far beyond any; single precision holds it."""


def _lens_coefficients(distortion: Any, fisheye: bool) -> tuple[Tensor, Tensor]:
    """The radial and the tangential coefficients among those of OpenCV; zeros for those that are not given.

    Raises:
        InputError: there are too many.
    """
    given = _doubles([] if distortion is None else distortion).flatten()
    if fisheye:
        if len(given) > 4:
            raise InputError(f"{len(given)} distortion coefficients of a fisheye, expected k1, k2, k3, k4")
        return torch.nn.functional.pad(given, (0, 4 - len(given))), torch.zeros(2, dtype=torch.float64)
    if len(given) > 8:
        raise InputError(
            f"{len(given)} distortion coefficients; only k1, k2, p1, p2, k3, k4, k5, k6 are supported"
        )
    count = 8 if len(given) > 5 else 5
    lens = torch.nn.functional.pad(given, (0, count - len(given)))
    return torch.cat((lens[:2], lens[4:])), lens[2:4]


def _doubles(values: Any) -> Tensor:
    """Values in double precision; those of an array, which may be read-only, are copied."""
    if isinstance(values, Tensor):
        return values.double()
    return torch.from_numpy(np.array(values, dtype=np.float64))  # of either byte order


_PADDING = 16
"""Pixels by which codecs round the sides of an image up."""
_SAME_SHAPE = 0.02
"""Relative difference of aspect ratios up to which one image is a resized copy: its sides are rounded."""


def have_same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether an image of one size (width, height) can be a resized copy of one of the other: within 2 %."""
    return abs(size[0] / other[0] / (size[1] / other[1]) - 1) <= _SAME_SHAPE


def fit_to_image(camera: Camera, image_size: tuple[int, int]) -> Camera:
    """The same camera for an image of another size, as far as that can be known.

    A difference of up to 16 pixels a side is a codec's padding, at the right and below: the intrinsics stay.
    An image of the same shape (within 2 %) is a resized copy: focal lengths and principal point are scaled
    by the ratio of the longer sides.

    Args:
        camera: a single camera.
        image_size: width and height of the new image in pixels.

    Raises:
        InputError: the image is rotated by 90 degrees, or has another aspect ratio.
    """
    width, height = camera.image_size.tolist()
    size = torch.tensor(image_size, dtype=camera.image_size.dtype, device=camera.image_size.device)
    sizes = f"the camera was calibrated for {width:.0f} x {height:.0f} pixels, the video has "
    sizes += f"{image_size[0]} x {image_size[1]}"
    if (width - height) * (image_size[0] - image_size[1]) < 0:
        raise InputError(f"{sizes}: one of them is rotated; turn the video, or calibrate in its orientation")
    if max(abs(image_size[0] - width), abs(image_size[1] - height)) <= _PADDING:
        return replace(camera, image_size=size)
    across, down = image_size[0] / width, image_size[1] / height
    if not have_same_shape(image_size, (int(width), int(height))):
        raise InputError(f"{sizes}: another shape, so the video is cropped; calibrate with videos like it")
    factor = across if width > height else down
    return replace(camera, focal=camera.focal * factor, center=camera.center * factor, image_size=size)
