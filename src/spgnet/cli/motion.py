"""The practitioner's commands: ``spgnet lift | export | view | app | demo``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path

import numpy as np
import tyro

from spgnet.app import AppConfig, run_app
from spgnet.batch import REPORT, BatchConfig, State, plan_batch, run_batch
from spgnet.capture import CaptureResult, run_capture
from spgnet.capture.live import run_live
from spgnet.capture.outputs import path_errors, report_each
from spgnet.capture.people import ignore_progress
from spgnet.capture.run import path_length
from spgnet.cli.console import batch_progress, batch_table, console, say, work_progress
from spgnet.cli.demo import DemoConfig, run_demo
from spgnet.errors import InputError
from spgnet.export import Columns, MarkerNames, RigName, Unseen, export
from spgnet.export.markers import marker_set_text
from spgnet.files import whole_file
from spgnet.geometry.image_rotation import ImageRotation
from spgnet.lifting import Motion, load_motion
from spgnet.lifting.motion import common_skeleton
from spgnet.video import open_frames
from spgnet.view.page import ImageBudget, check_same_clip, video_images, write_page
from spgnet.view.server import serve


def lift_command(batch: tyro.conf.OmitArgPrefixes[BatchConfig]) -> None:
    """Lift videos, images, 2D keypoints or a webcam to 3D motion in metres."""
    if batch.is_batch:
        lift_batch(batch)
        return
    config = batch.only_input()
    if config.live:
        for what, path in run_live(config, say).items():
            say(f"{what}: {path}")
        return
    with work_progress() as report:
        captured = run_capture(config, report)
    show(captured)


def lift_batch(config: BatchConfig) -> None:
    """Lift several inputs, and say what became of them.

    Raises:
        InputError: some could not be lifted, or none of them can be.
    """
    with console.status("Looking at the inputs"):
        plan = plan_batch(config)
    if plan.unchanged:
        say(f"{len(plan.unchanged)} of {len(plan.unchanged) + len(plan.jobs)} are lifted already")
    with batch_progress(plan.jobs) as (report, on_outcome):
        outcomes = run_batch(plan, ignore_progress if config.on_ray else report, on_outcome)
    console.print(batch_table(outcomes))
    report_path = plan.out.joined(REPORT).text
    failed = sum(outcome.state is State.FAILED for outcome in outcomes)
    if failed:
        raise InputError(f"{failed} of {len(outcomes)} inputs failed; the report is {report_path}")
    say(f"report: {report_path}")


def show(captured: CaptureResult) -> None:
    """Say what was lifted, and where it is."""
    for motion in captured.motions:
        say(
            f"person {motion.track}: {len(motion)} frames, {np.ptp(motion.timestamps):.1f} s, "
            f"{abs(motion.joints[:, 0, 2]).mean():.1f} m from the camera, moved {path_length(motion):.1f} m",
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
    .bvh, .trc, .c3d, .mot, .sto, .glb, .gltf, .csv or .json."""
    rig: RigName = "spgnet"
    """Skeleton of .bvh, .glb and .gltf files: names, hierarchy and rest pose."""
    markers: MarkerNames = "spgnet"
    """Names of the markers of .trc and .c3d files."""
    unseen: Unseen = "keep"
    """Whether .trc and .c3d files keep joints that were not detected, which are estimates, or have them
    missing."""
    columns: Columns = "positions"
    """Whether .csv files have positions, joint angles or both."""
    marker_set: Path | None = None
    """Write an OpenSim marker set too, with the places of these markers on Pose2Sim's model (.xml)."""


