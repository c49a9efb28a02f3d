"""What readers assume of a file is what its program means, and what they do not understand is said."""

import json

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file
from written_files import (
    FPS,
    SIZE,
    a_body,
    a_track,
    array,
    check,
    deeplabcut,
    mediapipe,
    openpose,
    table,
    write_json,
)

from spgnet.keypoints import load_keypoints
from spgnet.keypoints.keypoint_names import body_part, match_names
from spgnet.keypoints.keypoints import KEYPOINT_NAMES

COCO = KEYPOINT_NAMES["coco17"]
POINTS = a_track("coco17")


def load(path, **options):
    return load_keypoints(path, **({"fps": FPS, "image_size": SIZE} | options))


# --- Missing keypoints --------------------------------------------------------------------------


def test_the_corner_of_the_image_is_a_missing_keypoint_whatever_its_score(tmp_path):
    points = np.where(POINTS[..., 2:] > 0, POINTS[..., :2], 0)
    (person,) = load(array(tmp_path, points))
    np.testing.assert_array_equal(person.present, POINTS[..., 2] > 0)
    full = np.concatenate((points, np.ones((*points.shape[:2], 1))), axis=-1)
    (person,) = load(array(tmp_path, full))
    np.testing.assert_array_equal(person.present, POINTS[..., 2] > 0)
    points[0, 0] = [0, 7]  # on the border
    assert load(array(tmp_path, points))[0].present[0, 0]


# --- Tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["confidence", "conf", "likelihood", "visibility", "c", "Score"])
def test_scores_are_read_under_any_usual_name(tmp_path, ending):
    path = table(tmp_path, POINTS)
    path.write_text(path.read_text().replace("_score", f"_{ending}"))
    (person,) = load(path)
    check(person, POINTS, "coco17")
    assert not person.remarks


def test_a_column_that_is_not_understood_is_named(tmp_path):
    path = table(tmp_path, POINTS)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head + ",comment,nose_sureness", *(f"{row},7,0.5" for row in rows)]))
    (person,) = load(path)
    assert person.remarks == ("columns that are not understood are left out: comment, nose_sureness",)
    path.write_text(path.read_text().replace("left_ear_", "left_antenna_"))
    (person,) = load(path)
    assert person.remarks[0] == "not understood and left out: left_antenna"
    assert person.remarks[1] == "keypoints of coco17 without a column: left_ear"
    path.write_text(path.read_text().replace("left_knee_", "left_joint_"))
    with pytest.raises(ValueError, match="columns are missing: left_knee; expected frame and nose_x"):
        load(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize(("separator", "decimal"), [("\t", "."), ("\t", ","), (";", ",")])
def test_spreadsheets_save_tables_in_their_own_ways(tmp_path, encoding, separator, decimal):
    path = table(tmp_path, POINTS)
    cells = [line.split(",") for line in path.read_text().splitlines()]
    rows = [separator.join(cell.replace(".", decimal) for cell in row) for row in cells]
    path = tmp_path / "sheet.txt"
    path.write_text("\n".join(["# fps=25 image_size=1280x720 10\N{DEGREE SIGN}", *rows]), encoding=encoding)
    check(load_keypoints(path)[0], POINTS, "coco17")


def test_the_line_that_tells_spreadsheets_the_separator_is_none_of_the_table(tmp_path):
    path = table(tmp_path, POINTS)
    path.write_text("sep=,\n" + path.read_text())
    check(load(path)[0], POINTS, "coco17")


def test_without_frame_numbers_every_row_is_a_frame(tmp_path):
    points = a_body("coco17")
    path = table(tmp_path, points)
    path.write_text(path.read_text().replace("frame,track", "row,track"))
    (person,) = load(path)
    np.testing.assert_allclose(person.points, points, atol=1e-3)
    assert "there is no column 'frame': every row is taken for one" in person.remarks


def test_a_row_for_each_keypoint_makes_a_row_for_each_frame(tmp_path):
    body = a_body("mediapipe33")
    names = KEYPOINT_NAMES["mediapipe33"]
    for named in (names, [str(index) for index in range(33)]):
        lines = ["frame,landmark,x,y,z,visibility"]
        for frame, pose in enumerate(body.tolist()):
            lines += [f"{frame},{name},{x},{y},0.1,{v}" for name, (x, y, v) in zip(named, pose, strict=True)]
        (tmp_path / "x.csv").write_text("\n".join(lines))
        (person,) = load(tmp_path / "x.csv")
        np.testing.assert_allclose(person.points, body, rtol=1e-6)
    (tmp_path / "x.csv").write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(ValueError, match="line 200: a second row of '32' in one frame"):
        load(tmp_path / "x.csv")


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "columns",
    [
        "x{0},y{0},c{0}",
        "x_{0},y_{0},score_{0}",
        "{0}_x,{0}_y,{0}_conf",
        "keypoint_{0}_x,keypoint_{0}_y,keypoint_{0}_visibility",
        "kp{0}x,kp{0}y,kp{0}s",
        "x{0},y{0},z{0},v{0}",
    ],
)
@pytest.mark.parametrize("keypoint_set", ["mediapipe33", "coco17", "halpe26"])
def test_keypoints_may_have_numbers_in_a_table(tmp_path, columns, first, keypoint_set):
    body = a_body(keypoint_set)
    order = np.random.default_rng(0).permutation(body.shape[1])  # their numbers count, and not their order
    depth = np.insert(body, 2, -0.5, axis=2) if "z" in columns else body
    lines = ["frame," + ",".join(columns.format(first + index) for index in order)]
    lines += [
        f"{frame}," + ",".join(map(str, pose[order].ravel().tolist())) for frame, pose in enumerate(depth)
    ]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    (person,) = load(tmp_path / "x.csv")
    check(person, body, keypoint_set)
    assert ("columns that are not understood are left out: z" in str(person.remarks)) == ("z" in columns)


