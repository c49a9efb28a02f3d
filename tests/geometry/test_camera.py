"""Cameras: world, camera frame, image and screen, against OpenCV and scalar loops."""

import doctest
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry import camera as camera_module
from spgnet.geometry.camera import UPRIGHT, Camera, concatenate_cameras, opencv_camera
from spgnet.geometry.distortion import Convention
from spgnet.geometry.rigs import human36m_rig, look_at, random_rig
from spgnet.geometry.skeleton import HUMAN36M

law = settings(max_examples=30)

CONVENTIONS: list[Convention] = ["human36m", "opencv"]
PIXEL = 1e-4
"""The tolerance of the oracles, in pixels."""

seeds = st.integers(0, 2**31)


def _uniform(seed: int, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def _cameras(seed: int, convention: Convention, count: int = 3) -> Camera:
    """Random distorting cameras about a person, not quite like each other in any field."""
    rig = random_rig(count, seed=seed, distance=(4.0, 7.0), focal=(0.9, 1.3)).to(torch.float64)
    scale = torch.tensor([0.25, 0.1, 0.02], dtype=torch.float64)
    return replace(
        rig,
        focal=rig.focal * _uniform(seed + 1, (count, 2), 0.98, 1.02),
        center=rig.center + _uniform(seed + 2, (count, 2), -20, 20),
        radial=_uniform(seed + 3, (count, 3), -1, 1) * scale,
        tangential=_uniform(seed + 4, (count, 2), -0.005, 0.005),
        rotation=look_at(rig.position, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)),
        image_size=_uniform(seed + 5, (count, 2), 900, 1100).round(),
        convention=convention,
    )


def _person(seed: int, *batch: int) -> Tensor:
    """Joints [*batch, 17, 3] in the world, within a metre of the origin's vertical."""
    low, high = torch.tensor([-1.0, -1.0, 0.0]), torch.tensor([1.0, 1.0, 1.8])
    return low + (high - low) * _uniform(seed, (*batch, 17, 3), 0, 1)


def _close(actual: Tensor, expected: Tensor, atol: float) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol, check_dtype=False)


def algorithm_1(point: list[float], camera: Camera) -> list[float]:
    """Algorithm 1, as corrected, for one joint and one camera, one number at a time."""
    f, c = camera.focal.tolist(), camera.center.tolist()
    d_r, d_t = camera.radial.tolist(), camera.tangential.tolist()
    pose_depth = [point[0] / point[2], point[1] / point[2]]
    cons = [min(max(value, -1.0), 1.0) for value in pose_depth]
    r = cons[0] * cons[0] + cons[1] * cons[1]
    concat = [r, r * r, r * r * r]
    big_r = 1.0 + d_r[0] * concat[0] + d_r[1] * concat[1] + d_r[2] * concat[2]
    big_t = d_t[0] * cons[0] + d_t[1] * cons[1]
    trans = [cons[i] * (big_r + big_t) + d_t[i] * r for i in range(2)]
    return [f[i] * trans[i] + c[i] for i in range(2)]


# --- World and camera frame ---------------------------------------------------------------------


@given(seeds)
@law
def test_world_to_camera_and_back_is_the_identity(seed: int) -> None:
    cameras, points = _cameras(seed, "human36m"), _person(seed, 3)
    _close(cameras.camera_to_world(cameras.world_to_camera(points)), points, 1e-12)
    _close(cameras.world_to_camera(cameras.camera_to_world(points)), points, 1e-12)


def test_the_camera_is_the_origin_of_its_frame_and_its_axes_are_the_rows_of_its_rotation() -> None:
    camera = human36m_rig("S1")[2].to(torch.float64)
    _close(camera.world_to_camera(camera.position[None]), torch.zeros(1, 3), 1e-12)
    axes = camera.position + camera.rotation
    _close(camera.world_to_camera(axes), torch.eye(3), 1e-6)


def test_the_camera_frame_is_x_right_y_down_z_forward() -> None:
    camera = random_rig(1, seed=0)[0].to(torch.float64)
    points = torch.tensor([[0.0, 0.0, 3.0], [0.5, 0.0, 3.0], [0.0, 0.5, 3.0]], dtype=torch.float64)
    middle, right, below = camera.camera_to_image(points)
    _close(middle, camera.center, 1e-9)
    assert right[0] > middle[0]
    assert right[1] == middle[1]
    assert below[1] > middle[1]
    world = camera.camera_to_world(points)
    assert world[2, 2] < world[0, 2]


