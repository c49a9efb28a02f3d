"""From dropped files to results, without a browser."""

import errno
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from capture.conftest import clip, spgnet, video  # noqa: F401
from spgnet.app import run_app, server
from spgnet.app.clips import Clip, ClipOptions, Tools, find_clip, lift_clip, lift_folder
from spgnet.app.config import AppConfig
from spgnet.app.handlers import Handlers
from spgnet.app.markup import files_html, people_html, summary_html
from spgnet.app.results import ResultsFolder, result_files, result_motions
from spgnet.app.sessions import Sessions
from spgnet.app.wording import describe_outcomes
from spgnet.batch import run
from spgnet.camera_files import find_camera
from spgnet.capture import Cancelled, DetectedPeople
from spgnet.errors import InputError
from spgnet.limits import FACTOR

TOOLS = Tools(weights="w.safetensors")


def ignore(stage: str, done: int, total: int | None) -> None:
    pass


def find(path: Path, **options):
    return find_clip(path, ClipOptions(**options), TOOLS, ignore)


def test_a_keypoint_file_becomes_a_result_with_every_file(spgnet, clip, tmp_path):  # noqa: F811
    found = find(clip)
    assert [picture.track for picture in found.pictures] == [1]
    assert found.pictures[0].jpeg is None
    assert len(found.pictures[0].bones) == 16
    results = ResultsFolder(tmp_path / "results")
    name = lift_clip(found, [1], results, TOOLS, ignore, height=1.9)
    folder = results.find(name)
    assert {path.name for path in result_files(folder)} == {
        *(
            f"motion.{suffix}"
            for suffix in ["npz", "json", "csv", "bvh", "trc", "c3d", "mot", "sto", "glb", "gltf"]
        ),
        "page.html",
        "overlay.mp4",
    }
    (motion,) = result_motions(folder)
    assert motion.quality.height == pytest.approx(1.9, abs=0.01)
    assert "height 1.90 m" in summary_html([motion])
    listed = files_html(name, folder, str(folder))
    assert all(path.name in listed for path in result_files(folder))


def test_a_video_is_detected_once_and_shows_its_people(spgnet, video, tmp_path):  # noqa: F811
    stages = []
    found = find_clip(video, ClipOptions(), TOOLS, lambda stage, done, total: stages.append(stage))
    assert found.pictures[0].jpeg[:2] == b"\xff\xd8"
    assert "detecting" in stages
    assert people_html([found]).count("checked") == 1
    stages.clear()
    results = ResultsFolder(tmp_path / "results")
    lift_clip(found, [1], results, TOOLS, lambda stage, done, total: stages.append(stage))
    assert "detecting" not in stages
    assert "drawing the overlay" in stages


@pytest.mark.parametrize("stage", ["refining", "writing files", "drawing the overlay"])
def test_a_job_that_is_cancelled_leaves_nothing(spgnet, clip, tmp_path, stage):  # noqa: F811
    found = find(clip)

    def cancel(at: str, done: int, total: int | None) -> None:
        if at == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        lift_clip(found, [1], ResultsFolder(tmp_path / "results"), TOOLS, cancel)
    assert list((tmp_path / "results").iterdir()) == []


def test_a_broken_file_is_a_sentence(spgnet, tmp_path):  # noqa: F811
    (tmp_path / "broken.mp4").write_text("no video")
    with pytest.raises(InputError, match="not a readable video"):
        find(tmp_path / "broken.mp4")


def test_what_is_too_large_or_too_long_is_refused_unless_the_limits_are_raised(
    spgnet,  # noqa: F811
    clip,  # noqa: F811
    monkeypatch,
):
    monkeypatch.setattr("spgnet.app.clips.LONGEST_UPLOAD", 1.0)
    with pytest.raises(InputError, match=r"expected at most 0\.01667"):
        find(clip)
    monkeypatch.setattr("spgnet.app.clips.LARGEST_UPLOAD", 100)
    with pytest.raises(InputError, match="MiB"):
        find(clip)
    monkeypatch.setenv(FACTOR, "1000")
    assert len(find(clip).pictures) == 1


