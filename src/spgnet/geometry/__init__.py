"""Geometry: cameras, skeletons, and motion in the world; nothing here knows a network or a file."""