# --- The projector ------------------------------------------------------------------------------


@given(seeds)
@law
def test_the_opencv_projector_is_opencvs(seed: int) -> None:
    cameras, points = _cameras(seed, "opencv"), _person(seed)
    ours = cameras.world_to_image(points.expand(3, 17, 3))
    for i in range(3):
        camera = cameras[i]
        matrix = np.eye(3)
        matrix[0, 0], matrix[1, 1] = camera.focal.tolist()
        matrix[0, 2], matrix[1, 2] = camera.center.tolist()
        turn = cv2.Rodrigues(camera.rotation.numpy())[0]
        shift = -(camera.rotation @ camera.position).numpy()
        k1, k2, k3 = camera.radial.tolist()
        coefficients = np.array([k1, k2, *camera.tangential.tolist(), k3])
        theirs, _ = cv2.projectPoints(points.numpy(), turn, shift, matrix, coefficients)
        _close(ours[i], torch.from_numpy(theirs).squeeze(1), PIXEL)


def _check_against_algorithm_1(cameras: Camera, points: Tensor) -> None:
    """The projector agrees with the scalar transcription, camera by camera."""
    seen = cameras.world_to_camera(points)
    ours = cameras.camera_to_image(seen)
    for i in range(len(points)):
        literal = [algorithm_1(point, cameras[i]) for point in seen[i].tolist()]
        _close(ours[i], torch.tensor(literal, dtype=torch.float64), PIXEL)


@given(seeds)
@law
def test_the_human36m_projector_is_the_corrected_algorithm_1(seed: int) -> None:
    cameras, points = _cameras(seed, "human36m"), _person(seed)
    _check_against_algorithm_1(cameras, points.expand(3, 17, 3))


def test_the_human36m_projector_is_algorithm_1_on_the_real_cameras() -> None:
    rig, points = human36m_rig("S11").to(torch.float64), _person(1)
    _check_against_algorithm_1(rig, points.expand(4, 17, 3))


def test_line_3_clamps_points_beyond_45_degrees_in_the_human36m_convention_alone() -> None:
    camera = human36m_rig("S1")[0].to(torch.float64)
    edge = torch.tensor([[2.0, -1.0, 1.0], [1.0, -1.0, 1.0]], dtype=torch.float64)
    pixels = camera.camera_to_image(edge)
    assert torch.equal(pixels[0], pixels[1])
    mirrored = camera.camera_to_image(edge * torch.tensor([-1.0, -2.0, 1.0]))
    assert torch.equal(mirrored[0], mirrored[1])
    expected = torch.tensor(algorithm_1([-1.0, 1.0, 1.0], camera), dtype=torch.float64)
    _close(mirrored[0], expected, PIXEL)
    _close(pixels[0], torch.tensor(algorithm_1([2.0, -1.0, 1.0], camera)), PIXEL)
    unclamped = replace(camera, convention="opencv", radial=torch.zeros(3).double()).camera_to_image(edge)
    assert (unclamped[0, 0] - unclamped[1, 0]).abs() > 1000


def test_single_precision_projects_to_a_hundredth_of_a_pixel() -> None:
    rig, points = human36m_rig("S5"), _person(2).expand(4, 17, 3)
    _close(rig.world_to_image(points.float()), rig.to(torch.float64).world_to_image(points), 1e-2)


# --- Rays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(seeds)
@law
def test_the_ray_of_a_points_pixel_goes_through_the_point(convention: Convention, seed: int) -> None:
    cameras, points = _cameras(seed, convention), _person(seed, 3)
    seen = cameras.world_to_camera(points)
    _close(cameras.image_to_rays(cameras.camera_to_image(seen)), seen[..., :2] / seen[..., 2:], 1e-9)


@given(seeds)
@law
def test_rays_are_those_of_opencv(seed: int) -> None:
    camera = _cameras(seed, "opencv")[0]
    pixels = camera.world_to_image(_person(seed))
    matrix = np.eye(3)
    matrix[0, 0], matrix[1, 1] = camera.focal.tolist()
    matrix[0, 2], matrix[1, 2] = camera.center.tolist()
    k1, k2, k3 = camera.radial.tolist()
    theirs = cv2.undistortPoints(
        pixels.numpy()[:, None],
        matrix,
        np.array([k1, k2, *camera.tangential.tolist(), k3]),
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 500, 1e-14),
    )
    _close(camera.image_to_rays(pixels), torch.from_numpy(theirs).squeeze(1), PIXEL / 1000)