@pytest.mark.parametrize("fps", [0.0, -30.0])
def test_a_frame_rate_that_cannot_be_is_refused_before_anybody_is_looked_for(spgnet, video, fps):  # noqa: F811
    stages = []
    with pytest.raises(InputError, match="fps must be from"):
        find_clip(video, ClipOptions(fps=fps), TOOLS, lambda stage, done, total: stages.append(stage))
    assert not stages


def test_nobody_is_refused(spgnet, clip, tmp_path):  # noqa: F811
    found = find(clip)
    results = ResultsFolder(tmp_path / "results")
    with pytest.raises(InputError, match="nobody is chosen"):
        lift_clip(found, [], results, TOOLS, ignore)


def make_folder(path: Path, source: Path) -> None:
    path.mkdir()
    (path / "one.npz").write_bytes(source.read_bytes())
    (path / "broken.npz").write_bytes(b"no keypoints")


def test_a_folder_becomes_results_and_what_is_there_already_stays(spgnet, clip, tmp_path):  # noqa: F811
    make_folder(tmp_path / "clips", clip)
    config = AppConfig(out=tmp_path / "results", weights=str(tmp_path / "w.safetensors"))
    stages = []
    outcomes = lift_folder(
        str(tmp_path / "clips"), config, lambda stage, done, total: stages.append((stage, done, total))
    )
    said = describe_outcomes(outcomes)
    assert said[0] == "1 of 2 files are done; see the earlier results below."
    assert said[1].startswith("broken.npz: not an .npz file")
    assert len(said) == 2
    assert ("lifting (2 of 2)", 0, None) in stages
    assert ResultsFolder(config.out).names() == ["one"]
    assert {"motion.bvh", "page.html", "overlay.mp4"} < {p.name for p in result_files(config.out / "one")}
    assert "manifest.json" not in {path.name for path in result_files(config.out / "one")}
    again = describe_outcomes(lift_folder(str(tmp_path / "clips"), config, ignore))
    assert again[0] == "1 of 2 files are done (1 of them before); see the earlier results below."


def test_a_folder_can_be_cancelled_and_keeps_what_is_whole(spgnet, clip, tmp_path):  # noqa: F811
    make_folder(tmp_path / "clips", clip)
    (tmp_path / "clips" / "two.npz").write_bytes(clip.read_bytes())
    config = AppConfig(out=tmp_path / "results", weights=str(tmp_path / "w.safetensors"))

    def cancel(stage: str, done: int, total: int | None) -> None:
        if stage == "refining (3 of 3)":
            raise Cancelled

    with pytest.raises(Cancelled):
        lift_folder(str(tmp_path / "clips"), config, cancel)
    assert sorted(path.name for path in config.out.iterdir()) == ["one", "report.json"]