def test_25_numbered_keypoints_have_the_set_of_their_body(tmp_path):
    for keypoint_set in ("body25", "body25b"):
        body = a_body(keypoint_set)
        lines = [",".join(f"x{index},y{index}" for index in range(25))]
        lines += [",".join(map(str, pose[:, :2].ravel().tolist())) for pose in body]
        (tmp_path / "x.csv").write_text("\n".join(lines))
        assert load(tmp_path / "x.csv")[0].keypoint_set == keypoint_set


def test_numbers_without_names_are_no_table(tmp_path):
    np.savetxt(tmp_path / "x.csv", POINTS.reshape(6, 51), delimiter=",")
    with pytest.raises(ValueError, match=r"the first row holds numbers and no names .* save .* as \.npy"):
        load(tmp_path / "x.csv")
    np.savetxt(tmp_path / "x.txt", POINTS.reshape(6, 51))
    with pytest.raises(ValueError, match=r"lines of 51 numbers, without names: save them as \.npy"):
        load(tmp_path / "x.txt")


def test_people_may_have_names_in_a_table(tmp_path):
    points = [a_body("coco17"), a_body("coco17") + np.array([200, 0, 0])]
    path = table(tmp_path, *points)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    names = {"track": "track", "1": "bao", "2": "ada"}
    path.write_text("\n".join(",".join([frame, names[track], *rest]) for frame, track, *rest in rows))
    people = load(path)
    assert [person.track for person in people] == [1, 2]
    np.testing.assert_allclose(people[1].points, points[1], rtol=1e-6)


# --- Names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(
            (name, ("left", "eye"))
            for name in ("left_eye", "LeftEye", "Lefteye", "LEFT EYE", "LEye", "eye_l", "L_Eye")
        ),
        *((name, ("right", "ear")) for name in ("right_ear", "REar", "rear", "earRight")),
        *((name, ("", "pelvis")) for name in ("pelvis", "hip", "mid_hip", "MidHip", "root")),
        ("RHip", ("right", "hip")),
        ("nose", ("", "nose")),
        ("left_eye_inner", ("left", "eyeinner")),
        ("lower_back", ("", "lowerback")),
    ],
)
def test_a_body_part_is_known_in_many_spellings(name, part):
    assert body_part(name) == part


@pytest.mark.parametrize("keypoint_set", KEYPOINT_NAMES)
def test_names_of_a_set_make_that_set(keypoint_set):
    names = KEYPOINT_NAMES[keypoint_set]
    matched = match_names([name.upper() for name in reversed(names)], None)
    assert matched.keypoint_set == keypoint_set
    assert [names[len(names) - 1 - column] for column in matched.columns] == list(names)
    assert not matched.remarks()


def test_deeplabcuts_human_model_numbers_its_sides():
    limbs = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")
    matched = match_names([*(f"{limb}{side}" for side in (1, 2) for limb in limbs), "chin", "forehead"], None)
    by_name = dict(zip(KEYPOINT_NAMES[matched.keypoint_set], matched.columns, strict=True))
    assert (by_name["right_ankle"], by_name["left_ankle"], by_name["left_shoulder"]) == (0, 6, 11)


# --- Other programs' files ----------------------------------------------------------------------


