"""Lift into the world of a calibrated camera, in which positions are measured and not assumed.

    python examples/03_calibrated_camera.py walk.mp4 calibration.toml cam01 walk.trc

Calibrations of OpenCV, Pose2Sim, Caliscope, OpenCap and ROS are read (docs/cameras.md).
"""

import sys

import numpy as np

import spgnet


def main(video: str, calibration: str, name: str, target: str) -> None:
    camera = spgnet.load_camera(calibration, name=name)
    print(f"focal length {camera.focal[0]:.0f} pixels, camera at {camera.position.numpy().round(2)} m")
    (motion,) = spgnet.lift(video, camera=camera)
    if motion.camera.extrinsics == "calibrated":
        print("the motion is in the calibration's world")
    else:  # the file has intrinsics only
        print("the world's up and floor were found from the motion")
    path = motion.world[:, 0, :2]
    print(f"the pelvis moved {np.linalg.norm(path[-1] - path[0]):.2f} m over the floor")
    motion.export(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
