"""The app: from a video to 3D motion in the browser, for people who do not use a terminal (docs/app.md)."""

from spgnet.app.config import AppConfig
from spgnet.app.server import run_app

__all__ = ["AppConfig", "run_app"]