def test_pixels_beyond_the_fold_raise_and_are_named() -> None:
    camera = replace(
        human36m_rig("S1")[0].to(torch.float64),
        radial=torch.tensor([-0.3, 0.0, 0.0], dtype=torch.float64),
        tangential=torch.zeros(2, dtype=torch.float64),
    )
    folded = camera.center + camera.focal * 1.2
    pixels = torch.stack((camera.center + 10, folded, camera.center + 200))
    message = rf"did not converge for 1 of 3 points, the first at pixel \({folded[0]:.1f}, {folded[1]:.1f}\)"
    with pytest.raises(ValueError, match=message):
        camera.image_to_rays(pixels)
    assert camera.image_to_rays(pixels[[0, 2]]).isfinite().all()


# --- Screen -------------------------------------------------------------------------------------


@given(seeds)
@law
def test_image_to_screen_and_back_is_the_identity(seed: int) -> None:
    cameras, pixels = _cameras(seed, "human36m"), _uniform(seed, (3, 17, 2), -200, 1200)
    _close(cameras.screen_to_image(cameras.image_to_screen(pixels)), pixels, 1e-9)


def test_the_screen_has_the_principal_point_at_0_and_an_image_width_is_2_in_x_and_y() -> None:
    camera = human36m_rig("S1")[0].to(torch.float64)
    (w, h), (cx, cy) = camera.image_size.tolist(), camera.center.tolist()
    assert (w, h) == (1000, 1002)
    pixels = torch.tensor([[cx, cy], [0.0, 0.0], [w, h], [250.0, 100.0]], dtype=torch.float64)
    expected = [[2 * (x - cx) / w, 2 * (y - cy) / w] for x, y in pixels.tolist()]
    _close(camera.image_to_screen(pixels), torch.tensor(expected), 1e-6)
    _close(
        camera.image_to_screen(pixels)[2] - camera.image_to_screen(pixels)[1],
        torch.tensor([2.0, 2.004]),
        1e-6,
    )


def test_camera_to_screen_is_the_projector_and_then_the_screen() -> None:
    cameras, points = _cameras(5, "human36m"), _person(5, 3)
    seen = cameras.world_to_camera(points)
    expected = cameras.image_to_screen(cameras.camera_to_image(seen))
    assert torch.equal(cameras.camera_to_screen(seen), expected)


# --- Gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_projectors_gradients_are_those_of_finite_differences(convention: Convention) -> None:
    camera = _cameras(3, convention)[0]
    points = camera.world_to_camera(_person(3))[:3].clone().requires_grad_()
    fields = ("focal", "center", "radial", "tangential")

    def project(points: Tensor, *values: Tensor) -> Tensor:
        return replace(camera, **dict(zip(fields, values, strict=True))).camera_to_image(points)

    lens = [getattr(camera, name).clone().requires_grad_() for name in fields]
    assert torch.autograd.gradcheck(project, (points, *lens))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_gradients_of_rays_are_those_of_finite_differences(convention: Convention) -> None:
    camera = _cameras(4, convention)[0]
    pixels = camera.world_to_image(_person(4))[:3].clone().requires_grad_()
    radial = camera.radial.clone().requires_grad_()
    tangential = camera.tangential.clone().requires_grad_()

    def rays(pixels: Tensor, radial: Tensor, tangential: Tensor) -> Tensor:
        return replace(camera, radial=radial, tangential=tangential).image_to_rays(pixels)

    assert torch.autograd.gradcheck(rays, (pixels, radial, tangential))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("z", [0.0, 1e-9, -1e-9, 1e-3, -1.0])
def test_projection_and_gradient_are_finite_wherever_a_network_puts_a_joint(
    z: float, dtype: torch.dtype
) -> None:
    camera = human36m_rig("S1")[0].to(dtype)
    points = torch.tensor([[0.0, 0.0, z], [0.3, -0.2, z], [1e-7, 0.0, z]], dtype=dtype, requires_grad=True)
    pixels = camera.camera_to_image(points)
    (gradient,) = torch.autograd.grad(pixels.sum(), points)
    assert bool(pixels.isfinite().all())
    assert bool(gradient.isfinite().all())