def test_workers_get_the_folder_and_what_they_leave_when_cancelled_is_removed(
    spgnet,  # noqa: F811
    clip,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    make_folder(tmp_path / "clips", clip)
    config = AppConfig(
        out=tmp_path / "results", weights=str(tmp_path / "w.safetensors"), workers=3, ray="auto"
    )
    asked = []

    def lift_on_ray(jobs, options, on_progress):
        asked.append((len(jobs), options.workers, options.address))
        (config.out / ".one.99999999-0123abcd.partial").mkdir(parents=True)  # of a process that was killed
        on_progress(0, len(jobs))
        yield

    def cancel(stage: str, done: int, total: int | None) -> None:
        raise Cancelled

    monkeypatch.setattr(run, "lift_on_ray", lift_on_ray)
    with pytest.raises(Cancelled):
        lift_folder(str(tmp_path / "clips"), config, cancel)
    assert asked == [(2, 3, "auto")]
    assert [path.name for path in config.out.iterdir()] == ["report.json"]


@pytest.mark.parametrize("folder", ["clips", "/no/such/folder", "", "~no-such-user/clips"])
def test_a_folder_is_named_by_its_full_path(tmp_path, monkeypatch, folder):
    (tmp_path / "clips").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected its full path"):
        lift_folder(folder, AppConfig(out=tmp_path / "results"), ignore)


@pytest.mark.parametrize(("host", "private"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_page_that_is_closed_takes_its_uploads_and_if_others_may_come_its_results(tmp_path, host, private):
    uploads, out = tmp_path / "uploads", tmp_path / "out"
    uploads.mkdir()
    upload = tmp_path / "walk.npz"
    upload.write_bytes(b"1")
    sessions = Sessions(AppConfig(out=out, host=host), uploads)
    kept = sessions.keep_uploads("mine", [upload, upload])
    assert [path.read_bytes() for path in kept] == [b"1", b"1"]
    name = sessions.results.add("walk", lambda folder: np.savez(folder / "motion.npz"))
    sessions.get("mine").results.append(name)
    assert sessions.names("mine") == [name]
    assert sessions.names("other") == ([] if private else [name])
    sessions.end("mine")
    assert list(uploads.iterdir()) == []
    assert sessions.results.names() == ([] if private else [name])
    assert upload.exists()


def close_at_once(sessions: Sessions, clips: list[Clip]) -> None:
    """Make the motion of the first person of each clip; the page is closed when the second one is begun."""
    gradio = SimpleNamespace(update=dict, Request=None)
    names = ("progress", "cancel", "step_result", "step_people", "people", "recent", "earlier")
    page = SimpleNamespace(buttons=[], **{name: name for name in names})
    handlers = object.__new__(Handlers)
    handlers.gr, handlers.page, handlers.sessions = gradio, page, sessions
    sessions.get("mine").clips = clips
    chosen = str([[number, 1] for number in range(len(clips))])
    for changes in handlers._make("mine", chosen, "", "spgnet"):
        if "two" in changes["progress"]:
            break  # as Gradio does
    sessions.end("mine")


@pytest.mark.parametrize(("host", "private"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_page_that_is_closed_amid_its_work_takes_along_what_was_done(tmp_path, monkeypatch, host, private):
    def lift(one, tracks, results, tools, report, **options):
        while one.path.name == "two":
            report("lifting", 0, None)
            time.sleep(0.01)
        return results.add(one.path.name, lambda folder: np.savez(folder / "motion.npz"))

    monkeypatch.setattr("spgnet.app.handlers.lift_clip", lift)
    sessions = Sessions(AppConfig(out=tmp_path / "out", host=host), tmp_path)
    nobody = DetectedPeople([], None, find_camera((640, 480)))
    clips = [Clip(Path(name), ClipOptions(), nobody, ()) for name in ("one", "two")]
    close_at_once(sessions, clips)
    assert len(sessions.results.names()) == (0 if private else 1)


@pytest.mark.parametrize(("host", "private"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_result_that_is_done_after_its_page_was_closed_is_removed_if_others_may_come(
    tmp_path, host, private
):
    sessions = Sessions(AppConfig(out=tmp_path / "out", host=host), tmp_path)
    sessions.get("mine")
    sessions.end("mine")
    name = sessions.results.add("walk", lambda folder: np.savez(folder / "motion.npz"))
    sessions.keep_result("mine", name)
    assert sessions.results.names() == ([] if private else [name])


def test_a_zip_file_for_which_there_is_no_room_leaves_none_behind(tmp_path, monkeypatch):
    pytest.importorskip("fastapi")
    routes = {}
    app = SimpleNamespace(get=lambda path: lambda answer: routes.__setitem__(path, answer))
    results = ResultsFolder(tmp_path / "out")
    name = results.add("walk", lambda folder: np.savez(folder / "motion.npz"))
    (tmp_path / "temporary").mkdir()

    def full(folder: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(server, "zip_result", full)
    server._add_results(app, results, tmp_path / "temporary")
    with pytest.raises(OSError, match="No space left"):
        routes["/results/{result}.zip"](name)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_workers_that_cannot_work_are_refused(tmp_path, monkeypatch):
    for options in ({"workers": 0}, {"workers": 2, "host": "0.0.0.0"}, {"ray": "auto", "host": "0.0.0.0"}):
        with pytest.raises(InputError, match="workers"):
            AppConfig(**options)
    monkeypatch.setattr("spgnet.app.server.find_spec", lambda name: None)
    with pytest.raises(InputError, match="ray is missing; install it with"):
        run_app(AppConfig(out=tmp_path, workers=2))


def test_by_default_only_this_machine_can_open_it():
    assert AppConfig().host == "127.0.0.1"
    assert not Sessions(AppConfig(), Path()).public
