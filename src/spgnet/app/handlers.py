"""What happens when something on the app's page is used."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.resources import as_file, files
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any, cast

from spgnet.app.clips import Clip, ClipOptions, find_clip, lift_clip, lift_folder
from spgnet.app.jobs import Job
from spgnet.app.layout import FOUND_BY_FILE, Layout
from spgnet.app.markup import (
    files_html,
    message_html,
    overlay_html,
    people_html,
    progress_html,
    stage_html,
    summary_html,
)
from spgnet.app.results import result_motions
from spgnet.app.sessions import Session, Sessions
from spgnet.app.wording import describe_error, describe_outcomes, parse_height, parse_number, parse_size
from spgnet.batch import State
from spgnet.capture import Cancelled, ProgressCallback
from spgnet.errors import InputError
from spgnet.export import RigName
from spgnet.geometry.image_rotation import ImageRotation
from spgnet.keypoints import KeypointSetName
from spgnet.lifting.bone_lengths import check_height

SAMPLE = "pose2sim_cam01.npz"
"""The example, in the package's folder ``samples``."""
_MOST_RECENT, _MOST_NEW = 100, 12
"""Earlier results that can be chosen from a list, and new ones that are side by side."""
_LOOK = 0.25
"""Seconds between two looks at a job."""
_CHOSEN = """(...values) => {
  const ticked = [...document.querySelectorAll('#people input:checked')];
  return [JSON.stringify(ticked.map(box => [+box.dataset.clip, +box.value])), ...values.slice(1)];
}"""
"""Who is ticked, as the first value that a handler gets."""
_SHOW = "() => document.getElementById('{}')?.scrollIntoView({{behavior: 'smooth', block: 'start'}})"

Changes = dict[Any, Any]
"""New values or updates of components."""
Work = tuple[str, Callable[[ProgressCallback], Any]]
"""The name of a file or folder, and what is to be done with it."""


@dataclass
class Done:
    """The outcome of several works.

    Attributes:
        values: what those returned that went well.
        faults: what went wrong with the others, a line each.
        cancelled: whether the user ended it.
    """

    values: list[Any] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    cancelled: bool = False

    @property
    def message(self) -> str:
        """What is in place of the progress afterwards; empty if all went well."""
        if self.cancelled:
            return message_html(["Cancelled. Nothing half-done was kept."], error=False)
        return message_html(self.faults) if self.faults else ""


