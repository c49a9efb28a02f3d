"""Lift a video: everybody's motion, as a file of this package and for Blender.

    python examples/01_lift_video.py walk.mp4 out

Needs ``pip install 'spgnet[video]'``. The 2D detector is fetched once. A keypoint file does as well.
"""

import sys
from pathlib import Path

import spgnet


def main(video: str, folder: str) -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    motions = spgnet.lift(video, person="all", constant_bones=True)
    for motion in motions:
        motion.save(out / f"motion-{motion.track}.npz")
        motion.export(out / f"motion-{motion.track}.bvh")
        x, y, z = motion.world[0, 0]  # the pelvis in the first frame, metres, z up
        print(f"person {motion.track}: {len(motion)} frames, starts at {x:.2f}, {y:.2f}, {z:.2f}")
    print(f"camera: {motions[0].camera_source}")
    motions[0].show()


if __name__ == "__main__":
    main(*sys.argv[1:])