def test_line_3_bounds_the_pull_of_a_joint_that_is_almost_in_the_camera() -> None:
    camera = human36m_rig("S1")[0].to(torch.float64)
    points = torch.tensor([[0.3, -0.2, 1e-4]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(camera.camera_to_image(points).sum(), points)
    assert torch.equal(gradient, torch.zeros(1, 3, dtype=torch.float64))


# --- Batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(
    "method",
    [
        "world_to_camera",
        "camera_to_world",
        "camera_to_image",
        "world_to_image",
        "camera_to_screen",
        "image_to_rays",
        "image_to_screen",
        "screen_to_image",
    ],
)
def test_a_batch_of_cameras_does_what_its_cameras_do_one_by_one(convention: Convention, method: str) -> None:
    cameras = _cameras(6, convention)
    points = _person(6, 3, 5)
    if method.startswith("camera"):
        points = cameras[:, None].world_to_camera(points)
    if method.startswith(("image", "screen")):
        points = cameras[:, None].world_to_image(points)
    of_frames = getattr(cameras[:, None], method)(points)
    for i in range(3):
        assert getattr(cameras, method)(points[:, 0])[i].shape == of_frames[i, 0].shape
        _close(getattr(cameras, method)(points[:, 0])[i], of_frames[i, 0], 1e-9)
        for frame in range(5):
            _close(of_frames[i, frame], getattr(cameras[i], method)(points[i, frame]), 1e-9)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_many_cameras_see_the_same_points_and_one_camera_sees_many_frames(convention: Convention) -> None:
    cameras, points = _cameras(7, convention), _person(7, 5)
    same = cameras.world_to_image(points[0])
    frames = cameras[1].world_to_image(points)
    grid = cameras[:, None].world_to_image(points)
    assert (same.shape, frames.shape, grid.shape) == ((3, 17, 2), (5, 17, 2), (3, 5, 17, 2))
    _close(same, grid[:, 0], 1e-9)
    _close(frames, grid[1], 1e-9)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("method", ["camera_to_image", "image_to_rays", "image_to_screen"])
def test_many_cameras_share_points_of_their_own_frames(convention: Convention, method: str) -> None:
    cameras = _cameras(8, convention)
    width = 3 if method.startswith("camera") else 2
    points = _uniform(8, (17, width), 1, 2) if width == 3 else _uniform(8, (17, 2), 400, 600)
    together = getattr(cameras, method)(points)
    assert together.shape == (3, 17, 2)
    for i in range(3):
        _close(together[i], getattr(cameras[i], method)(points), 1e-9)


def test_indexing_and_conversion_work_on_every_field_and_keep_convention_and_extrinsics() -> None:
    cameras = replace(_cameras(9, "opencv"), extrinsics="estimated")
    one, grown = cameras[1], cameras[:, None]
    for name in ("focal", "center", "radial", "tangential", "rotation", "position", "image_size"):
        whole = getattr(cameras, name)
        assert torch.equal(getattr(one, name), whole[1])
        assert torch.equal(getattr(grown, name), whole[:, None])
        assert getattr(cameras.to(torch.float32), name).dtype == torch.float32
    for changed in (one, grown, cameras.to(torch.float32), cameras.flipped()):
        assert (changed.convention, changed.extrinsics) == ("opencv", "estimated")
    assert replace(cameras, tangential=torch.zeros(3, 2)).to_convention("human36m").extrinsics == "estimated"


def test_a_camera_is_calibrated_if_it_is_given_any_pose_and_arbitrary_otherwise() -> None:
    matrix = [[900, 0, 640], [0, 900, 360], [0, 0, 1]]
    poses = ({}, {"rotation": UPRIGHT}, {"position": [0, 0, 0]}, {"rotation": UPRIGHT, "position": [0, 0, 0]})
    cameras = [opencv_camera(matrix, None, (1280, 720), **pose) for pose in poses]
    assert [camera.extrinsics_known for camera in cameras] == [False, True, True, True]
    assert [camera.extrinsics for camera in cameras] == ["arbitrary", *["calibrated"] * 3]
    for camera in cameras:
        assert camera.rotation.tolist() == [list(row) for row in UPRIGHT]
        assert camera.position.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("states", "least"),
    [
        (("calibrated", "calibrated"), "calibrated"),
        (("calibrated", "estimated"), "estimated"),
        (("arbitrary", "estimated"), "arbitrary"),
    ],
)
def test_the_extrinsics_of_a_batch_are_those_of_its_least_certain_cameras(states, least) -> None:
    batches = [replace(_cameras(9, "opencv"), extrinsics=state) for state in states]
    joined = concatenate_cameras(batches)
    assert (joined.extrinsics, joined.convention) == (least, "opencv")


