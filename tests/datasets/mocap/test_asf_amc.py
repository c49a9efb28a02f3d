"""ASF and AMC files: every bone turns about its own axes."""

import re

import numpy as np
import pytest
from mocap_files import AsfBone, amc_text, asf_text
from test_bvh_in import about

from spgnet.datasets.mocap.asf_amc import read_amc, read_asf
from spgnet.datasets.mocap.folder import skeleton_of
from spgnet.errors import InputError

ARM = [
    AsfBone("upper", "root", (2, 0, 0), (0, 0, 90), "rx ry rz"),
    AsfBone("fore", "upper", (3, 0, 0), (180, -30, -90), "rx rz"),
    AsfBone("hand", "fore", (0.5, 0.5, 0)),
]


def tracks_of(tmp_path, bones, frames, length=0.45, angle="DEGREES", unit="deg"):
    (tmp_path / "a.asf").write_text(asf_text(bones, length, unit))
    (tmp_path / "a_1.amc").write_text(amc_text(frames, angle))
    return read_amc(tmp_path / "a_1.amc", read_asf(tmp_path / "a.asf"))


def test_an_angle_turns_a_bone_about_its_own_axis(tmp_path):
    """The bone's own x axis is the skeleton's y: 90 degrees about it carry a bone along +x to -z."""
    frame = {"root": [0] * 6, "upper": [90, 0, 0], "fore": [0, 0]}
    tracks = tracks_of(tmp_path, ARM, [frame], length=1)
    np.testing.assert_allclose(tracks.position("upper")[0], [0, 0, -2], atol=1e-9)
    np.testing.assert_allclose(tracks.position("fore")[0], [0, 0, -5], atol=1e-9)
    np.testing.assert_allclose(tracks.position("hand")[0], [0, 0.5, -5.5], atol=1e-9)
    np.testing.assert_allclose(tracks.rest[tracks.names.index("hand")], [5.5, 0.5, 0], atol=1e-9)


def test_own_angles_apply_x_first_and_in_turned_axes(tmp_path):
    """About own z, the skeleton's z, after own x, the skeleton's y: +x goes to -z, which own z leaves."""
    frame = {"root": [0] * 6, "upper": [90, 0, 50], "fore": [0, 0]}
    np.testing.assert_allclose(
        tracks_of(tmp_path, ARM, [frame], 1).position("upper")[0], [0, 0, -2], atol=1e-9
    )
    # Own y is the skeleton's -x: -z, where own x has put the bone, then goes to -y.
    frame["upper"] = [90, 90, 0]
    np.testing.assert_allclose(
        tracks_of(tmp_path, ARM, [frame], 1).position("upper")[0], [0, -2, 0], atol=1e-9
    )


def naive(bones, frame):
    """Ends of the bones by L = C R C^-1, matrix by matrix."""

    def turn(angles, order="XYZ"):
        matrix = np.eye(3)
        for axis in order.lower():
            matrix = about(axis, angles["xyz".index(axis)]) @ matrix
        return matrix

    root = frame["root"]
    places, turns = {"root": np.array(root[:3], dtype=float)}, {"root": turn(root[3:])}
    for bone in bones:
        angles = dict(zip(bone.dof.split(), frame.get(bone.name, []), strict=True))
        own, c = turn([angles.get(f"r{a}", 0) for a in "xyz"], bone.order), turn(bone.axis, bone.order)
        turns[bone.name] = turns[bone.parent] @ c @ own @ np.linalg.inv(c)
        places[bone.name] = places[bone.parent] + turns[bone.name] @ bone.offset
    return places


@pytest.mark.parametrize("order", ["XYZ", "ZXY"])
def test_all_frames_at_once_are_one_after_the_other(tmp_path, order):
    bones = [AsfBone(b.name, b.parent, b.offset, b.axis, b.dof, order) for b in ARM]
    rng = np.random.default_rng(0)
    frames = [
        {
            "root": rng.uniform(-200, 200, 6),
            "upper": rng.uniform(-180, 180, 3),
            "fore": rng.uniform(-90, 90, 2),
        }
        for _ in range(4)
    ]
    tracks = tracks_of(tmp_path, bones, frames, length=0.5)
    for number, frame in enumerate(frames):
        for name, place in naive(bones, frame).items():
            np.testing.assert_allclose(tracks.position(name)[number], place / 0.5, atol=1e-9)


def test_radians_say_the_same_as_degrees(tmp_path):
    frame = {"root": [1, 2, 3, 40, 50, 60], "upper": [10, 20, 30], "fore": [40, -50]}
    degrees = tracks_of(tmp_path, ARM, [frame])
    root = [1, 2, 3, *np.radians([40, 50, 60])]
    frame = {"root": root, "upper": np.radians([10, 20, 30]), "fore": np.radians([40, -50])}
    np.testing.assert_allclose(
        tracks_of(tmp_path, ARM, [frame], angle="RADIANS").positions, degrees.positions
    )
    turned = [AsfBone(b.name, b.parent, b.offset, tuple(np.radians(b.axis)), b.dof) for b in ARM]
    np.testing.assert_allclose(
        tracks_of(tmp_path, turned, [frame], angle="RADIANS", unit="rad").positions,
        degrees.positions,
        atol=1e-9,
    )