def export_command(options: tyro.conf.OmitArgPrefixes[ExportOptions]) -> None:
    """Write a lifted motion in the format of another program: spgnet export motion.npz out.bvh."""
    if len(options.files) < 2:
        raise InputError("export needs a motion file and a file to write, as in: export motion.npz out.bvh")
    *sources, target = options.files
    if realpath(target) in map(realpath, sources):
        raise InputError(f"{target}: would overwrite the motion file")
    if options.marker_set is not None and (
        errors := path_errors("--marker-set", options.marker_set, (".xml",))
    ):
        raise InputError("; ".join(errors))
    motions = load_motions(sources)
    export(
        motions,
        target,
        rig=options.rig,
        markers=options.markers,
        unseen=options.unseen,
        columns=options.columns,
    )
    say(f"written: {target}")
    if options.marker_set is not None:
        with whole_file(options.marker_set, ".xml") as temporary:
            skeleton = common_skeleton(motions)[0].skeleton
            temporary.write_text(marker_set_text(options.markers, skeleton))
        say(f"written: {options.marker_set}")


def load_motions(paths: Sequence[Path]) -> list[Motion]:
    """The motions of several files."""
    return [load_motion(path) for path in paths]


SHOWN_IMAGES, SHOWN_MEGABYTES = 1500, 64.0
"""How many of a video's images a shown page has at most, and what they take as text."""


@dataclass(frozen=True)
class ViewOptions:
    """Look at motions."""

    motions: tyro.conf.Positional[tuple[Path, ...]]
    """Motion files; several for several people of one clip."""
    video: str | None = None
    """The video (or folder of images) that they come from, to be shown with them."""
    rotate: ImageRotation = 0
    """Degrees clockwise by which the video is turned: those with which it was lifted."""
    html: Path | None = None
    """Write the page to a file that works offline, instead of showing it."""
    host: str = "127.0.0.1"
    """Address of the page; only this machine can open the default one."""
    port: int = 8080
    """Port of the page; 0 takes any free one."""
    browser: bool = True
    """Open the page in the browser."""


def view_command(options: tyro.conf.OmitArgPrefixes[ViewOptions]) -> None:
    """Look at lifted motions in the browser: play, scrub, turn; or write a page that works offline."""
    if not options.motions:
        raise InputError("view needs a motion file, as in: view out/motion.npz")
    if options.html is not None and (errors := path_errors("--html", options.html, (".html", ".htm"))):
        raise InputError("; ".join(errors))
    motions = load_motions(options.motions)
    # A folder of images has no frame rate of its own: it has that of the motion.
    video = None
    if options.video is not None:
        video = open_frames(options.video, image_fps=motions[0].fps, rotate=options.rotate)
    if video is not None:
        check_same_clip(video, motions)
    title = options.motions[0].name
    with ExitStack() as until_shown:
        images = None
        if video is not None:
            report = until_shown.enter_context(work_progress())
            images = report_each(video_images(video, motions), "writing the page", video.frame_count, report)
        if options.html is not None:
            write_page(options.html, motions, title=title, images=images)
            say(f"written: {options.html}")
            return
        server = serve(
            motions,
            title=title,
            images=images,
            budget=_shown_images(motions),
            host=options.host,
            port=options.port,
            open_browser=options.browser,
        )
    with server:
        say(f"the motion is shown at {server.url} until you press Ctrl-C")
        with suppress(KeyboardInterrupt):
            server.wait()


def _shown_images(motions: Sequence[Motion]) -> ImageBudget:
    """Images of a page that is not kept as a file: every frame of short clips."""
    first = min(motion.timestamps[0] for motion in motions)
    last = max(motion.timestamps[-1] for motion in motions)
    return ImageBudget(per_second=SHOWN_IMAGES / float(last - first + 2), megabytes=SHOWN_MEGABYTES)


def app_command(config: tyro.conf.OmitArgPrefixes[AppConfig]) -> None:
    """Drop videos into a page in the browser, and get their motion there; files stay on this machine."""
    run_app(config, say)


def demo_command(config: tyro.conf.OmitArgPrefixes[DemoConfig]) -> None:
    """Lift a sample video, and write its motion, a page, an overlay video and a BVH file."""
    with work_progress() as report:
        captured = run_demo(config, report, say)
    show(captured)
