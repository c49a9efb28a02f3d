"""The real detector on real videos, where both are at hand; without them, how it says what is missing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from spgnet.detection import RtmDetector, detect_video, people_in_video, track_video
from spgnet.detection.downloads import cache_folder
from spgnet.detection.pieces import Piece, join_pieces
from spgnet.video import Frame, open_frames

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture(scope="module")
def detector_dir() -> Path:
    named = os.environ.get("SPGNET_DETECTOR_DIR")
    for folder in (Path(named) if named else None, SHARED / "detector", cache_folder() / "detector"):
        if folder is not None and folder.is_dir():
            return folder
    pytest.skip("the 2D detector's weights are not on this machine")


@pytest.fixture(scope="module")
def detector(detector_dir) -> RtmDetector:
    return RtmDetector(detector_dir)


@pytest.fixture(scope="module")
def frame() -> Frame:
    if not (SHARED / "video").is_dir():
        pytest.skip("the shared videos are not beside this checkout")
    return next(iter(open_frames(SHARED / "video" / "pose2sim_multi01.mp4")))


def test_the_people_of_a_real_picture_are_found_with_their_keypoints(detector, frame, capfd):
    boxes = detector.boxes(frame.image)
    points = detector.pose(frame.image, boxes)
    assert points.shape == (3, 26, 3)
    assert (points[..., 2] <= 1).all()
    assert (points[..., 2].mean(axis=1) > 0.7).all()
    for box, person in zip(boxes, points, strict=True):
        inside = (person[:, :2] > box[:2] - 40) & (person[:, :2] < box[2:] + 40)
        assert inside.all(axis=1).mean() > 0.9
    head, ankle = points[:, 17, 1], points[:, 15, 1]
    assert (ankle > head + 200).all(), "upright"
    assert capfd.readouterr().out == ""


def test_on_one_core_the_networks_take_turns_and_find_the_same(detector_dir, detector, frame):
    single = RtmDetector(detector_dir, cores=1)
    assert (detector.concurrent, single.concurrent) == (True, False)
    boxes = detector.boxes(frame.image)
    np.testing.assert_allclose(single.boxes(frame.image), boxes, atol=1e-3)
    found, expected = single.pose(frame.image, boxes), detector.pose(frame.image, boxes)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_an_empty_picture_has_nobody(detector):
    image = np.full((300, 400, 3), 127, np.uint8)
    boxes = detector.boxes(image)
    assert boxes.shape == (0, 4)
    assert detector.pose(image, boxes).shape == (0, 26, 3)


def test_a_video_without_people_is_refused(detector, tmp_path):
    from PIL import Image

    for index in range(2):
        Image.new("RGB", (320, 240), (90, 120, 90)).save(tmp_path / f"{index}.png")
    with pytest.raises(ValueError, match=r"no person found in .* \(2 frames looked at\)"):
        detect_video(tmp_path, detector)


def test_nobody_is_exchanged_in_a_real_video_of_several_people(detector, frame):
    """The two in front and one at the back stay where they are, to within a step; in pieces they are the
    same."""
    video = open_frames(SHARED / "video" / "pose2sim_multi01.mp4")
    people = detect_video(video, detector, detect_every=4)
    assert [person.track for person in people] == [1, 2, 3]
    for person in people:
        seen = person.points[::4]
        assert (seen[..., 2].mean(axis=1) > 0.4).all()
        hips = seen[:, 19, :2]
        assert np.linalg.norm(np.diff(hips, axis=0), axis=1).max() < 120
    middle = [person.points[::4, 19, 0].mean() for person in people]
    assert max(middle) - min(middle) > 400
    times = video.frame_times()
    pieces = Piece(0.0, times[len(times) * 3 // 4]), Piece(times[len(times) // 4 // 4 * 4], np.inf)
    tracks = [track_video(video, detector, detect_every=4, piece=piece) for piece in pieces]
    joined = people_in_video(video, join_pieces(tracks))
    assert [person.track for person in joined] == [1, 2, 3]
    for one, other in zip(joined, people, strict=True):
        np.testing.assert_array_equal(one.timestamps, other.timestamps)
        both = (one.points[..., 2] > 0.5) & (other.points[..., 2] > 0.5)
        assert both.sum() > 0.95 * (other.points[..., 2] > 0.5).sum()
        assert np.abs(one.points - other.points)[both][:, :2].mean() < 1


@pytest.mark.parametrize("library", ["rtmlib", "onnxruntime"])
def test_missing_libraries_are_told_with_the_extra(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=rf"{library}.*pip install 'spgnet\[video\]'"):
        RtmDetector()
