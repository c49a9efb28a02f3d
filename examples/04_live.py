"""Lift frame by frame, as keypoints come from a detector.

    python examples/04_live.py keypoints.npz

Here the frames come from a file, as fast as they can be lifted. (``spgnet lift 0 --live`` does the whole way
from a webcam to a picture in the browser.)
"""

import sys
import time

import spgnet


def main(file: str) -> None:
    (keypoints,) = spgnet.load_keypoints(file)
    lifter = spgnet.Lifter.from_pretrained("live")  # weights that look at past frames only
    stream = spgnet.StreamingLifter(
        lifter, keypoints.image_size, keypoints.keypoint_set, fps=keypoints.fps, flip=False
    )
    print(f"a pose comes {stream.lookahead} frames late")
    began = time.perf_counter()
    poses = []
    for points, moment in zip(keypoints.points, keypoints.timestamps, strict=True):
        for pose in stream.push(points, float(moment)):
            poses.append(pose)
            if len(poses) % 30 == 0:
                x, y, z = pose.joints[0]  # the pelvis in the camera frame, metres: right, down, forward
                print(f"{pose.time:.2f} s: pelvis at {x:.2f}, {y:.2f}, {z:.2f}")
    poses += stream.finish()
    seconds = (time.perf_counter() - began) / len(poses)
    print(f"{len(poses)} poses, {1000 * seconds:.1f} ms each")


if __name__ == "__main__":
    main(*sys.argv[1:])