def test_coco_annotations_have_flags_for_scores_and_the_images_size(tmp_path):
    points = a_body("coco17")
    points[..., 2] = 2
    points[:, 3, 2], points[:, 4, 2] = 1, 0
    content = {
        "images": [
            {"id": 70 + i, "file_name": f"x_{i:04}.png", "width": 1280, "height": 720}
            for i in range(len(points))
        ],
        "annotations": [
            {"id": i, "image_id": 70 + i, "keypoints": pose.ravel().tolist()} for i, pose in enumerate(points)
        ],
    }
    (person,) = load_keypoints(write_json(tmp_path / "x.json", content), fps=FPS)
    assert person.image_size == SIZE
    np.testing.assert_array_equal(person.points[0, :6, 2], [1, 1, 1, 0.5, 0, 1])
    content["annotations"][1]["image_id"] = 5
    with pytest.raises(ValueError, match="annotation 1: there is no image 5"):
        load_keypoints(write_json(tmp_path / "x.json", content), fps=FPS)


@pytest.mark.parametrize("tail", [(), (0.8,), (3,), (0.8, 3)], ids=["plain", "conf", "track", "both"])
@pytest.mark.parametrize("scored", [True, False])
def test_the_labels_of_ultralytics_are_shares_of_the_image(tmp_path, tail, scored):
    points = a_body("coco17", frames=12)
    for frame, pose in enumerate(points / [*SIZE, 1]):
        numbers = [0, 0.5, 0.5, 0.2, 0.8, *(pose if scored else pose[:, :2]).ravel(), *tail]
        (tmp_path / f"clip_{frame + 1}.txt").write_text(" ".join(f"{number:g}" for number in numbers))
    (person,) = load(tmp_path)
    np.testing.assert_allclose(person.points[..., :2], points[..., :2], atol=0.05)
    assert person.track == (3 if 3 in tail else 1)
    assert person.timestamps[0] == 1 / FPS


def test_an_archive_of_videopose3d_is_one_clip_and_says_its_layout_and_size(tmp_path):
    path, pixels = tmp_path / "data_2d_custom_x.npz", a_body("coco17")[..., :2]
    metadata = {"layout_name": "coco", "num_joints": 17, "video_metadata": {"x.mp4": {"w": 1280, "h": 720}}}
    positions: dict = {"x.mp4": {"custom": [pixels]}}
    np.savez(path, positions_2d=np.array(positions), metadata=np.array(metadata))
    (person,) = load_keypoints(path, fps=FPS)
    assert (person.keypoint_set, person.image_size) == ("coco17", SIZE)
    np.testing.assert_allclose(person.points[..., :2], pixels, rtol=1e-6)
    positions["y.mp4"] = {"custom": [pixels]}
    np.savez(path, positions_2d=np.array(positions), metadata=np.array(metadata))
    with pytest.raises(ValueError, match=r"it holds 2 clips \(x.mp4 custom 0, y.mp4 custom 0\), expect"):
        load_keypoints(path, fps=FPS)


def test_the_arrays_of_other_programs_are_told_by_their_shapes(tmp_path):
    body = a_body("coco17")
    shares = body / [*SIZE, 1]
    movenet = shares[:, None, None][..., [1, 0, 2]]
    check_all = {
        "one person": body,
        "without scores": body[..., :2],
        "one camera of FreeMoCap": np.concatenate((body,) * 20)[None],
        "shares": shares,
        "MoveNet": movenet,
        "MoveNet, flat": movenet[:, 0, 0],
    }
    for values in check_all.values():
        (person,) = load(array(tmp_path, values))
        np.testing.assert_allclose(person.points[:6, :, :2], body[..., :2], atol=1e-3)
    with pytest.raises(ValueError, match=r"3 cameras by its shape .* save it alone, as in numpy\.save"):
        load(array(tmp_path, np.stack([a_body("mediapipe33", frames=100)] * 3)))
    with pytest.raises(ValueError, match=r"third number .* goes from .*: 3D positions cannot be lifted"):
        load(array(tmp_path, body * [1, 1, 500]))
    np.save(tmp_path / "body_3d_xyz.npy", body)
    with pytest.raises(ValueError, match="3D positions by its name"):
        load(tmp_path / "body_3d_xyz.npy")
    demo = tmp_path / "keypoints.npz"
    np.savez(demo, reconstruction=a_body("human36m17")[None])
    assert load(demo)[0].keypoint_set == "human36m17"


def test_lists_may_be_wrapped_in_an_object_or_come_line_by_line(tmp_path):
    body = a_body("mediapipe33")
    frames = json.loads(mediapipe(tmp_path, body).read_text())
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(frame) for frame in frames))
    for path in (write_json(tmp_path / "x.json", {"fps": 25, "frames": frames}), tmp_path / "x.jsonl"):
        np.testing.assert_allclose(load(path)[0].points, body, atol=1e-3)