class Handlers:
    """What the components of a layout do; made in its ``gradio.Blocks``.

    Args:
        layout: the components.
        sessions: of those who have the page open.
        blocks: the page.
    """

    def __init__(self, layout: Layout, sessions: Sessions, blocks: Any) -> None:
        self.gr, self.page, self.sessions = layout.gr, layout, sessions
        self._connect(blocks)

    def _connect(self, blocks: Any) -> None:
        page = self.page
        quiet = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
        at_once = {**quiet, "queue": False}
        outputs = [page.progress, page.cancel, page.step_people, page.people]
        outputs += [*page.buttons, *page.results, *page.recents]

        def starts(button: Any, handler: Any, inputs: list[Any], step: str, **options: Any) -> None:
            made = button.click(self._handler(handler), inputs, outputs, **quiet, **options)
            made.then(None, js=_SHOW.format(step))
            button.click(None, js=_SHOW.format("progress"))

        starts(page.start, self._start, [page.added, *page.options], "step-people")
        starts(page.example, self._try_example, [], "step-people")
        starts(page.make, self._make, [page.chosen, page.height, page.rig], "step-result", js=_CHOSEN)
        if not page.config.public:
            inputs = [page.folder, page.folder_person, page.folder_rig]
            starts(page.start_folder, self._start_folder, inputs, "step-result")
        added = [page.files, page.added, page.progress]
        page.files.upload(self._handler(self._add), [page.files, page.added], added, **at_once)
        page.cancel.click(self._handler(self._cancel), None, page.progress, **at_once)
        page.which.input(self._handler(self._choose), page.which, page.results, **at_once)
        opened = page.open.click(self._handler(self._choose), page.recent, page.results, **at_once)
        opened.then(None, js=_SHOW.format("step-result"))
        blocks.load(self._handler(self._recent), None, page.recents, **at_once)
        blocks.unload(self._handler(lambda key: self.sessions.end(key)))

    def _handler(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """A handler for Gradio, of one that gets the key of the page before the values of its inputs."""

        def once(request: Any, *values: Any) -> Any:
            return handler(request.session_hash, *values)

        def again_and_again(request: Any, *values: Any) -> Iterator[Any]:
            try:
                yield from handler(request.session_hash, *values)
            except (InputError, OSError) as error:
                yield self._at_rest(message_html([self._describe(error)]))

        wrapped = again_and_again if isgeneratorfunction(handler) else once
        wrapped.__annotations__ = {"request": self.gr.Request}  # by which Gradio knows what to give
        return wrapped

    # ---- The three steps

    def _add(self, key: str, paths: list[str] | None, ticked: list[str]) -> Changes:
        """Keep files that were dropped, beside those that are there, and make room for more."""
        session, message = self.sessions.get(key), ""
        before = len(session.files)
        try:
            session.files += self.sessions.keep_uploads(key, [Path(path) for path in paths or []])
        except OSError as error:
            message = message_html([self._describe(error)])
        names = [(path.name, str(number)) for number, path in enumerate(session.files)]
        new = [number for _, number in names[before:]]
        return {
            self.page.files: None,
            self.page.added: self.gr.update(choices=names, value=[*ticked, *new], visible=bool(names)),
            self.page.progress: message,
        }

    def _start(self, key: str, ticked: list[str], *options: Any) -> Iterator[Changes]:
        """Find the people in the files that are ticked."""
        session = self.sessions.get(key)
        paths = [path for number, path in enumerate(session.files) if str(number) in ticked]
        if not paths:
            raise InputError("add a video first: drop it into the box above")
        chosen = clip_options(*options)
        if chosen.camera is not None:
            chosen = replace(chosen, camera=self.sessions.keep_uploads(key, [chosen.camera])[0])
        yield from self._find(session, paths, chosen)

    def _try_example(self, key: str) -> Iterator[Changes]:
        with as_file(files("spgnet").joinpath("samples", SAMPLE)) as clip:
            yield from self._find(self.sessions.get(key), [clip], ClipOptions())

    def _find(self, session: Session, paths: Sequence[Path], options: ClipOptions) -> Iterator[Changes]:
        """Find the people in files, and show them."""
        yield {self.page.step_people: self.gr.update(visible=False)}
        tools = self.sessions.tools
        done = yield from self._do(
            session, [(path.name, partial(find_clip, path, options, tools)) for path in paths]
        )
        session.clips = [] if done.cancelled else cast("list[Clip]", done.values)
        yield self._at_rest(done.message) | {
            self.page.people: people_html(session.clips),
            self.page.step_people: self.gr.update(visible=bool(session.clips)),
        }

    def _make(self, key: str, chosen: str, height: str | None, rig: RigName) -> Iterator[Changes]:
        """Lift the people who are ticked, by clip and number, and show the first result."""
        session = self.sessions.get(key)
        metres = parse_height(height or "")
        if metres is not None:
            check_height(metres)
        ticked: dict[int, list[int]] = {}
        for clip, track in json.loads(chosen):
            ticked.setdefault(int(clip), []).append(int(track))
        if not ticked:
            raise InputError("choose a person first: tick at least one picture")
        results, tools = self.sessions.results, self.sessions.tools

        def lift(clip: Clip, tracks: Sequence[int], report: ProgressCallback) -> str:
            name = lift_clip(clip, tracks, results, tools, report, height=metres, rig=rig)
            self.sessions.keep_result(key, name)  # at once: the page may be closed before all are done
            return name

        works: list[Work] = [
            (clip.path.name, partial(lift, clip, ticked[i]))
            for i, clip in enumerate(session.clips)
            if i in ticked
        ]
        done = yield from self._do(session, works)
        yield self._at_rest(done.message) | self._recent(key) | self._show(done.values)

    def _start_folder(self, key: str, folder: str, person: Any, rig: RigName) -> Iterator[Changes]:
        """Lift a folder, say what became of each file, and show the first result."""
        if not folder.strip():
            raise InputError("write the folder's full path first")
        work = partial(lift_folder, folder.strip(), self.page.config, person=person, rig=rig)
        done = yield from self._do(self.sessions.get(key), [(folder, work)])
        outcomes = done.values[0] if done.values else []
        shown = [each.name for each in outcomes if each.state in (State.LIFTED, State.UNCHANGED)]
        message = message_html(describe_outcomes(outcomes), error=False) if outcomes else done.message
        yield self._at_rest(message) | self._recent(key) | self._show(shown)

    # ---- Work

    def _do(self, session: Session, works: Sequence[Work]) -> Generator[Changes, None, Done]:
        """Do one work after another, and show how far it is."""
        done = Done()
        for number, (title, work) in enumerate(works, start=1):
            position = f"({number} of {len(works)})" if len(works) > 1 else ""
            if session.job is not None:
                session.job.cancel()  # nothing happens if it has ended
            session.job = job = Job(work, self.sessions.turns)
            yield from self._watch(job, title, position)
            try:
                done.values.append(job.result())
            except Cancelled:
                done.cancelled = True
                break
            except (InputError, OSError) as error:
                done.faults.append(self._describe(error, title))
            except Exception as error:
                traceback.print_exception(error)
                done.faults.append(
                    f"{title} could not be finished: spgnet itself is at fault. What happened is in the "
                    "window from which the app was started."
                )
        return done

    def _watch(self, job: Job[Any], title: str, position: str) -> Iterator[Changes]:
        """Show how far a job is until it has ended."""
        shown = progress_html(job.progress, title, position)
        try:
            yield dict.fromkeys(self.page.buttons, self.gr.update(interactive=False)) | {
                self.page.cancel: self.gr.update(visible=True),
                self.page.progress: shown,
                self.page.step_result: self.gr.update(visible=False),
            }
            while not job.wait(_LOOK):
                html = progress_html(job.progress, title, position)
                if html != shown:
                    shown = html
                    yield {self.page.progress: html}
        except GeneratorExit:  # the page is gone
            job.cancel()
            raise

    def _at_rest(self, message: str) -> Changes:
        """Nothing is being done; ``message`` is in place of the progress."""
        return dict.fromkeys(self.page.buttons, self.gr.update(interactive=True)) | {
            self.page.cancel: self.gr.update(visible=False),
            self.page.progress: message,
        }

    def _cancel(self, key: str) -> str:
        job = self.sessions.get(key).job
        if job is None:
            return ""
        job.cancel()
        return progress_html(job.progress, "")

    def _describe(self, error: Exception, title: str = "") -> str:
        return describe_error(error, title, self.sessions.uploads)

    # ---- Results

    def _recent(self, key: str) -> Changes:
        """The earlier results to choose from."""
        names = self.sessions.names(key)[:_MOST_RECENT]
        return {
            self.page.recent: self.gr.update(
                choices=self._labelled(names), value=names[0] if names else None
            ),
            self.page.earlier: self.gr.update(visible=bool(names)),
        }

    def _labelled(self, names: Sequence[str]) -> list[tuple[str, str]]:
        return [(self.sessions.results.label(name), name) for name in names]

    def _choose(self, key: str, name: str | None) -> Changes:
        return self._show_one(name) if name else {}

    def _show(self, names: Sequence[str]) -> Changes:
        """Show the first of several results, and let the others be chosen."""
        if not names:
            return {self.page.step_result: self.gr.update(visible=False)}
        choices = self._labelled(names[:_MOST_NEW])
        which = self.gr.update(choices=choices, value=names[0], visible=len(names) > 1)
        return self._show_one(names[0]) | {self.page.which: which}

    def _show_one(self, name: str) -> Changes:
        page, folder = self.page, self.sessions.results.find(name)
        try:
            if folder is None:
                raise InputError(f"{name}: it is not there any more")
            place = None if self.sessions.public else str(folder.resolve())
            summary = summary_html(result_motions(folder))
            parts = stage_html(name), overlay_html(name, folder), files_html(name, folder, place)
        except (InputError, OSError) as error:
            summary, parts = message_html([self._describe(error)]), ("", "", "")
        shown = dict(zip((page.stage, page.overlay, page.downloads), parts, strict=True))
        return shown | {page.summary: summary, page.step_result: self.gr.update(visible=True)}


def clip_options(
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
        keypoint_set=None if keypoint_set in (None, FOUND_BY_FILE) else cast("KeypointSetName", keypoint_set),
    )