# --- Mirror images ------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(seeds)
@law
def test_a_mirrored_pose_in_the_flipped_camera_projects_to_the_mirrored_screen(
    convention: Convention, seed: int
) -> None:
    cameras = _cameras(seed, convention)
    pose = cameras.world_to_camera(_person(seed, 3))
    expected = HUMAN36M.flip(cameras.camera_to_screen(pose))
    _close(cameras.flipped().camera_to_screen(HUMAN36M.flip(pose)), expected, 1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_flipping_a_camera_twice_gives_it_back_and_once_leaves_the_original(convention: Convention) -> None:
    cameras = _cameras(10, convention)
    before = cameras.tangential.clone()
    assert torch.equal(cameras.flipped().flipped().tangential, before)
    assert not torch.equal(cameras.flipped().tangential, before)
    assert torch.equal(cameras.tangential, before)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_only_the_chosen_cameras_are_flipped(convention: Convention) -> None:
    cameras = _cameras(11, convention)
    some = cameras.flipped_where(torch.tensor([True, False, True]))
    for i, flip in enumerate([True, False, True]):
        expected = cameras[i].flipped() if flip else cameras[i]
        assert torch.equal(some.tangential[i], expected.tangential)


# --- Conventions --------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_without_tangential_distortion_the_conventions_are_the_same_camera(convention: Convention) -> None:
    cameras = _cameras(12, convention)
    cameras = replace(cameras, tangential=torch.zeros_like(cameras.tangential))
    other: Convention = "opencv" if convention == "human36m" else "human36m"
    points = _person(12, 3)
    converted = cameras.to_convention(other)
    assert converted.convention == other
    _close(converted.world_to_image(points), cameras.world_to_image(points), 1e-9)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_with_tangential_distortion_only_the_own_convention_is_exact(convention: Convention) -> None:
    cameras = _cameras(13, convention)
    other: Convention = "opencv" if convention == "human36m" else "human36m"
    assert cameras.to_convention(convention).convention == convention
    single = torch.zeros_like(cameras.tangential)
    single[1, 0] = 1e-3
    for tangential in (cameras.tangential, single):
        with pytest.raises(ValueError, match=f"from the '{convention}' to the '{other}' convention"):
            replace(cameras, tangential=tangential).to_convention(other)


def test_no_reordering_of_the_tangential_coefficients_makes_the_conventions_equal() -> None:
    camera = human36m_rig("S1")[1].to(torch.float64)
    points = _person(14)
    ours = camera.world_to_image(points)
    for factor in (0.5, 1.0, 2.0):
        for tangential in (camera.tangential, camera.tangential.flip(-1)):
            other = replace(camera, convention="opencv", tangential=factor * tangential)
            assert (other.world_to_image(points) - ours).norm(dim=-1).max() > 0.05
    assert math.isclose(ours.mean().item(), 500, abs_tol=150)


# --- OpenCV's files -----------------------------------------------------------------------------


def test_an_upright_camera_looks_along_y_with_x_right_and_z_up() -> None:
    camera = opencv_camera([[900, 0, 640], [0, 900, 360], [0, 0, 1]], None, (1280, 720))
    ahead, right, above = [[0.0, 2.0, 0.0], [1.0, 2.0, 0.0], [0.0, 2.0, 0.5]]
    pixels = camera.world_to_image(torch.tensor([ahead, right, above]))
    _close(pixels, torch.tensor([[640.0, 360.0], [1090.0, 360.0], [640.0, 135.0]]), 1e-3)


@pytest.mark.parametrize("coefficients", [0, 2, 4, 5])
def test_opencvs_matrix_and_coefficients_become_a_camera_and_come_back(coefficients: int) -> None:
    matrix = np.array([[900.0, 0, 650], [0, 910, 350], [0, 0, 1]])
    lens = np.array([-0.2, 0.1, 0.001, -0.002, 0.03])[:coefficients]
    rotation = look_at(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3))
    camera = opencv_camera(matrix, lens, (1280, 720), rotation=rotation, position=[[1.0], [2.0], [3.0]])
    assert camera.image_size.tolist() == [1280, 720]
    assert camera.position.tolist() == [1, 2, 3]
    assert torch.equal(camera.rotation, rotation)
    turn, shift = cv2.Rodrigues(rotation.double().numpy())[0], -(rotation @ camera.position).double().numpy()
    points = _person(15)
    padded = np.pad(lens, (0, 5 - coefficients))
    theirs, _ = cv2.projectPoints(points.numpy(), turn, shift, matrix, padded)
    _close(camera.to(torch.float64).world_to_image(points), torch.from_numpy(theirs).squeeze(1), 1e-3)
    np.testing.assert_allclose(camera.intrinsics_matrix(), matrix)
    np.testing.assert_allclose(camera.distortion_coefficients(), padded, rtol=1e-6)


