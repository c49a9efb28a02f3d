"""``spgnet lift`` of several inputs: each has its results or its error, and nothing is done twice."""

import json
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from spgnet.batch import BatchConfig, plan_batch, worker
from spgnet.batch.manifest import Manifest
from spgnet.capture import people
from spgnet.capture.config import CaptureOptions
from spgnet.files import read_json
from spgnet.lifting import Lifter, load_motion


def joints(folder: str) -> np.ndarray:
    return load_motion(Path(folder, "motion.npz")).joints


@pytest.fixture
def lifted(monkeypatch) -> list[str]:
    """The inputs that are lifted, by name, as they come."""
    names, run_capture = [], worker.run_capture

    def count(config, *arguments, **options):
        names.append(Path(config.input).name)
        return run_capture(config, *arguments, **options)

    monkeypatch.setattr(worker, "run_capture", count)
    return names


def test_each_input_has_a_folder_with_what_it_gives_alone(spgnet, clips, video, states):
    code, said = spgnet(
        "lift", "--no-refine", *clips("walk.npz", "a/other.npz"), "walk.mp4", "--export", "bvh"
    )
    assert code is None
    assert "3 lifted" in said
    assert states() == {"walk.npz": "lifted", "other": "lifted", "walk.mp4": "lifted"}
    assert {each.name for each in Path("out/other").iterdir()} == {
        "motion.npz",
        "motion.bvh",
        "manifest.json",
    }
    assert Path("out/walk.mp4/keypoints.npz").is_file()
    for source, folder in (("walk.npz", "out/other"), ("walk.mp4", "out/walk.mp4")):
        assert spgnet("lift", "--no-refine", source, "-o", "alone")[0] is None
        np.testing.assert_array_equal(joints(folder), joints("alone"))


def test_an_input_that_cannot_be_lifted_is_reported_and_the_others_are_lifted(spgnet, clips, states):
    sources = clips("broken.npz", "a/walk.npz", "b/walk.npz")
    Path("broken.npz").write_bytes(Path("broken.npz").read_bytes()[:1000])
    code, said = spgnet("lift", "--no-refine", *sources, "missing.mp4")
    assert str(code).startswith("spgnet: 2 of 4 inputs failed; the report is ")
    assert "2 lifted, 2 failed" in said
    expected = {"broken": "failed", "a-walk": "lifted", "b-walk": "lifted", "missing": "failed"}
    assert states() == expected
    assert list(states()) == list(expected)  # in the order of the inputs
    errors = [each["error"] for each in read_json(Path("out/report.json"))["inputs"]]
    assert "truncated" in errors[0]
    assert "missing.mp4: no such file" in errors[3]
    assert not any(
        each.name in ("broken", "missing") or each.name[0] == "." for each in Path("out").iterdir()
    )


def test_a_fault_of_ours_is_reported_with_its_traceback_and_ends_one_input(
    spgnet, clips, states, monkeypatch
):
    def fail(config, *arguments, **options):
        return 1 / 0 if "bad" in config.input else run_capture(config, *arguments, **options)

    run_capture = worker.run_capture
    monkeypatch.setattr(worker, "run_capture", fail)
    assert "1 of 2" in str(spgnet("lift", "--no-refine", *clips("bad.npz", "walk.npz"))[0])
    assert states() == {"bad": "failed", "walk": "lifted"}
    entry = read_json(Path("out/report.json"))["inputs"][0]
    assert entry["error"] == "ZeroDivisionError: division by zero"
    assert "in fail\n" in entry["traceback"]


def test_a_rerun_lifts_only_what_is_missing_or_changed(spgnet, clips, states, lifted):
    sources = clips("one.npz", "two.npz", "three.npz", "four.npz")
    assert spgnet("lift", "--no-refine", *sources[:3])[0] is None
    lifted.clear()
    assert "3 of 3 are lifted already" in spgnet("lift", "--no-refine", *sources[:3])[1]
    assert lifted == []
    assert set(states().values()) == {"unchanged"}
    Path("two.npz").write_bytes(Path("one.npz").read_bytes())  # the same contents, at another time
    Path("out/three/motion.npz").unlink()
    assert spgnet("lift", "--no-refine", *sources)[0] is None
    assert lifted == ["two.npz", "three.npz", "four.npz"]
    assert states() == {"one": "unchanged", "two": "lifted", "three": "lifted", "four": "lifted"}
    assert read_json(Path("out/report.json"))["inputs"][0]["frames"] == 40


