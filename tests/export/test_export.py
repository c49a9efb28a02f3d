"""Choosing a format and writing the file."""

import doctest
import sys
from dataclasses import replace

import numpy as np
import pytest

import spgnet.export
from spgnet.errors import InputError
from spgnet.export import FORMATS, export
from spgnet.lifting.motion import load_motion, save_motion

SEVERAL = ("json", "csv", "trc", "c3d", "glb", "gltf")


@pytest.mark.parametrize("name", FORMATS)
def test_the_suffix_chooses_the_format_and_nothing_else_is_left(tmp_path, motion, name):
    export(motion, tmp_path / f"a walk.{name.upper()}")
    assert [path.name for path in tmp_path.iterdir()] == [f"a walk.{name.upper()}"]
    by_suffix = (tmp_path / f"a walk.{name.upper()}").read_bytes()
    export(motion, tmp_path / "other", format=name)
    if name not in ("npz", "trc"):  # these hold the time of writing and the file's name
        assert (tmp_path / "other").read_bytes() == by_suffix


def test_an_npz_file_is_a_motion_file(tmp_path, motion):
    export(motion, tmp_path / "motion.npz")
    np.testing.assert_allclose(load_motion(tmp_path / "motion.npz").world, motion.world, atol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_a_single_frame_can_be_exported(tmp_path, motion, cut, name):
    export(cut(motion, 0, 1), tmp_path / f"motion.{name}")
    assert (tmp_path / f"motion.{name}").stat().st_size > 0


@pytest.mark.parametrize("name", FORMATS)
def test_one_person_fits_every_format_and_several_fit_some(tmp_path, motion, late, name):
    path = tmp_path / f"people.{name}"
    export([motion], path)
    if name in SEVERAL:
        export([motion, late], path)
    else:
        with pytest.raises(ValueError, match=rf"people\.{name}: .*one person and there are 2.*\.c3d"):
            export([motion, late], path)


@pytest.mark.parametrize("name", ["motion.fbx", "motion"])
def test_an_unknown_suffix_is_refused_with_the_list_of_formats(tmp_path, motion, name):
    with pytest.raises(
        ValueError, match=r"unknown suffix .*\.npz, \.json, \.csv, \.bvh, \.trc, \.c3d, \.mot, \.sto, \.glb"
    ):
        export(motion, tmp_path / name)
    with pytest.raises(ValueError, match="unknown format 'fbx'"):
        export(motion, tmp_path / name, format="fbx")


def test_people_need_track_numbers_of_their_own(tmp_path, motion):
    with pytest.raises(ValueError, match=r"track number of its own, got \[1, 1\]"):
        export([motion, motion], tmp_path / "people.csv")
    with pytest.raises(ValueError, match="no motion to export"):
        export([], tmp_path / "people.csv")


def test_a_missing_folder_is_named(tmp_path, motion):
    with pytest.raises(ValueError, match=r"the folder .*nowhere does not exist"):
        export(motion, tmp_path / "nowhere" / "motion.csv")


@pytest.mark.parametrize(("suffix", "library"), [(".c3d", "ezc3d"), (".glb", "pygltflib")])
def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    tmp_path, motion, monkeypatch, suffix, library
):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=rf"{library} is missing; .*'spgnet\[export\]'"):
        export(motion, tmp_path / f"motion{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_not_finite_is_refused_by_formats_that_cannot_hold_it(tmp_path, motion, name):
    joints, pixels = motion.joints.copy(), motion.pixels.copy()
    joints[3, 5], pixels[4] = np.nan, np.inf
    uncertainty = np.full(joints.shape[:2], np.inf, np.float32)
    uncertainty[1:] = 0.1
    path = tmp_path / f"motion.{name}"
    for broken, refusing in (
        (replace(motion, joints=joints), ("json", "bvh", "mot", "sto", "glb", "gltf")),
        (replace(motion, pixels=pixels), ("json",)),
        (replace(motion, uncertainty=uncertainty), ("json",)),
    ):
        if name in refusing:
            with pytest.raises(InputError, match=rf"a \.{name} file .* in 1 of 100 frames"):
                export(broken, path)
        else:
            export(broken, path)


def test_the_examples_of_the_docstrings_run(tmp_path, motion, late, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_motion("motion.npz", motion)
    (tmp_path / "written").mkdir()
    names = {"motion": motion, "other": late, "folder": tmp_path / "written", "load_motion": load_motion}
    result = doctest.testmod(spgnet.export, extraglobs=names)
    assert result.attempted
    assert not result.failed


def test_a_failed_export_leaves_the_old_file_and_nothing_else(tmp_path, motion, monkeypatch):
    path = tmp_path / "motion.glb"
    export(motion, path)
    before = path.read_bytes()

    def fail(motions, rig):
        raise RuntimeError("half way")

    monkeypatch.setattr(spgnet.export, "glb_bytes", fail)
    with pytest.raises(RuntimeError, match="half way"):
        export(motion, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "option", "refused"),
    [
        ("c3d", {"rig": "mixamo"}, r"no choice of rig; \.bvh, \.glb, \.gltf have"),
        ("bvh", {"markers": "opensim"}, r"no choice of markers; \.trc, \.c3d have"),
        ("glb", {"unseen": "missing"}, r"no choice of unseen"),
    ],
)
def test_an_option_that_a_format_does_not_have_is_refused(tmp_path, motion, name, option, refused):
    with pytest.raises(InputError, match=refused):
        export(motion, tmp_path / f"motion.{name}", **option)
    assert list(tmp_path.iterdir()) == []


def test_a_motion_s_own_export_has_the_same_options(tmp_path, motion):
    motion.export(tmp_path / "own.bvh", rig="mixamo")
    export(motion, tmp_path / "other.bvh", rig="mixamo")
    assert (tmp_path / "own.bvh").read_bytes() == (tmp_path / "other.bvh").read_bytes()
    motion.export(tmp_path / "own.c3d", markers="pose2sim", unseen="missing")
    export(motion, tmp_path / "other.c3d", markers="pose2sim", unseen="missing")
    assert (tmp_path / "own.c3d").read_bytes() == (tmp_path / "other.c3d").read_bytes()
