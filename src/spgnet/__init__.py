"""From 2D human pose to 3D motion in metres."""

__version__ = "0.1.0"
