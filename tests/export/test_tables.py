"""CSV, TRC, JSON and C3D files, each read as its users read it."""

import csv
import json
from dataclasses import replace
from xml.etree import ElementTree

import ezc3d
import numpy as np
import pytest
import torch
from axes import y_up_to_z_up

import spgnet.export.c3d
from spgnet.errors import InputError
from spgnet.export import export
from spgnet.export.markers import MARKER_NAMES, marker_names, marker_set_text
from spgnet.export.sampling import format_rows
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.skeleton import HUMAN36M

TRC_KEYS = [
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
]


def read_trc(path):
    """As OpenSim's TRCFileAdapter reads it: metadata, times and markers {name: [frames, 3]}."""
    lines = [line.split("\t") for line in path.read_text().split("\n")]
    assert lines[0][:3] == ["PathFileType", "4", "(X/Y/Z)"]
    assert lines[1] == TRC_KEYS
    metadata = dict(zip(TRC_KEYS, lines[2], strict=True))
    labels = [label for label in lines[3] if label]
    count = int(metadata["NumMarkers"])
    assert labels[:2] == ["Frame#", "Time"]
    assert len(labels) == count + 2
    assert [cell for cell in lines[4] if cell] == [
        f"{axis}{number}" for number in range(1, count + 1) for axis in "XYZ"
    ]
    assert lines[5] == [""]
    data = lines[6:]
    assert data.pop() == [""]
    assert all(len(row) == 3 * count + 2 for row in data)
    # A marker's name stands above its first column.
    assert [lines[3].index(label) for label in labels[2:]] == list(range(2, 2 + 3 * count, 3))
    values = np.array(data, dtype=float)
    assert values[:, 0].tolist() == list(range(1, int(metadata["NumFrames"]) + 1))
    markers = {name: values[:, 2 + 3 * i : 5 + 3 * i] for i, name in enumerate(labels[2:])}
    return metadata, values[:, 1], markers


def test_rows_are_those_that_a_loop_writes():
    table = np.random.default_rng(0).normal(size=(2500, 3))
    naive = "".join(f"{int(a)},{b:.3f},{c:.6f}\n" for a, b, c in table)
    assert format_rows(table, ["%d", "%.3f", "%.6f"], ",") == naive


# --- CSV ----------------------------------------------------------------------------------------


