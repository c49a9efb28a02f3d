"""The parts of the app's page that Gradio has no component for, as HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from spgnet.app.clips import Clip
from spgnet.app.jobs import Progress
from spgnet.app.pictures import PersonPicture
from spgnet.app.results import result_files
from spgnet.app.wording import FILES, facts, notes, stage_text, time_left
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting import Motion

HEADER = """
<div class="masthead">
  <h1>From video to 3D motion</h1>
  <p>Drop a video of a person. You get their 3D motion in metres, for Blender, OpenSim, Excel and others.
  Everything stays on {place}.</p>
</div>
"""

TIPS = """
<ul class="tips">
  <li><strong>Whole body in the picture</strong>, head to feet, most of the time.</li>
  <li><strong>Camera still</strong>: on a tripod or a shelf.</li>
  <li><strong>Good light</strong>, and no mirrors in view.</li>
</ul>
"""


FOLDER_TIP = (
    "Every video and keypoint file in it is lifted, and each result gets a folder. What was lifted before is "
    "not lifted again, so you can add videos later and press the button again."
)


def step_heading(number: int, title: str) -> str:
    """The heading of a step."""
    return f'<h2 class="step"><span aria-hidden="true">{number}</span> {escape(title)}</h2>'


def progress_html(progress: Progress, title: str, position: str = "") -> str:
    """How far a job is; ``title`` is the file, ``position`` which of several it is."""
    share = progress.done / progress.total if progress.total else None
    now = "" if share is None else f' aria-valuenow="{100 * min(share, 1):.0f}"'
    width = "" if share is None else f' style="width: {100 * min(share, 1):.1f}%"'
    label = stage_text(progress)
    name = " ".join(escape(part) for part in (title, position) if part)
    return (
        f'<div class="progress"><p class="what"><strong>{escape(label)}</strong>'
        f'<span class="left">{time_left(progress.seconds_left)}</span></p>'
        f'<div class="bar{"" if share is not None else " unknown"}" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="100"{now} aria-label="{escape(label)}"><div{width}></div></div>'
        f'<p class="name">{name}</p></div>'
    )


def message_html(lines: Sequence[str], *, title: str = "", error: bool = True) -> str:
    """What went wrong, or what there is to know."""
    kind, role = ("error", "alert") if error else ("note", "status")
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    heading = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    return f'<div class="message {kind}" role="{role}">{heading}{body}</div>'


def people_html(clips: Sequence[Clip]) -> str:
    """The people found in each clip, to tick; the largest is."""
    groups = []
    for index, clip in enumerate(clips):
        title = escape(clip.path.name)
        cards = "".join(
            _person_html(index, picture, chosen=not place) for place, picture in enumerate(clip.pictures)
        )
        groups.append(f'<fieldset><legend>{title}</legend><div class="people">{cards}</div></fieldset>')
    return "".join(groups)


def _person_html(clip: int, picture: PersonPicture, *, chosen: bool) -> str:
    checked = " checked" if chosen else ""
    about = f"{picture.time:.1f} seconds" + (f", seen in {picture.seen:.0%}" if picture.seen < 0.98 else "")
    return (
        f'<label class="person"><input type="checkbox" data-clip="{clip}" value="{picture.track}"{checked}>'
        f"{_figure_svg(picture)}"
        f"<span><strong>Person {picture.track}</strong><small>{about}</small></span></label>"
    )


def _figure_svg(picture: PersonPicture) -> str:
    """A person with their 2D pose drawn over them."""
    width, height = picture.size
    line = max(width, height) / 90
    image = ""
    if picture.jpeg is not None:
        data = base64.b64encode(picture.jpeg).decode()
        image = f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}"/>'
    bones = "".join(
        f'<line class="{HUMAN36M.side(joint) or "middle"}" x1="{x1:.1f}" y1="{y1:.1f}" '
        f'x2="{x2:.1f}" y2="{y2:.1f}"/>'
        for joint, x1, y1, x2, y2 in picture.bones
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{image}'
        f'<g stroke-width="{line:.2f}" stroke-linecap="round">{bones}</g></svg>'
    )


def summary_html(motions: Sequence[Motion]) -> str:
    """What a result is, and what to know of it."""
    lines = notes(motions)
    faults = sum(len(motion.quality.faults) for motion in motions if motion.quality is not None)
    if faults:
        verdict = '<p class="verdict check">Look at this before you use it</p>'
    else:
        verdict = '<p class="verdict good">Nothing suspicious was found</p>'
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return (
        f'<div class="summary">{verdict}<p class="facts">{escape(facts(motions))}</p>'
        f"{f'<ul>{items}</ul>' if items else ''}</div>"
    )


def address(result: str, file: str) -> str:
    """Where the app serves a file of a result, relative to its page."""
    return f"results/{quote(result)}/{quote(file)}"


def stage_html(result: str) -> str:
    """The page in 3D."""
    source = address(result, "page.html")
    return (
        f'<iframe class="motion" src="{source}" title="The motion in 3D: play, turn, scrub, joint angles" '
        f'sandbox="allow-scripts"></iframe>'
        f'<p class="aside"><a href="{source}" target="_blank" rel="noopener">Open it in a tab of its own</a>'
        "</p>"
    )


def overlay_html(result: str, folder: Path) -> str:
    """The overlay video."""
    if not (folder / "overlay.mp4").exists():
        return message_html(["There is no overlay video: the extra `video` is not installed."], error=False)
    return (
        f'<video class="overlay" controls loop muted playsinline preload="metadata" '
        f'aria-label="The video with the motion drawn over it" '
        f'src="{address(result, "overlay.mp4")}"></video>'
    )


def files_html(result: str, folder: Path, place: str | None) -> str:
    """The files of a result, each to download, and all as one zip file.

    Args:
        result: its name.
        folder: where it is.
        place: the folder to name; None to name none.
    """
    rows = []
    paths = result_files(folder)
    for suffix, name, use in FILES:
        for path in (path for path in paths if path.suffix == f".{suffix}"):
            rows.append(
                f'<li><a href="{address(result, path.name)}" download="{escape(path.name)}">'
                f"<strong>{escape(name)}</strong> <code>{escape(path.name)}</code></a> "
                f"<span>{escape(use)}</span> <small>{_size(path.stat().st_size)}</small></li>"
            )
    kept = f"<p class='aside'>They are in the folder <code>{escape(place)}</code></p>" if place else ""
    return (
        f'<p><a class="button" href="results/{quote(result)}.zip" download>Download everything (zip)</a></p>'
        f'<ul class="result-files">{"".join(rows)}</ul>{kept}'
    )


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1e3))} kB"