def test_the_examples_of_the_documentation_are_true() -> None:
    failed, tried = doctest.testmod(camera_module)
    assert not failed
    assert tried >= 5


def test_intrinsics_of_a_batch_are_those_of_each_camera() -> None:
    rig = random_rig(3, seed=0)
    lens = torch.tensor([[0.1, -0.2, 0.01], [0.0, 0.3, 0.0], [-0.1, 0.0, 0.02]])
    rig = replace(rig, radial=lens, tangential=lens[:, :2] / 10, convention="opencv")[:, None]
    matrices, coefficients = rig.intrinsics_matrix(), rig.distortion_coefficients()
    assert matrices.shape == (3, 1, 3, 3)
    for number in range(3):
        one = rig[number, 0]
        straight = replace(one, radial=torch.zeros(3), tangential=torch.zeros(2))
        point = torch.tensor([0.1, -0.2, 1.0])
        torch.testing.assert_close(
            straight.camera_to_image(point[None])[0], (matrices[number, 0] @ point)[:2]
        )
        k1, k2, p1, p2, k3 = coefficients[number, 0].tolist()
        assert [k1, k2, k3] == one.radial.tolist()
        assert [p1, p2] == one.tangential.tolist()


def test_human36m_cameras_have_opencv_s_coefficients_only_without_tangential_distortion() -> None:
    rig = human36m_rig("S1")
    with pytest.raises(InputError, match="tangential"):
        rig.distortion_coefficients()
    straight = replace(rig, tangential=torch.zeros(4, 2))
    assert torch.equal(straight.distortion_coefficients()[:, [0, 1, 4]], rig.radial)


@pytest.mark.parametrize("field", ["fx", "cy", "distortion", "rotation", "position"])
def test_a_camera_of_numbers_that_are_not_finite_is_refused(field: str) -> None:
    matrix = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    values = {"distortion": np.zeros(5), "rotation": np.eye(3), "position": np.zeros(3)}
    array, index = {"fx": (matrix, (0, 0)), "cy": (matrix, (1, 2))}.get(field) or (values[field], -1)
    array[index] = math.nan
    with pytest.raises(ValueError, match="camera values must be finite"):
        opencv_camera(matrix, values.pop("distortion"), (1280, 720), **values)


@pytest.mark.parametrize(
    ("pose", "words"),
    [
        ({"rotation": np.ones((3, 3))}, "not a rotation matrix"),
        ({"rotation": np.diag([1.0, 1.0, -1.0])}, "not a rotation matrix"),
        ({"rotation": np.zeros((3, 1))}, r"3 x 3 and the position 3 numbers, got .* \(3, 1\) and"),
        ({"position": [1.0, 2.0]}, r"3 x 3 and the position 3 numbers, got .* \(2,\)"),
        ({"matrix": np.eye(2)}, r"3 x 3 and the position 3 numbers, got \(2, 2\)"),
    ],
)
def test_a_pose_or_matrix_of_another_shape_and_what_is_no_rotation_are_refused(pose, words) -> None:
    with pytest.raises(InputError, match=words):
        opencv_camera(
            **{"matrix": np.diag([900.0, 900.0, 1.0]), "distortion": None, "image_size": (9, 9), **pose}
        )


def test_transposed_intrinsics_are_refused() -> None:
    matrix = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    with pytest.raises(InputError, match=r"\[640\.0, 360\.0, 1\.0\], expected 0 0 1 \(are they transposed"):
        opencv_camera(matrix.T, None, (1280, 720))


@pytest.mark.parametrize("focal", [(0.0, 900.0), (900.0, 0.0), (900.0, -900.0)])
def test_focal_lengths_that_are_not_positive_are_refused(focal: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="focal lengths positive"):
        opencv_camera(np.diag([*focal, 1.0]), None, (1280, 720))
    assert opencv_camera(np.diag([0.5, 0.5, 1.0]), None, (1, 1)).focal.tolist() == [0.5, 0.5]