def test_cmu_s_lengths_become_inches(tmp_path):
    tracks = tracks_of(tmp_path, ARM, [{"root": [1, 0, 0, 0, 0, 0], "upper": [0] * 3, "fore": [0, 0]}])
    assert tracks.position("upper")[0, 0] * 0.0254 == pytest.approx(3 * 0.056444, rel=1e-5)


FRAMES = [{"root": [0] * 6, "upper": [1, 2, 3], "fore": [4, 5]}] * 3


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("\n2\n", "\n7\n", "line 8: expected the frame number 2, got '7'"),
        ("\n2\nroot 0.0 0.0", "\n2\nroot 0.0", "line 9: expected root with 6 values"),
        ("fore 4.0 5.0\n3", "3", "line 11: expected fore with 2 values"),
        ("fore 4.0 5.0", "four 4.0 5.0", "fore, four are missing, unknown"),
        ("fore 4.0 5.0", "fore 4.0", "fore are missing"),
        ("upper 1.0", "upper nan", "upper holds NaN"),
        ("upper 1.0", "upper x1", "upper is no number"),
        ("\n1\n", "\n", "no frame number"),
    ],
)
def test_faults_in_motion_are_named(tmp_path, old, new, fault):
    (tmp_path / "a.asf").write_text(asf_text(ARM))
    text = amc_text(FRAMES)
    assert old in text
    (tmp_path / "a_1.amc").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=f"a_1.amc.*{fault}"):
        read_amc(tmp_path / "a_1.amc", read_asf(tmp_path / "a.asf"))


def test_a_skeleton_without_degrees_of_freedom_is_a_fault(tmp_path):
    text = asf_text([AsfBone("upper", "root", (2, 0, 0))])
    (tmp_path / "a.asf").write_text(re.sub(r"^\s*order .*$", "order", text, count=1, flags=re.MULTILINE))
    (tmp_path / "a_1.amc").write_text(":FULLY-SPECIFIED\n:DEGREES\n1\n2\n3\n")
    with pytest.raises(InputError, match=r"a_1\.amc: its skeleton has no degrees of freedom"):
        read_amc(tmp_path / "a_1.amc", read_asf(tmp_path / "a.asf"))


def test_a_last_frame_that_is_cut_off_is_a_fault(tmp_path):
    (tmp_path / "a.asf").write_text(asf_text(ARM))
    (tmp_path / "a_1.amc").write_text("\n".join(amc_text(FRAMES).splitlines()[:-1]))
    with pytest.raises(ValueError, match="last frame is not complete"):
        read_amc(tmp_path / "a_1.amc", read_asf(tmp_path / "a.asf"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (":hierarchy", ":order", ":hierarchy missing"),
        ("length 0.45", "length 0", "unit of length is 0"),
        ("    upper fore\n", "", "line .* bones before their parent|hang nowhere"),
        ("    upper fore\n", "    upper four\n", "unknown bones four"),
        ("dof rx ry rz", "dof rx ry tz", "degrees of freedom that are not read: tz"),
        ("  XYZ\n", "\n", "order like XYZ"),
        ("     name fore\n", "", "has no name"),
        ("direction 1.0", "direction", "bone 'upper' needs three numbers for 'direction'"),
    ],
)
def test_faults_in_skeletons_are_named(tmp_path, old, new, fault):
    text = asf_text(ARM)
    assert old in text
    (tmp_path / "a.asf").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=f"a.asf.*({fault})"):
        read_asf(tmp_path / "a.asf")


def test_a_motion_s_skeleton_is_that_of_the_same_beginning_or_the_only_one(tmp_path):
    (tmp_path / "01.asf").touch()
    assert skeleton_of(tmp_path / "other.amc").name == "01.asf"
    (tmp_path / "02.asf").touch()
    assert skeleton_of(tmp_path / "02_11.amc").name == "02.asf"
    for name in ("HDM_bd", "HDM_bd_squat", "HDM_bk"):
        (tmp_path / f"{name}.asf").touch()
    assert skeleton_of(tmp_path / "HDM_bd_kick_001_120.amc").name == "HDM_bd.asf"
    assert skeleton_of(tmp_path / "HDM_bd_squat_001_120.amc").name == "HDM_bd_squat.asf"  # the longest
    for name in ("HDM_bd", "HDM_bd_squat", "HDM_bk"):
        (tmp_path / f"{name}.asf").unlink()
    with pytest.raises(ValueError, match=r"03_01.amc.*expected 03.asf.*found 01.asf, 02.asf"):
        skeleton_of(tmp_path / "03_01.amc")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="found none"):
        skeleton_of(tmp_path / "empty" / "01_01.amc")
