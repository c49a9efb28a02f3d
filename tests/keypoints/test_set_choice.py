"""The keypoint set of a file that does not name it: by the number of keypoints, and by the body they make."""

from typing import get_args

import numpy as np
import pytest
from written_files import FPS, SIZE, a_body, a_track, alphapose, openpose

import spgnet
from spgnet.keypoints import KeypointSetName, load_keypoints
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS
from spgnet.keypoints.set_choice import disproportion, fits, is_centred_on_the_hips, set_of_people
from spgnet.lifting.inputs import as_keypoints


@pytest.mark.parametrize("keypoint_set", ["body25", "body25b", "coco17", "human36m17"])
def test_the_body_tells_sets_of_as_many_keypoints_apart(keypoint_set):
    assert set_of_people(a_body(keypoint_set))[0] == keypoint_set


@pytest.mark.parametrize("keypoint_set", ["body25", "body25b"])
def test_a_remark_says_what_was_taken_and_how_to_say_otherwise(tmp_path, keypoint_set):
    path = openpose(tmp_path, a_body(keypoint_set))
    (person,) = load_keypoints(path, fps=FPS, image_size=SIZE)
    assert person.keypoint_set == keypoint_set
    assert f"25 keypoints can be body25 or body25b: taken for {keypoint_set}" in person.remarks[0]
    other: KeypointSetName = "body25" if keypoint_set == "body25b" else "body25b"
    (person,) = load_keypoints(path, fps=FPS, image_size=SIZE, keypoint_set=other)
    assert (person.keypoint_set, person.remarks) == (other, ())


def test_a_heap_of_points_has_the_usual_set():
    for seed in range(50):
        assert set_of_people(a_track("body25", seed))[0] == "body25"
        assert set_of_people(a_track("coco17", seed))[0] == "coco17"


def test_a_body_is_off_by_little_in_its_own_order_only():
    for one, other in (("body25", "body25b"), ("coco17", "human36m17")):
        assert disproportion(a_body(one), one) < 0.2 < disproportion(a_body(one), other)


@pytest.mark.parametrize("keypoint_set", get_args(KeypointSetName))
def test_any_set_can_be_chosen_where_the_count_fits(tmp_path, keypoint_set):
    path = alphapose(tmp_path, a_body(keypoint_set))
    (person,) = load_keypoints(path, fps=FPS, image_size=SIZE, keypoint_set=keypoint_set)
    assert person.points.shape[1] == KEYPOINT_COUNTS[keypoint_set]
    assert person.keypoint_set == keypoint_set
    assert fits(keypoint_set, KEYPOINT_COUNTS[keypoint_set])


@pytest.mark.parametrize(("count", "keypoint_set"), [(133, "coco17"), (135, "body25b"), (136, "halpe26")])
def test_the_body_of_sets_with_face_and_hands_can_be_chosen(tmp_path, count, keypoint_set):
    body = a_body(keypoint_set)
    whole = np.concatenate((body, np.full((len(body), count - body.shape[1], 3), 500.0)), axis=1)
    whole[..., 2] = 0.9
    path = alphapose(tmp_path, whole)
    for given in (None, keypoint_set):
        (person,) = load_keypoints(path, fps=FPS, image_size=SIZE, keypoint_set=given)
        read = whole if count == 133 and given is None else body  # with the feet
        np.testing.assert_allclose(person.points, read, rtol=1e-6)


def test_an_array_of_25_keypoints_needs_no_name_of_its_set():
    keypoints = as_keypoints(a_body("body25b"), FPS, SIZE, None)
    assert keypoints.keypoint_set == "body25b"
    assert "taken for body25b" in keypoints.remarks[0]
    with pytest.raises(spgnet.InputError, match="keypoint_set"):
        as_keypoints(a_body("coco17"), FPS, SIZE, None)


def test_a_pose_about_its_own_hips_is_not_in_an_image():
    body = a_body("coco17")
    centred = body - [*body[:, 11:13, :2].mean(axis=(0, 1)), 0]
    assert is_centred_on_the_hips(centred, "coco17")
    assert is_centred_on_the_hips(centred / [500, 500, 1], "coco17")
    assert not is_centred_on_the_hips(body, "coco17")
    assert not is_centred_on_the_hips(body / [*SIZE, 1], "coco17")