def test_too_many_distortion_coefficients_or_an_image_without_pixels_are_refused() -> None:
    matrix = np.diag([900.0, 900.0, 1.0])
    with pytest.raises(
        InputError, match="9 distortion coefficients; only k1, k2, p1, p2, k3, k4, k5, k6 are"
    ):
        opencv_camera(matrix, np.zeros(9), (1280, 720))
    with pytest.raises(InputError, match="5 distortion coefficients of a fisheye, expected k1, k2, k3, k4"):
        opencv_camera(matrix, np.zeros(5), (1280, 720), fisheye=True)
    for size in ((0, 720), (1280, -1)):
        with pytest.raises(InputError, match=r"the image is .*, expected 1 x 1 pixels or more"):
            opencv_camera(matrix, None, size)


LENSES = {
    "rational_polynomial": ([0.3, 0.1, 1e-3, -2e-3, 0.03, 0.4, 0.2, 0.02], False),
    "equidistant": ([0.08, -0.02, 0.004, -0.001], True),
}


@pytest.mark.parametrize("model", LENSES)
def test_rational_and_fisheye_cameras_see_what_opencv_sees_and_back(model: str) -> None:
    lens, fisheye = LENSES[model]
    matrix = np.array([[500.0, 0, 650], [0, 510.0, 350], [0, 0, 1]])
    camera = opencv_camera(matrix, lens, (1280, 720), fisheye=fisheye).to(torch.float64)
    assert camera.distortion_model == model
    np.testing.assert_allclose(camera.distortion_coefficients(), lens, rtol=1e-6)
    points = _uniform(3, (40, 3), -1, 1) + torch.tensor([0, 0, 2.5], dtype=torch.float64)
    exact = camera.distortion_coefficients().numpy()
    if fisheye:
        theirs = cv2.fisheye.projectPoints(points.numpy()[:, None], np.zeros(3), np.zeros(3), matrix, exact)[
            0
        ]
    else:
        theirs = cv2.projectPoints(points.numpy(), np.zeros(3), np.zeros(3), matrix, exact)[0]
    pixels = camera.camera_to_image(points)
    _close(pixels, torch.from_numpy(theirs.reshape(-1, 2)), PIXEL)
    _close(camera.image_to_rays(pixels), points[:, :2] / points[:, 2:], 1e-8)
    ideal = camera.without_distortion().camera_to_image(points)
    _close(ideal, (points @ torch.from_numpy(matrix).T / points[:, 2:])[:, :2], 1e-9)


def test_cameras_are_batched_with_those_of_the_rational_model_but_not_turned_into_fisheyes() -> None:
    matrix = [[900, 0, 640], [0, 900, 360], [0, 0, 1]]
    plain = opencv_camera(matrix, [0.1, 0.02, 1e-3, 2e-3, 0.01], (1280, 720))
    rational = opencv_camera(matrix, LENSES["rational_polynomial"][0], (1280, 720))
    fisheye = opencv_camera(matrix, LENSES["equidistant"][0], (1280, 720), fisheye=True)
    both, points = concatenate_cameras([plain[None], rational[None]]), torch.tensor([[0.3, 0.2, 2.0]])
    for number, camera in enumerate((plain, rational)):
        _close(both[number].camera_to_image(points), camera.camera_to_image(points), 1e-4)
    for camera, convention in ((plain, "fisheye"), (fisheye, "opencv"), (fisheye, "human36m")):
        with pytest.raises(InputError, match="a fisheye is another lens model"):
            camera.to_convention(convention)
    assert torch.equal(fisheye.flipped().radial, fisheye.radial)


def test_read_only_arrays_make_a_camera_and_are_copied():
    matrix, lens, rotation = np.array([[900.0, 0, 360], [0, 910, 640], [0, 0, 1]]), np.ones(5), np.eye(3)
    for values in (matrix, lens, rotation):
        values.setflags(write=False)
    camera = opencv_camera(matrix, lens, (720, 1280), rotation=rotation, position=rotation[0])
    assert camera.focal.tolist() == [900, 910]
    given = torch.eye(3, dtype=torch.float32)
    assert opencv_camera(torch.from_numpy(matrix.copy()), None, (720, 1280), rotation=given).focal[0] == 900
