"""The practitioner's commands: ``spgnet lift | export | view | demo``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from spgnet.capture import CaptureConfig, CaptureResult, run_capture
from spgnet.capture.live import run_live
from spgnet.capture.outputs import path_faults, timed_images
from spgnet.capture.run import travelled
from spgnet.cli.console import console, work_progress
from spgnet.cli.demo import DemoConfig, run_demo
from spgnet.errors import InputError
from spgnet.export import export_people
from spgnet.lifting import Motion, load_motion
from spgnet.video import open_frames
from spgnet.view.images import check_same_clip, still
from spgnet.view.interactive import serve
from spgnet.view.page import write_page


def lift_command(config: tyro.conf.OmitArgPrefixes[CaptureConfig]) -> None:
    """Lift a video, images, 2D keypoints or a webcam to 3D motion in metres."""
    if config.live:
        for what, path in run_live(config, say).items():
            say(f"{what}: {path}")
        return
    with work_progress() as report:
        captured = run_capture(config, report)
    show(captured)


def say(line: str) -> None:
    """Print a line as it is."""
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def show(captured: CaptureResult) -> None:
    """Say what was lifted, and where it is."""
    for motion in captured.motions:
        say(
            f"person {motion.track}: {len(motion)} frames, {np.ptp(motion.timestamps):.1f} s, "
            f"{abs(motion.joints[:, 0, 2]).mean():.1f} m from the camera, moved {travelled(motion):.1f} m",
        )
    for line in captured.remarks:
        say(line)
    for what, path in captured.files.items():
        say(f"{what}: {path}")


@dataclass(frozen=True)
class ExportOptions:
    """Write motions in the formats of other programs."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Motion files (several people of one clip for formats that can hold them), and then the file to write:
    .bvh, .trc, .c3d, .glb, .gltf, .csv or .json."""


def export_command(options: tyro.conf.OmitArgPrefixes[ExportOptions]) -> None:
    """Write a lifted motion in the format of another program: spgnet export motion.npz out.bvh."""
    if len(options.files) < 2:
        raise InputError("export needs a motion file and a file to write, as in: export motion.npz out.bvh")
    *sources, target = options.files
    if target.resolve() in [source.resolve() for source in sources]:
        raise InputError(f"{target}: would overwrite the motion file")
    export_people(load_motions(sources), target)
    say(f"written: {target}")


def load_motions(paths: Sequence[Path]) -> list[Motion]:
    """The motions of several files."""
    return [load_motion(path) for path in paths]


@dataclass(frozen=True)
class ViewOptions:
    """Look at motions."""

    motions: tyro.conf.Positional[tuple[Path, ...]]
    """Motion files; several for several people of one clip."""
    video: str | None = None
    """The video (or folder of images) that they come from, to be shown with them."""
    html: Path | None = None
    """Write a web page in one file that works offline, instead of opening a live view."""
    host: str = "127.0.0.1"
    """Address of the live view; only this machine can see the default one."""
    port: int = 8080
    """Port of the live view."""
    browser: bool = True
    """Open the live view in the browser."""


def view_command(options: tyro.conf.OmitArgPrefixes[ViewOptions]) -> None:
    """Look at lifted motions in the browser: play, scrub, turn; or write a page that works offline."""
    if not options.motions:
        raise InputError("view needs a motion file, as in: view out/motion.npz")
    if options.html is not None and (faults := path_faults("--html", options.html, (".html", ".htm"))):
        raise InputError("; ".join(faults))
    motions = load_motions(options.motions)
    video = None if options.video is None else open_frames(options.video)
    if video is not None:
        check_same_clip(video, motions)
    if options.html is not None:
        with work_progress() as report:
            images = None if video is None else timed_images(video, motions, report)
            write_page(options.html, motions, title=options.motions[0].name, images=images)
        say(f"written: {options.html}")
        return
    if video is not None:
        say(f"reading {video.name}")
    images = None if video is None else still(video, motions)
    with serve(
        motions, host=options.host, port=options.port, images=images, open_browser=options.browser
    ) as view:
        say(f"the motion is shown at {view.url} until you press Ctrl-C")
        with suppress(KeyboardInterrupt):
            view.wait()


def demo_command(config: tyro.conf.OmitArgPrefixes[DemoConfig]) -> None:
    """Lift a sample video, and write its motion, a page, an overlay video and a BVH file."""
    with work_progress() as report:
        captured = run_demo(config, report, say)
    show(captured)
