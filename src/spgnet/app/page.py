"""The app's page, in Gradio: three steps, and what happens when its buttons are pressed."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from importlib.resources import as_file, files
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any, cast, get_args

from spgnet.app.clips import Clip, ClipOptions, Tools, find_clip, lift_clip
from spgnet.app.config import AppConfig
from spgnet.app.jobs import Job
from spgnet.app.markup import (
    HEADER,
    TIPS,
    files_html,
    message_html,
    overlay_html,
    people_html,
    progress_html,
    stage_html,
    step_heading,
    summary_html,
)
from spgnet.app.results import ResultsFolder, result_motions
from spgnet.app.sessions import Session, Sessions
from spgnet.app.wording import parse_height, parse_number, parse_size, plain
from spgnet.capture import Cancelled, ProgressCallback
from spgnet.errors import InputError
from spgnet.export import RIG_NAMES, RigName
from spgnet.extras import import_extra
from spgnet.geometry.image_rotation import ImageRotation
from spgnet.keypoints import KeypointSetName
from spgnet.lifting.bone_lengths import check_height
from spgnet.limits import LARGEST_UPLOAD, LONGEST_UPLOAD, limit_factor

SAMPLE = "pose2sim_cam01.npz"
"""The example, in the package's folder ``samples``."""
_MOST_RECENT = 100
"""Earlier results that can be chosen."""
_LOOK = 0.25
"""Seconds between two looks at a job."""
_TURNS = [
    ("Not turned", 0),
    ("A quarter turn clockwise", 90),
    ("Upside down", 180),
    ("A quarter turn counter-clockwise", 270),
]
_RIGS = {"spgnet": "spgnet's own", "mixamo": "Mixamo", "vrm": "VRM", "unreal": "Unreal Engine"}
_FOUND_BY_FILE = "Told by the file"
_CHOSEN = """(...values) => {
  const ticked = [...document.querySelectorAll('#people input:checked')];
  return [JSON.stringify(ticked.map(box => [+box.dataset.clip, +box.value])), ...values.slice(1)];
}"""
"""Who is ticked, as the first value that a handler gets."""
_SHOW = "() => document.getElementById('{}')?.scrollIntoView({{behavior: 'smooth', block: 'start'}})"


@dataclass(frozen=True)
class Page:
    """What Gradio is to serve.

    Args:
        blocks: the page.
        theme: how it looks.
        head: what stands in its head, the style sheet too.
    """

    blocks: Any
    theme: Any
    head: str


def make_page(config: AppConfig, sessions: Sessions) -> Page:
    """The page of the app.

    Raises:
        InputError: Gradio is missing.
    """
    gradio = import_extra("gradio", "app")
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
    theme = gradio.themes.Base(
        primary_hue="slate",
        secondary_hue="slate",
        neutral_hue="slate",
        radius_size="lg",
        font=fonts,
        font_mono=["ui-monospace", "Consolas", "monospace"],
    )
    css = files("spgnet.app").joinpath("page.css").read_text(encoding="utf-8")
    # Gradio would rewrite a style sheet that is given as such, and not all of it comes through.
    head = (
        f'<link rel="icon" href="data:,"><meta name="color-scheme" content="light dark"><style>{css}</style>'
    )
    return Page(_Steps(gradio, config, sessions).blocks, theme, head)


