"""Lift the keypoints of your own 2D detector.

    python examples/02_your_own_detector.py keypoints.npy walk.bvh

``keypoints.npy`` holds an array [frames, 17, 3] of one person: x and y in pixels and a score in [0, 1] for
each of COCO's 17 keypoints; a score of 0 means that the keypoint was not found.
"""

import sys

import numpy as np

import spgnet


def main(keypoints: str, target: str) -> None:
    points = np.load(keypoints)
    (motion,) = spgnet.lift(
        points,
        keypoint_set="coco17",  # docs/keypoints.md lists the others
        fps=30.0,
        image_size=(1920, 1080),
        field_of_view=70.0,  # degrees across the longer side; better is a camera: 03_calibrated_camera.py
        height=1.78,  # metres; sets the scale
    )
    guessed = float((motion.confidence == 0).mean())
    print(f"{len(motion)} frames, {100 * guessed:.0f} % of the joints were not found and are guessed")
    motion.export(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