def test_a_csv_file_has_a_row_for_each_frame(tmp_path, motion):
    export(motion, tmp_path / "motion.csv")
    with (tmp_path / "motion.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(motion)
    assert list(table[0])[:6] == ["frame", "time", "person", "pelvis_x", "pelvis_y", "pelvis_z"]
    column = {name: np.array([float(row[name]) for row in table]) for name in table[0]}
    assert column["frame"].tolist() == list(range(len(motion)))
    np.testing.assert_allclose(column["time"], motion.timestamps, rtol=0, atol=1e-6)
    for joint, name in enumerate(HUMAN36M.names):
        place = np.stack([column[f"{name}_{axis}"] for axis in "xyz"], axis=1)
        np.testing.assert_allclose(place, motion.world[:, joint], rtol=0, atol=1e-6)
        np.testing.assert_allclose(column[f"{name}_confidence"], motion.confidence[:, joint], atol=1e-4)


def test_the_rows_of_several_people_follow_each_other(tmp_path, motion, late):
    export([motion, late], tmp_path / "people.csv")
    with (tmp_path / "people.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["person"] for row in table] == ["1"] * len(motion) + ["4"] * len(late)
    first = table[len(motion)]
    assert (first["frame"], first["time"]) == ("25", "0.500000")
    assert float(first["nose_z"]) == pytest.approx(late.world[0, 9, 2], abs=1e-6)


def test_a_csv_file_has_columns_of_uncertainty_and_rejected_joints_where_there_are_any(
    tmp_path, motion, unsure, late
):
    export([unsure, late], tmp_path / "people.csv")
    with (tmp_path / "people.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    column = {name: np.array([float(row[name]) for row in table]) for name in table[0]}
    for joint, name in enumerate(HUMAN36M.names):
        found = column[f"{name}_uncertainty"]
        np.testing.assert_allclose(found[: len(unsure)], unsure.uncertainty[:, joint], rtol=0, atol=1e-4)
        rejected = column[f"{name}_rejected"]
        np.testing.assert_array_equal(rejected[: len(unsure)], unsure.rejected[:, joint])
        assert np.isnan(np.stack((found, rejected))[:, len(unsure) :]).all()
    export([motion, late], tmp_path / "people.csv")
    header = (tmp_path / "people.csv").read_text().split("\n")[0]
    assert "uncertainty" not in header
    assert "rejected" not in header


def test_a_csv_file_has_joint_angles_where_they_are_wanted(tmp_path, motion, late):
    tables = {}
    for columns in ("positions", "angles", "all"):
        export([motion, late], tmp_path / "people.csv", columns=columns)
        with (tmp_path / "people.csv").open(newline="") as file:
            tables[columns] = list(csv.reader(file))
    export([motion, late], tmp_path / "people.csv")
    with (tmp_path / "people.csv").open(newline="") as file:
        assert list(csv.reader(file)) == tables["positions"]
    angles = [row[3:] for row in tables["angles"]]
    assert [row[:3] for row in tables["angles"]] == [row[:3] for row in tables["positions"]]
    assert tables["all"] == [row + more for row, more in zip(tables["positions"], angles, strict=True)]
    people = [one.joint_angles() for one in (motion, late)]
    for name, values in zip(angles[0], np.array(angles[1:], dtype=float).T, strict=True):
        expected = np.concatenate([one[name] for one in people])
        np.testing.assert_allclose(values, expected, rtol=0, atol=5.1e-4, err_msg=name)
    with pytest.raises(InputError, match=r"a \.trc file has no choice of columns; \.csv have"):
        export(motion, tmp_path / "motion.trc", columns="angles")


def test_a_csv_file_has_columns_of_the_angles_uncertainty_where_there_is_any(tmp_path, unsure, late):
    export([unsure, late], tmp_path / "people.csv", columns="angles")
    with (tmp_path / "people.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    for name, expected in unsure.joint_angle_uncertainty().items():
        column = np.array([float(row[f"{name}_uncertainty"]) for row in table])
        np.testing.assert_allclose(column[: len(unsure)], expected, rtol=0, atol=5.1e-4, err_msg=name)
        assert np.isnan(column[len(unsure) :]).all()
    export([late], tmp_path / "people.csv", columns="angles")
    assert "uncertainty" not in (tmp_path / "people.csv").read_text().split("\n")[0]


# --- JSON ---------------------------------------------------------------------------------------


def test_a_json_file_says_what_it_holds(tmp_path, motion, late):
    export([motion, late], tmp_path / "people.json")
    content = json.loads((tmp_path / "people.json").read_text())
    assert content["joint_names"] == list(HUMAN36M.names)
    assert content["parents"] == list(HUMAN36M.parents)
    assert "z up" in content["axes"]
    assert content["units"]["joints"] == "metre"
    for person, true in zip(content["people"], (motion, late), strict=True):
        assert (person["track"], person["weights"], person["fps"]) == (true.track, "none", 50)
        np.testing.assert_allclose(person["joints"], true.world, rtol=0, atol=1e-6)
        np.testing.assert_allclose(person["confidence"], true.confidence, rtol=0, atol=1e-4)
        np.testing.assert_allclose(person["timestamps"], true.timestamps, rtol=0, atol=1e-6)


def test_the_camera_in_a_json_file_sees_the_joints_at_the_pixels(tmp_path, motion):
    export(motion, tmp_path / "motion.json")
    person = json.loads((tmp_path / "motion.json").read_text())["people"][0]
    values = person["camera"]
    camera = opencv_camera(
        values["matrix"],
        values["distortion"],
        tuple(values["image_size"]),
        rotation=values["rotation"],
        position=values["position"],
    ).to(torch.float64)
    pixels = camera.world_to_image(torch.tensor(person["joints"], dtype=torch.float64))
    np.testing.assert_allclose(pixels.numpy(), person["pixels"], rtol=0, atol=0.01)
    assert values["source"] == "a test"


def test_a_json_file_has_uncertainty_and_rejected_joints_where_there_are_any(tmp_path, unsure, late):
    export([unsure, late], tmp_path / "people.json")
    content = json.loads((tmp_path / "people.json").read_text())
    assert content["units"]["uncertainty"] == "metre"
    first, second = content["people"]
    np.testing.assert_allclose(first["uncertainty"], unsure.uncertainty, rtol=0, atol=1e-4)
    assert first["rejected"] == unsure.rejected.tolist()
    assert second.keys() == first.keys() - {"uncertainty", "rejected"}


# --- TRC ----------------------------------------------------------------------------------------


def test_a_trc_file_reads_as_opensim_reads_it(tmp_path, motion):
    export(motion, tmp_path / "motion.trc")
    metadata, times, markers = read_trc(tmp_path / "motion.trc")
    frames = str(len(motion))
    assert metadata == dict(zip(TRC_KEYS, ["50", "50", frames, "17", "m", "50", "1", frames], strict=True))
    np.testing.assert_allclose(times, np.arange(len(motion)) / 50, atol=1e-6)
    found = y_up_to_z_up(np.stack([markers[name] for name in HUMAN36M.names], axis=1))
    np.testing.assert_allclose(found, motion.world, rtol=0, atol=1e-6)
    assert (tmp_path / "motion.trc").read_text().split("\n")[0].endswith("\tmotion.trc")


def test_the_markers_of_a_person_who_is_not_there_are_nan(tmp_path, motion, late):
    export([motion, late], tmp_path / "people.trc")
    metadata, _, markers = read_trc(tmp_path / "people.trc")
    assert metadata["NumMarkers"] == "34"
    nose = markers["person4_nose"]
    assert np.isnan(nose[:25]).all()
    np.testing.assert_allclose(y_up_to_z_up(nose[25:80]), late.world[:, 9], rtol=0, atol=1e-6)
    assert not np.isnan(markers["person1_nose"]).any()


def test_the_first_line_of_a_trc_file_ends_with_the_median_uncertainty_and_the_rest_stays(
    tmp_path, motion, unsure, late
):
    export([unsure, late], tmp_path / "people.trc")
    title, *rest = (tmp_path / "people.trc").read_text().split("\n")
    read_trc(tmp_path / "people.trc")
    *usual, note = title.split("\t")
    export([motion, late], tmp_path / "people.trc")
    assert (tmp_path / "people.trc").read_text().split("\n") == ["\t".join(usual), *rest]
    meaning, _, values = note.partition(": ")
    assert meaning == "Median standard deviation in metres"
    found = dict(value.split() for value in values.split(", "))
    assert list(found) == [f"person1_{name}" for name in HUMAN36M.names]
    medians = np.median(unsure.uncertainty, axis=0)
    np.testing.assert_allclose([float(value) for value in found.values()], medians, rtol=0, atol=5.1e-4)


def test_the_header_of_a_trc_file_is_that_which_opensim_and_pose2sim_write(tmp_path, motion):
    """Names three columns apart, and a tab at the end of the lines of names and of axes."""
    export(motion, tmp_path / "motion.trc", markers="pose2sim")
    lines = (tmp_path / "motion.trc").read_text().split("\n")
    names = marker_names([motion], "pose2sim")
    assert lines[3] == "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\t"
    axes = "\t".join(f"X{number}\tY{number}\tZ{number}" for number in range(1, len(names) + 1))
    assert lines[4] == "\t\t" + axes + "\t"
    assert lines[5] == ""


_SIDES = ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "BigToe", "SmallToe", "Heel")
POSE2SIM_HALPE26 = {"Nose", "Head", "Neck", "Hip", *(side + joint for joint in _SIDES for side in "LR")}
"""Of Pose2Sim's Markers_Halpe26.xml."""


def test_markers_can_have_the_names_of_pose2sim_and_opensim(tmp_path, motion, late):
    export(motion, tmp_path / "motion.trc", markers="pose2sim")
    _, _, markers = read_trc(tmp_path / "motion.trc")
    assert set(markers) < POSE2SIM_HALPE26
    ankle = y_up_to_z_up(markers["LAnkle"])
    np.testing.assert_allclose(ankle, motion.world[:, HUMAN36M.names.index("left_ankle")], atol=1e-6)
    export([motion, late], tmp_path / "people.trc", markers="opensim")
    _, _, markers = read_trc(tmp_path / "people.trc")
    assert len(markers) == 34
    wrist = y_up_to_z_up(markers["person1_RWJC"])
    np.testing.assert_allclose(wrist, motion.world[:, HUMAN36M.names.index("right_wrist")], atol=1e-6)


def test_joints_that_were_not_detected_can_be_missing(tmp_path, motion):
    confidence = np.ones_like(motion.confidence)
    confidence[10:20, 3] = 0
    partly = replace(motion, confidence=confidence)
    gone = np.zeros(len(motion), bool)
    gone[10:20] = True
    for unseen, absent in (("keep", gone & False), ("missing", gone)):
        export(partly, tmp_path / "motion.trc", unseen=unseen)
        _, _, markers = read_trc(tmp_path / "motion.trc")
        np.testing.assert_array_equal(np.isnan(markers["right_ankle"]).all(axis=1), absent)
        assert not np.isnan(markers["left_ankle"]).any()
        export(partly, tmp_path / "motion.c3d", unseen=unseen)
        residuals = ezc3d.c3d(str(tmp_path / "motion.c3d"))["data"]["meta_points"]["residuals"][0]
        np.testing.assert_array_equal(residuals[3] == -1, absent)
        assert (np.delete(residuals, 3, axis=0) == 0).all()


def test_between_frames_of_a_joint_that_comes_and_goes_it_is_missing(tmp_path, motion):
    """Where frames are interpolated, a joint is there only between two frames that both have it."""
    confidence = np.ones_like(motion.confidence)
    confidence[40, 3] = 0
    times = motion.timestamps.copy()
    times[50:] += 0.01  # half a frame: those after it are interpolated
    late = replace(motion, confidence=confidence, timestamps=times + np.where(np.arange(100) > 30, 0.008, 0))
    export(late, tmp_path / "motion.trc", unseen="missing")
    _, _, markers = read_trc(tmp_path / "motion.trc")
    assert np.isnan(markers["right_ankle"]).all(axis=1).nonzero()[0].tolist() == [40, 41]


@pytest.mark.parametrize("names", MARKER_NAMES)
def test_a_marker_set_places_every_marker_once(names, motion):
    root = ElementTree.fromstring(marker_set_text(names).encode())
    placed = [marker.get("name") for marker in root.iter("Marker")]
    assert placed == marker_names([motion], names)
    for marker in root.iter("Marker"):
        assert marker.findtext("socket_parent_frame", "").startswith("/bodyset/")
        assert len(marker.findtext("location", "").split()) == 3


# --- C3D ----------------------------------------------------------------------------------------


def test_the_residuals_of_a_c3d_file_are_the_uncertainty_in_whole_millimetres(tmp_path, unsure):
    """Rounded up, so that none that is known becomes 0, and at most what the format can hold."""
    large = replace(unsure, uncertainty=np.where(unsure.uncertainty > 0.25, 0.4, unsure.uncertainty))
    export(large, tmp_path / "motion.c3d")
    residuals = ezc3d.c3d(str(tmp_path / "motion.c3d"))["data"]["meta_points"]["residuals"][0].T
    millimetres = 1000 * large.uncertainty
    np.testing.assert_array_equal(residuals[millimetres > 255], 255)
    inside = millimetres <= 255
    assert (residuals[inside] >= millimetres[inside] - 1e-3).all()
    assert (residuals[inside] < millimetres[inside] + 1).all()


def test_a_c3d_file_says_whose_points_there_are_and_when_they_come_and_go(tmp_path, motion, late):
    export(motion, tmp_path / "motion.c3d")
    parameters = ezc3d.c3d(str(tmp_path / "motion.c3d"))["parameters"]
    assert parameters["SUBJECTS"]["NAMES"]["value"] == ["person1"]
    assert parameters["SUBJECTS"]["USES_PREFIXES"]["value"] == [0]
    assert "EVENT" not in parameters
    export([motion, late], tmp_path / "people.c3d")
    parameters = ezc3d.c3d(str(tmp_path / "people.c3d"))["parameters"]
    subjects, events = parameters["SUBJECTS"], parameters["EVENT"]
    assert subjects["USED"]["value"] == [2]
    assert subjects["LABEL_PREFIXES"]["value"] == ["person1_", "person4_"]
    assert events["USED"]["value"] == [2]
    assert events["LABELS"]["value"] == ["Enters", "Leaves"]
    assert events["CONTEXTS"]["value"] == ["General", "General"]
    assert events["SUBJECTS"]["value"] == ["person4", "person4"]
    np.testing.assert_allclose(events["TIMES"]["value"], [[0, 0], [0.5, 1.58]], atol=1e-6)


def test_a_c3d_file_holds_all_points_in_millimetres_with_z_up(tmp_path, motion):
    unseen = replace(motion, confidence=np.zeros_like(motion.confidence))
    export(unseen, tmp_path / "motion.c3d")
    file = ezc3d.c3d(str(tmp_path / "motion.c3d"))
    point = file["parameters"]["POINT"]
    assert point["LABELS"]["value"] == list(HUMAN36M.names)
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"] == [50]
    assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Z"])
    found = file["data"]["points"][:3].transpose(2, 1, 0) / 1000
    np.testing.assert_allclose(found, motion.world, rtol=0, atol=1e-6)
    assert (file["data"]["meta_points"]["residuals"] == 0).all()


def test_the_points_of_a_person_who_is_not_there_are_missing(tmp_path, motion, late):
    export([motion, late], tmp_path / "people.c3d")
    file = ezc3d.c3d(str(tmp_path / "people.c3d"))
    labels = file["parameters"]["POINT"]["LABELS"]["value"]
    nose = labels.index("person4_nose")
    residuals = file["data"]["meta_points"]["residuals"][0]
    assert (residuals[nose, 25:80] == 0).all()
    assert (residuals[nose, :25] == -1).all()
    assert np.isnan(file["data"]["points"][:3, nose, :25]).all()
    assert (residuals[labels.index("person1_nose")] == 0).all()
    np.testing.assert_allclose(
        file["data"]["points"][:3, nose, 25:80].T / 1000, late.world[:, 9], rtol=0, atol=1e-6
    )


def test_a_motion_too_long_for_the_format_is_refused(tmp_path, motion, monkeypatch):
    monkeypatch.setattr(spgnet.export.c3d, "MAX_FRAMES", 99)
    with pytest.raises(ValueError, match="at most 99 frames and this motion has 100"):
        export(motion, tmp_path / "motion.c3d")
    assert list(tmp_path.iterdir()) == []