class _Steps:
    """The page's components and handlers.

    Attributes:
        blocks: the page.
    """

    def __init__(self, gradio: Any, config: AppConfig, sessions: Sessions) -> None:
        self.gr, self.config, self.sessions = gradio, config, sessions
        self.blocks = gradio.Blocks(
            title="spgnet: from video to 3D motion",
            analytics_enabled=False,
            delete_cache=(600, 3600),
            fill_width=True,
        )
        with self.blocks:
            self._lay_out()
            self._connect()

    # ---- What is on the page

    def _lay_out(self) -> None:
        gr = self.gr
        place = "the machine that serves this page" if self.sessions.private else "your computer"
        gr.HTML(HEADER.format(place=place))
        with gr.Column(elem_id="step-video", elem_classes="card"):
            gr.HTML(step_heading(1, "Add your video"))
            with gr.Row():
                with gr.Column(scale=3, min_width=280):
                    self.files = gr.File(
                        label="Videos, or 2D keypoint files",
                        file_count="multiple",
                        height=190,
                        elem_id="files",
                    )
                with gr.Column(scale=2, min_width=240):
                    gr.HTML(TIPS)
                    gr.HTML(f'<p class="aside">{self._limits()}</p>')
            self._lay_out_options()
            with gr.Row(elem_classes="actions"):
                self.start = gr.Button("Find the people", variant="primary", elem_id="start")
                self.example = gr.Button("Try the example", elem_id="example")
        self.progress = gr.HTML("", elem_id="progress")
        self.cancel = gr.Button("Cancel", visible=False, elem_id="cancel")
        with gr.Column(visible=False, elem_id="step-people", elem_classes="card") as self.step_people:
            gr.HTML(step_heading(2, "Choose the person"))
            self.people = gr.HTML("", elem_id="people")
            self.chosen = gr.Textbox(visible=False)
            with gr.Row():
                self.height = gr.Textbox(
                    label="Height of the person, if you know it",
                    info="It gives true metres. Such as 1.78 m, 178 cm or 5'10\"",
                    placeholder="not known",
                    max_lines=1,
                    elem_id="height",
                )
                self.rig = gr.Dropdown(
                    [(_RIGS[name], name) for name in RIG_NAMES],
                    value="spgnet",
                    label="Skeleton of the files for animation",
                    info="The one that your character has.",
                    elem_id="rig",
                )
            with gr.Row(elem_classes="actions"):
                self.make = gr.Button("Make the 3D motion", variant="primary", elem_id="make")
        with gr.Column(visible=False, elem_id="step-result", elem_classes="card") as self.step_result:
            gr.HTML(step_heading(3, "Look at it, and take it with you"))
            self.which = gr.Radio(label="Result", choices=[], visible=False, elem_id="which")
            self.summary = gr.HTML("", elem_id="summary")
            with gr.Tabs():
                with gr.Tab("3D motion"):
                    self.stage = gr.HTML("", elem_id="stage")
                with gr.Tab("Overlay"):
                    self.overlay = gr.HTML("", elem_id="overlay")
                with gr.Tab("Download"):
                    self.downloads = gr.HTML("", elem_id="downloads")
        with gr.Column(elem_id="earlier", elem_classes="card"):
            gr.HTML('<h2 class="step">Earlier results</h2>')
            if self.sessions.private:
                kept = "They are removed when you close this page: download what you want to keep."
            else:
                kept = f"They are kept in the folder <code>{escape(str(self.config.out.resolve()))}</code>"
            gr.HTML(f'<p class="aside">{kept}</p>')
            with gr.Row():
                self.recent = gr.Dropdown(
                    label="Result", choices=[], value=None, scale=4, min_width=260, elem_id="recent"
                )
                self.open = gr.Button("Open", scale=1, min_width=100, elem_id="open")

    def _lay_out_options(self) -> None:
        gr = self.gr
        with gr.Accordion("More options", open=False, elem_id="options"):
            with gr.Row():
                self.rotate = gr.Dropdown(
                    _TURNS,
                    value=0,
                    label="Turn the picture",
                    info="If people in it are upside down or on their side.",
                )
                self.fps = gr.Textbox(
                    label="True frame rate",
                    info="For slow motion: the frames per second of the camera, such as 240.",
                    max_lines=1,
                )
            with gr.Row():
                self.camera = gr.File(
                    label="Camera file (calibration)", file_count="single", height=160, elem_id="camera"
                )
                with gr.Column():
                    self.camera_name = gr.Textbox(
                        label="Name of the camera", info="If the camera file has several.", max_lines=1
                    )
                    self.field_of_view = gr.Textbox(
                        label="Field of view",
                        info="Degrees across the longer side, if there is no camera file.",
                        max_lines=1,
                    )
            with gr.Row():
                self.keypoint_set = gr.Dropdown(
                    [_FOUND_BY_FILE, *get_args(KeypointSetName)],
                    value=_FOUND_BY_FILE,
                    label="Keypoint set",
                    info="Of a keypoint file that does not tell.",
                )
                self.image_size = gr.Textbox(
                    label="Size of the picture",
                    info="Of a keypoint file that does not tell, such as 1920 x 1080.",
                    max_lines=1,
                )

    def _limits(self) -> str:
        factor = limit_factor()
        raised = "" if factor > 1 else " (the environment variable SPGNET_LIMIT_FACTOR raises them)"
        return (
            f"Each file may have up to {factor * LARGEST_UPLOAD / 2**30:g} GB and last up to "
            f"{factor * LONGEST_UPLOAD / 60:g} minutes{raised}. Several are handled one after another."
        )

    # ---- What happens

    def _connect(self) -> None:
        options = [
            self.rotate,
            self.fps,
            self.camera,
            self.camera_name,
            self.field_of_view,
            self.keypoint_set,
            self.image_size,
        ]
        results = [self.which, self.summary, self.stage, self.overlay, self.downloads, self.step_result]
        outputs = [self.progress, self.cancel, self.step_people, self.people, *self._buttons, *results]
        outputs += [self.recent]
        quiet = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
        at_once = {**quiet, "queue": False}
        found = [
            self.start.click(self._with_key(self._on_start), [self.files, *options], outputs, **quiet),
            self.example.click(self._with_key(self._on_example), None, outputs, **quiet),
        ]
        chosen = [self.chosen, self.height, self.rig]
        made = self.make.click(self._with_key(self._on_make), chosen, outputs, js=_CHOSEN, **quiet)
        for event, step in (*((event, "step-people") for event in found), (made, "step-result")):
            event.then(None, js=_SHOW.format(step))
        for button in (self.start, self.example, self.make):
            button.click(None, js=_SHOW.format("progress"))
        self.cancel.click(self._with_key(self._on_cancel), None, None, **at_once)
        self.which.input(self._on_which, self.which, results, **at_once)
        opened = self.open.click(self._on_open, self.recent, results, **at_once)
        opened.then(None, js=_SHOW.format("step-result"))
        self.blocks.load(self._with_key(self._recent), None, self.recent, **at_once)
        self.blocks.unload(self._with_key(self._on_unload))

    @property
    def _buttons(self) -> tuple[Any, ...]:
        """What starts something, and must not while something is being done."""
        return self.start, self.example, self.make, self.open

    def _with_key(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """A handler for Gradio, of one that gets the key of the page before the values of its inputs."""

        def once(request: Any, *values: Any) -> Any:
            return handler(request.session_hash, *values)

        def again_and_again(request: Any, *values: Any) -> Iterator[Any]:
            yield from handler(request.session_hash, *values)

        wrapped = again_and_again if isgeneratorfunction(handler) else once
        wrapped.__annotations__ = {"request": self.gr.Request}  # by which Gradio knows what to give
        return wrapped

    def _on_unload(self, key: str) -> None:
        self.sessions.end(key)

    def _on_cancel(self, key: str) -> None:
        job = self.sessions.get(key).job
        if job is not None:
            job.cancel()

    def _on_start(self, key: str, paths: list[str] | None, *options: Any) -> Iterator[dict[Any, Any]]:
        if not paths:
            yield {self.progress: message_html(["Add a video first: drop it into the box above."])}
            return
        try:
            chosen = _clip_options(*options)
        except InputError as error:
            yield {self.progress: message_html([plain(str(error))])}
            return
        kept = self.sessions.keep_uploads(key, [Path(path) for path in paths])
        if chosen.camera is not None:
            chosen = replace(chosen, camera=self.sessions.keep_uploads(key, [chosen.camera])[0])
        yield from self._find(key, kept, chosen)

    def _on_example(self, key: str) -> Iterator[dict[Any, Any]]:
        with as_file(files("spgnet").joinpath("samples", SAMPLE)) as clip:
            yield from self._find(key, [clip], ClipOptions())

    def _find(self, key: str, paths: Sequence[Path], options: ClipOptions) -> Iterator[dict[Any, Any]]:
        """Find the people in files, and show them."""
        session = self.sessions.get(key)
        session.clips = []
        yield {self.step_people: self.gr.update(visible=False)}
        for number, path in enumerate(paths, start=1):
            position = f"({number} of {len(paths)})" if len(paths) > 1 else ""
            work = partial(find_clip, path, options, self.sessions.tools)
            clip = yield from self._watch(session, work, path.name, position)
            if clip is None:
                return
            session.clips.append(clip)
        yield self._at_rest(self._faults(session.clips)) | {
            self.people: people_html(session.clips),
            self.step_people: self.gr.update(visible=any(clip.pictures for clip in session.clips)),
        }

    def _on_make(self, key: str, chosen: str, height: str | None, rig: RigName) -> Iterator[dict[Any, Any]]:
        """Lift the people who are ticked, by clip and number, and show the first result."""
        session = self.sessions.get(key)
        pairs = [(int(clip), int(track)) for clip, track in json.loads(chosen)]
        try:
            metres = parse_height(height or "")
            if metres is not None:
                check_height(metres)
            if not pairs:
                raise InputError("choose a person first: tick at least one picture")
        except InputError as error:
            yield {self.progress: message_html([plain(str(error))])}
            return
        errors, made = [], []
        by_clip = {i: [track for clip, track in pairs if clip == i] for i, _ in enumerate(session.clips)}
        wanted = [(session.clips[i], tracks) for i, tracks in by_clip.items() if tracks]
        for number, (clip, tracks) in enumerate(wanted, start=1):
            position = f"({number} of {len(wanted)})" if len(wanted) > 1 else ""
            work = partial(
                _try_to_lift, clip, tracks, self.sessions.results, self.sessions.tools, metres, rig
            )
            outcome = yield from self._watch(session, work, clip.path.name, position)
            if outcome is None:
                break
            name, error = outcome
            if error:
                errors.append(self._about(clip, error))
            else:
                made.append(name)
                session.results.append(name)
        else:
            yield self._at_rest(message_html(errors) if errors else "")
        yield {self.recent: self._recent(key)} | self._show(made)

    def _watch(
        self, session: Session, work: Callable[[ProgressCallback], Any], title: str, position: str
    ) -> Generator[dict[Any, Any], None, Any]:
        """Do something in a job and show how far it is.

        Returns:
            What it returns; None if it was cancelled or failed.
        """
        if session.job is not None:
            session.job.cancel()  # nothing happens if it has ended
        session.job = job = Job(work, self.sessions.turns)
        busy = {button: self.gr.update(interactive=False) for button in self._buttons}
        yield busy | {
            self.cancel: self.gr.update(visible=True),
            self.progress: progress_html(job.progress, title, position),
            self.step_result: self.gr.update(visible=False),
        }
        try:
            shown = None
            while not job.wait(_LOOK):
                html = progress_html(job.progress, title, position)
                if html != shown:
                    shown = html
                    yield {self.progress: html}
        except GeneratorExit:  # the page is gone
            job.cancel()
            raise
        try:
            return job.result()
        except Cancelled:
            message = message_html(["Cancelled. Nothing of it was kept."], error=False)
        except OSError as error:
            message = message_html([plain(f"{title}: {' '.join(str(error).split())}", self.sessions.uploads)])
        except Exception:
            traceback.print_exc()
            message = message_html(
                ["spgnet itself is at fault. What happened is in the window from which the app was started."],
                title=f"{title} could not be finished",
            )
        yield self._at_rest(message)
        return None

    def _at_rest(self, message: str) -> dict[Any, Any]:
        """Nothing is being done; ``message`` is in place of the progress."""
        changes = {button: self.gr.update(interactive=True) for button in self._buttons}
        return changes | {self.cancel: self.gr.update(visible=False), self.progress: message}

    def _faults(self, clips: Sequence[Clip]) -> str:
        """The message on files that could not be used; empty if all could."""
        lines = [self._about(clip, clip.error) for clip in clips if clip.error]
        return message_html(lines) if lines else ""

    def _about(self, clip: Clip, error: str) -> str:
        """An error in plain words, which name the clip."""
        line = plain(error, self.sessions.uploads)
        return line if clip.path.name in line else f"{clip.path.name}: {line}"

    def _recent(self, key: str) -> Any:
        """The earlier results to choose from."""
        names = self.sessions.names(key)[:_MOST_RECENT]
        return self.gr.update(choices=names, value=names[0] if names else None)

    def _on_open(self, name: str | None) -> dict[Any, Any]:
        return self._show([name] if name else [])

    def _on_which(self, name: str) -> dict[Any, Any]:
        return self._show_one(name)

    def _show(self, names: Sequence[str]) -> dict[Any, Any]:
        """Show the first of several results, and let the others be chosen."""
        if not names:
            return {self.step_result: self.gr.update(visible=False)}
        which = self.gr.update(choices=list(names), value=names[0], visible=len(names) > 1)
        return {self.which: which} | self._show_one(names[0])

    def _show_one(self, name: str) -> dict[Any, Any]:
        folder = self.sessions.results.find(name)
        try:
            if folder is None:
                raise InputError(f"{name}: it is not there any more")
            motions = result_motions(folder)
        except (InputError, OSError) as error:
            summary, parts = message_html([plain(str(error))]), ("", "", "")
        else:
            place = None if self.sessions.private else str(folder.resolve())
            summary = summary_html(motions)
            parts = stage_html(name), overlay_html(name, folder), files_html(name, folder, place)
        shown = dict(zip((self.stage, self.overlay, self.downloads), parts, strict=True))
        return shown | {self.summary: summary, self.step_result: self.gr.update(visible=True)}


def _try_to_lift(
    clip: Clip,
    tracks: Sequence[int],
    results: ResultsFolder,
    tools: Tools,
    height: float | None,
    rig: RigName,
    report: ProgressCallback,
) -> tuple[str, str]:
    """The name of the result of :func:`lift_clip`, and what is wrong with the clip; one of them is empty."""
    try:
        return lift_clip(clip, tracks, results, tools, report, height=height, rig=rig), ""
    except InputError as error:
        return "", str(error)


def _clip_options(
    rotate: ImageRotation | None,
    fps: str | None,
    camera: str | None,
    camera_name: str | None,
    field_of_view: str | None,
    keypoint_set: str | None,
    image_size: str | None,
) -> ClipOptions:
    """What the folded options say. Those left empty are not given; they are None if nobody unfolded them.

    Raises:
        InputError: a number, or the size of the picture, is none.
    """
    return ClipOptions(
        rotate=rotate or 0,
        fps=parse_number(fps or "", "the true frame rate"),
        camera=Path(camera) if camera else None,
        camera_name=(camera_name or "").strip() or None,
        field_of_view=parse_number(field_of_view or "", "the field of view"),
        image_size=parse_size(image_size or ""),
        keypoint_set=None
        if keypoint_set in (None, _FOUND_BY_FILE)
        else cast("KeypointSetName", keypoint_set),
    )