def test_other_options_files_or_weights_make_new_results(clips, spgnet):
    (source,) = clips("one.npz")
    Path("camera.json").write_text("{}")
    options = CaptureOptions(weights="w.safetensors", camera=Path("camera.json"))

    def key():
        return plan_batch(BatchConfig(inputs=(source, "two.npz"), **vars(options))).jobs[0].key

    keys = [key()]
    assert key() == keys[0]
    Path("camera.json").write_text("{} ")
    keys.append(key())
    Path("w.safetensors").write_bytes(Path("w.safetensors").read_bytes() + b" ")
    keys.append(key())
    options = replace(options, flip=False)
    keys.append(key())
    options = replace(options, export=("csv",))
    keys.append(key())
    assert not any(one == other for number, one in enumerate(keys) for other in keys[:number])
    assert all(Manifest.from_json(Manifest(each, complete=True).to_json()).key == each for each in keys)


def test_results_depend_on_every_option_but_those_of_live_views_and_the_camera_s_place(clips, spgnet):
    (source,) = clips("one.npz")
    (job,) = plan_batch(BatchConfig(inputs=(source,), workers=1)).jobs
    options = {each.name for each in fields(CaptureOptions)}
    assert job.key.options.keys() == options - {"live", "port", "camera"}  # a camera file counts by content


def test_a_damaged_or_foreign_manifest_is_no_result(spgnet, clips, lifted):
    sources = clips("one.npz", "two.npz")
    assert spgnet("lift", "--no-refine", *sources)[0] is None
    lifted.clear()
    Path("out/one/manifest.json").write_text("{}")
    Path("out/two/manifest.json").write_text("[")
    assert spgnet("lift", "--no-refine", *sources)[0] is None
    assert lifted == sources
    assert Path("out/one.npz/motion.npz").is_file()  # what is in the folder may be somebody's work


def test_results_of_another_input_or_program_are_not_overwritten(spgnet, clips):
    sources = clips("a/walk.npz", "b/walk.npz", "other.npz")
    Path("out/other").mkdir(parents=True)
    Path("out/other/motion.npz").write_text("mine")
    assert spgnet("lift", "--no-refine", "a/walk.npz", "other.npz")[0] is None
    assert Path("out/other/motion.npz").read_text() == "mine"
    before = Path("out/walk/manifest.json").read_bytes()
    assert spgnet("lift", "--no-refine", "b/walk.npz", "other.npz")[0] is None
    assert Path("out/walk/manifest.json").read_bytes() == before
    assert spgnet("lift", "--no-refine", *sources)[1].count("unchanged") >= 3


def test_files_that_the_new_results_do_not_have_are_removed(spgnet, clips):
    sources = clips("one.npz", "two.npz")
    assert spgnet("lift", "--no-refine", *sources, "--export", "bvh", "--html", "page.html")[0] is None
    assert {"motion.bvh", "page.html"} < {each.name for each in Path("out/one").iterdir()}
    Path("out/one/notes.txt").write_text("mine")
    assert spgnet("lift", "--no-refine", *sources)[0] is None
    names = {each.name for each in Path("out/one").iterdir()}
    assert names == {"motion.npz", "manifest.json", "notes.txt"}


def test_an_interrupted_batch_goes_on_where_it_stopped(spgnet, clips, states, lifted, monkeypatch):
    sources = clips("one.npz", "two.npz", "three.npz")
    with monkeypatch.context() as patch:
        run_capture = worker.run_capture

        def interrupt(config, *arguments, **options):
            result = run_capture(config, *arguments, **options)
            if "two" in config.input:
                raise KeyboardInterrupt  # when its files are written, and before they are in their place
            return result

        patch.setattr(worker, "run_capture", interrupt)
        assert spgnet("lift", "--no-refine", *sources)[0] == "spgnet: interrupted"
    assert states() == {"one": "lifted", "two": "not started", "three": "not started"}
    assert {each.name for each in Path("out").iterdir()} == {"one", "report.json"}
    lifted.clear()
    assert spgnet("lift", "--no-refine", *sources)[0] is None
    assert lifted == ["two.npz", "three.npz"]


def test_results_that_could_not_all_be_written_are_made_again(spgnet, clips, lifted, monkeypatch):
    sources = clips("one.npz", "two.npz")
    with monkeypatch.context() as patch:
        patch.setattr(worker.Location, "put", lambda location, file: (_ for _ in ()).throw(OSError("full")))
        assert "2 of 2" in str(spgnet("lift", "--no-refine", *sources)[0])
    assert not read_json(Path("out/one/manifest.json"))["complete"]
    lifted.clear()
    assert spgnet("lift", "--no-refine", *sources)[0] is None
    assert lifted == sources
    assert sorted(each.name for each in Path("out").iterdir()) == ["one", "report.json", "two"]


def test_the_networks_of_many_inputs_are_loaded_once(spgnet, clips, video, monkeypatch):
    loaded = []

    def counted(what, load):
        return lambda *names, **options: loaded.append(what) or load(*names, **options)

    monkeypatch.setattr(Lifter, "from_pretrained", counted("lifter", Lifter.from_pretrained))
    monkeypatch.setattr(people, "RtmDetector", counted("detector", people.RtmDetector))
    Path("other.mp4").write_bytes(video.read_bytes())
    assert spgnet("lift", "--no-refine", *clips("one.npz", "two.npz"))[0] is None
    assert loaded == ["lifter"]
    assert spgnet("lift", "--no-refine", "walk.mp4", "other.mp4")[0] is None
    assert loaded == ["lifter"] * 2 + ["detector"]


