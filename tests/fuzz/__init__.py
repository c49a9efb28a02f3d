"""Fuzzing of every reader of the package: valid small files, changed at random, and what reading them gives.

``run.py`` tries many inputs and writes the table in docs/trust.md; ``test_fuzz.py`` tries a few.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
for _room in ("keypoints", "datasets", "datasets/mocap"):  # whose tests write files of their formats
    if str(TESTS / _room) not in sys.path:
        sys.path.append(str(TESTS / _room))
