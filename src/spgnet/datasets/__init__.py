"""Data sets: recorded motion and cameras, as their authors publish them and as users have them."""