def test_each_input_has_its_own_page_and_overlay(spgnet, clips):
    sources = clips("one.npz", "two.npz")
    code, _ = spgnet("lift", "--no-refine", *sources, "--html", "out/page.html")
    assert "each of several inputs writes this file into its own folder" in str(code)
    assert (
        spgnet("lift", "--no-refine", *sources, "--html", "page.html", "--overlay", "overlay.mp4")[0] is None
    )
    for name in ("one", "two"):
        assert Path("out", name, "page.html").is_file()
        assert Path("out", name, "overlay.mp4").is_file()


def test_what_no_input_could_be_lifted_with_ends_the_batch_before_it_begins(spgnet, clips, command):
    sources = clips("one.npz", "two.npz")
    cases = (
        (("--camera", "none.toml"), "no such camera file"),
        (("--columns", "all"), "--export names none of them"),
        (("--workers", "0"), "workers must be at least 1"),
    )
    for options, message in cases:
        code, said = spgnet("lift", "--no-refine", *sources, *options)
        assert message in f"{code} {said}"
    assert "no weights 'nothing'" in str(command("lift", "--no-refine", *sources, "--weights", "nothing")[0])
    assert "--live lifts one input" in "".join(map(str, spgnet("lift", "--no-refine", *sources, "--live")))
    assert "nothing to lift" in "".join(map(str, spgnet("lift", "--no-refine")))
    assert not Path("out").exists()


def test_names_of_files_need_not_be_text(spgnet, clips, states):
    name = os.fsdecode(b"caf\xe9.npz")  # an old archive's Latin-1
    clips(f"clips/{name}", "clips/two.npz")
    assert spgnet("lift", "--no-refine", "clips")[0] is None
    assert states() == {os.fsdecode(b"caf\xe9"): "lifted", "two": "lifted"}
    assert spgnet("lift", "--no-refine", "clips")[0] is None
    assert set(states().values()) == {"unchanged"}


def test_a_folder_of_clips_is_a_batch(spgnet, clips, states):
    clips("clips/one.npz", "clips/two.npz")
    assert spgnet("lift", "--no-refine", "clips")[0] is None
    assert states() == {"one": "lifted", "two": "lifted"}


def test_results_may_be_in_a_folder_among_the_clips(spgnet, clips, states):
    clips("clips/one.npz", "clips/two.npz")
    for state in ("lifted", "unchanged"):
        assert spgnet("lift", "--no-refine", "clips", "-o", "clips/out")[0] is None
        assert states("clips/out") == {"one": state, "two": state}


@pytest.fixture
def memory() -> MemoryFileSystem:
    """fsspec's file system in memory, empty."""
    files = MemoryFileSystem()
    files.rm("/", recursive=True) if files.ls("/") else None
    return files


def test_inputs_and_results_may_be_on_any_file_system_of_fsspec(spgnet, clips, memory, lifted):
    (source,) = clips("walk.npz")
    for name in ("in/one.npz", "in/two.npz", "more/one.npz"):
        memory.pipe_file(f"/{name}", Path(source).read_bytes())
    arguments = (
        "lift",
        "--no-refine",
        "memory://in",
        "memory://more/o*.npz",
        "memory://more/none.npz",
        "-o",
        "memory://out",
    )
    code, _ = spgnet(*arguments, "--export", "bvh")
    assert "1 of 4 inputs failed; the report is memory://out/report.json" in str(code)
    entries = json.loads(memory.cat_file("/out/report.json"))["inputs"]
    assert [each["state"] for each in entries] == ["lifted"] * 3 + ["failed"]
    assert entries[0]["input"] == "memory://in/one.npz"
    assert entries[3]["error"] == "memory://more/none.npz: no such file"
    assert sorted(memory.ls("/out/in-one", detail=False)) == [
        f"/out/in-one/{name}" for name in ("manifest.json", "motion.bvh", "motion.npz")
    ]
    assert spgnet("lift", "--no-refine", source, "-o", "alone")[0] is None
    memory.get_file("/out/two/motion.npz", "motion.npz")
    np.testing.assert_array_equal(joints("."), joints("alone"))
    lifted.clear()
    memory.pipe_file("/in/two.npz", Path(source).read_bytes())
    spgnet(*arguments, "--export", "bvh")
    assert lifted == ["two.npz"]
    assert not Path("memory:").exists()


def test_an_unknown_file_system_is_refused_with_its_name(spgnet, clips):
    code, _ = spgnet("lift", "--no-refine", *clips("one.npz"), "nowhere://bucket/walk.mp4")
    assert "nowhere" in str(code)