def test_rows_of_numbers_and_people_in_one_array_are_unfolded(tmp_path):
    body = a_body("coco17")
    for flat in (body.reshape(6, 51), body[..., :2].reshape(6, 34)):
        (person,) = load(array(tmp_path, flat))
        np.testing.assert_allclose(person.points[..., :2], body[..., :2], rtol=1e-6)
    content = {"keypoints": body[:, None].tolist(), "fps": FPS, "image_size": SIZE}
    (person,) = load_keypoints(write_json(tmp_path / "x.json", content))
    np.testing.assert_allclose(person.points, body, rtol=1e-6)


def test_an_archive_may_call_its_arrays_what_it_likes(tmp_path):
    body, path = a_body("coco17"), tmp_path / "x.npz"
    for arrays in (
        {"arr_0": body},
        {"kp2d": body, "fps": FPS},
        {"kpts": body[..., :2], "conf": body[..., 2], "other": np.zeros(3)},
        {"keypoints": body[..., :2], "scores": body[..., 2], "note": np.array("a walk")},
        {"keypoints": body[..., :2], "keypoint_scores": body[..., 2], "image_size": SIZE},
    ):
        np.savez(path, **arrays)
        check(load(path)[0], body, "coco17")
    np.savez(path, keypoints=body[..., :2], fps=FPS)
    assert load_keypoints(path, image_size=SIZE)[0].remarks == (
        "there are no scores: every keypoint with a position counts as sure",
    )
    content = {"keypoints": body[..., :2].tolist(), "keypoint_set": "coco17", "fps": FPS, "image_size": SIZE}
    (person,) = load_keypoints(write_json(tmp_path / "x.json", content))
    np.testing.assert_array_equal(person.points[..., 2], 1)
    np.savez(path, one=body, other=body)
    with pytest.raises(ValueError, match="no key 'keypoints' among one, other; expected an"):
        load(path)
    np.savez(path, joints=np.zeros((6, 17, 3)), joint_names=np.array(["nose"]))
    with pytest.raises(ValueError, match=r"a lifted motion, .* 2D keypoints are in the keypoints\.npz"):
        load(path)


def test_entries_that_do_not_say_their_frames_are_frames(tmp_path):
    body = a_body("coco17")
    (person,) = load(write_json(tmp_path / "x.json", [{"keypoints": pose.tolist()} for pose in body]))
    np.testing.assert_allclose(person.points, body, rtol=1e-6)
    assert "every entry is taken for one" in person.remarks[0]


def test_positions_mostly_outside_of_the_image_are_refused(tmp_path):
    millimetres = a_body("coco17") * [3, -3, 1]
    with pytest.raises(ValueError, match=r"are outside of an image of 1280x720: x goes .* are they 2D\?"):
        load(array(tmp_path, millimetres))
    cut = a_body("coco17") - np.array([600, 0, 0])  # half of the person is in the picture
    assert load(array(tmp_path, cut))


def test_a_depth_is_no_score(tmp_path):
    body = a_body("mediapipe33")
    depth = np.linspace(-300, 300, 33)[None, :, None].repeat(6, axis=0)
    (person,) = load(array(tmp_path, np.concatenate((body[..., :2], depth), axis=-1)))
    np.testing.assert_array_equal(person.points[..., 2], 1)
    (person,) = load(array(tmp_path, np.concatenate((body[..., :2], depth, body[..., 2:]), axis=-1)))
    np.testing.assert_allclose(person.points, body, rtol=1e-6)


def test_world_landmarks_are_refused_by_name_and_by_their_numbers(tmp_path):
    body = a_body("mediapipe33")
    world = (body - [*body[:, 23:25, :2].mean(axis=(0, 1)), 0]) / [500, 500, 1]
    path = mediapipe(tmp_path, world * [*SIZE, 1])
    wanted = "expected pixels of the image or shares of it, .* pose_landmarks"
    with pytest.raises(ValueError, match=rf"centred on the hips .*{wanted}"):
        load(path)
    frames = [{"pose_world_landmarks": frame} for frame in json.loads(path.read_text())]
    with pytest.raises(ValueError, match=r"world landmarks only, .* those of the image: pose_landmarks"):
        load(write_json(path, frames))


def test_numbers_of_both_signs_are_no_scores(tmp_path):
    body = a_body("coco17")
    body[:, ::2, 2] *= -1
    with pytest.raises(ValueError, match=r"goes from -0\.9 to 0\.9, .* 3D positions cannot be lifted"):
        load(array(tmp_path, body))


def test_movements_datasets_say_names_and_rate_in_netcdf_of_both_kinds(tmp_path):
    body = a_body("coco17")[:, ::-1]
    names = COCO[::-1]
    position = body[..., :2].transpose(0, 2, 1)[..., None]
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["position"], file["confidence"] = position, body[..., 2:]
        file["keypoints"] = np.array(names, dtype=object)
        file.attrs["fps"] = 50.0
    with netcdf_file(tmp_path / "classic.nc", "w") as file:
        for name, size in (("time", 6), ("space", 2), ("keypoints", 17), ("individuals", 1), ("letters", 20)):
            file.createDimension(name, size)
        file.createVariable("position", "d", ("time", "space", "keypoints", "individuals"))[:] = position
        file.createVariable("confidence", "d", ("time", "keypoints", "individuals"))[:] = body[..., 2:]
        letters = np.array([list(name.ljust(20, "\0")) for name in names], dtype="S1")
        file.createVariable("keypoints", "c", ("keypoints", "letters"))[:] = letters
        file.fps = 50.0
    for path in (tmp_path / "x.nc", tmp_path / "classic.nc"):
        (person,) = load_keypoints(path, image_size=SIZE)
        np.testing.assert_allclose(person.points, a_body("coco17"), rtol=1e-6)
        assert person.fps == pytest.approx(50)


def test_a_single_animal_among_deeplabcuts_individuals_is_nobody(tmp_path):
    path = deeplabcut(tmp_path, a_track("coco17"), a_track("coco17", 1))
    path.write_text(path.read_text().replace("person1", "single"))
    (person,) = load(path)
    check(person, POINTS, "coco17")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x.xlsx", "a workbook; save it as CSV"),
        ("x.mat", "MATLAB"),
        ("x.trc", "3D markers"),
        ("x.pt", "pickles"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path, name, told):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=told):
        load(tmp_path / name)
    with pytest.raises(
        ValueError, match=rf"no keypoints in this folder \(with \{name[1:]} files: give one of them"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Calib.toml", "settings or a calibration; cameras are given with --camera"),
        ("walk.bvh", "3D motion; 2D keypoints or a video"),
        ("pose.zip", "an archive; unpack it"),
    ],
)
def test_files_of_another_kind_are_called_what_they_are(tmp_path, name, told):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=told):
        load(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"skeleton": [[1, 2]] * 17, "conf": [1] * 17},
            "is spgnet, an .* rename 'skeleton' to 'keypoints', with x, y and score",
        ),
        ([{"joints": [[1, 2]] * 17}] * 3, "is alphapose, a JSON list .* rename 'joints' to 'keypoints'"),
        ({"smpl": {"betas": [0] * 10}, "thetas": [0] * 72}, "JSON of a 3D pose .* expected 2D keypoints"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4]}], "a box without keypoints, expected .* pose detector"),
        ({"people": [{"pose_keypoints_3d": [1] * 100}]}, "in 3D only, expected 2D ones: pose_keypoints_2d"),
        ([[{"x": 0.1, "y": 0.2}] * 478], "478 landmarks, those of a face, expected the 33 of a pose"),
    ],
)
def test_json_that_is_not_read_is_called_what_it_is_with_the_nearest_format(tmp_path, content, told):
    with pytest.raises(ValueError, match=told) as raised:
        load(write_json(tmp_path / "x.json", content))
    assert len(str(raised.value)) < 300 + len(str(tmp_path))


def test_a_folder_around_one_folder_of_keypoints_is_that_one(tmp_path):
    (tmp_path / "project/pose/cam01_json").mkdir(parents=True)
    openpose(tmp_path / "project/pose/cam01_json", a_body("coco18"))
    (tmp_path / "project/Config.toml").write_text("")
    for folder, name in (("project/pose", "cam01_json"), ("project", "pose/cam01_json")):
        (person,) = load(tmp_path / folder)
        assert f"read from {name}" in person.remarks
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/1.txt").write_text("0 0.5 0.5 0.1 0.1")
    (tmp_path / "walk.avi").write_bytes(b"x")
    with pytest.raises(ValueError, match="lines have 5 numbers: boxes of Ultralytics without keypoints"):
        load(tmp_path)


def test_a_folder_of_cameras_is_not_one_clip(tmp_path):
    for camera in ("cam01_json", "cam02_json"):
        (tmp_path / camera).mkdir()
        write_json(tmp_path / camera / "x_0.json", {"people": []})
    with pytest.raises(ValueError, match=r"a folder with 2 folders of keypoints, .*: cam01_json, cam02_json"):
        load(tmp_path)
