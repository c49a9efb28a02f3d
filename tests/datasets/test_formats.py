"""Data sets are told apart by their files."""

import pytest
from human36m_files import make_motion, write_original, write_prepared
from mpi_inf_3dhp_files import a_sequence, the_camera
from mpi_inf_3dhp_files import write as write_mpi_inf_3dhp
from test_humaneva import write as write_humaneva

from spgnet.datasets.formats import FORMATS, find_format
from spgnet.datasets.human36m import HUMAN36M_FORMAT
from spgnet.datasets.humaneva import HUMANEVA_FORMAT
from spgnet.datasets.mpi_inf_3dhp import MPI_INF_3DHP_FORMAT
from spgnet.datasets.take_files import TAKE_FILES_FORMAT, save_take
from spgnet.datasets.takes import Take
from spgnet.synthetic.procedural import procedural_clips


def write_prepared_human36m(folder):
    write_prepared(folder, make_motion(("S1",), (8, 9)))


def write_original_human36m(folder):
    write_original(folder, make_motion(("S9",), (8, 9)))


def write_takes(folder):
    (clip,) = procedural_clips(1, seed=0, seconds=0.2)
    (folder / "test").mkdir()
    take = Take("a", "s", "walk", clip.fps, the_camera("TS1")[None], clip.joints)
    save_take(folder / "test" / "a.npz", take)


WRITERS = {
    "prepared Human3.6M": (write_prepared_human36m, HUMAN36M_FORMAT),
    "original Human3.6M": (write_original_human36m, HUMAN36M_FORMAT),
    "HumanEva-I": (lambda folder: write_humaneva(folder, {}), HUMANEVA_FORMAT),
    "MPI-INF-3DHP": (lambda folder: write_mpi_inf_3dhp(folder, TS2=a_sequence("TS2")), MPI_INF_3DHP_FORMAT),
    "take files": (write_takes, TAKE_FILES_FORMAT),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_is_recognised_as_the_one_data_set_that_it_holds(tmp_path, name):
    write, expected = WRITERS[name]
    write(tmp_path)
    assert [known.name for known in FORMATS if known.recognises(tmp_path)] == [expected.name]
    assert find_format(tmp_path) is expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [("data_3d_h36m.npz", HUMAN36M_FORMAT), ("data_3d_humaneva15.npz", HUMANEVA_FORMAT)],
)
def test_the_motion_file_itself_tells_which_of_two_data_sets_in_a_folder_is_meant(tmp_path, file, expected):
    write_prepared_human36m(tmp_path)
    write_humaneva(tmp_path, {})
    assert find_format(tmp_path / file) is expected


def test_every_data_set_is_tried():
    assert {expected.name for _, expected in WRITERS.values()} == {known.name for known in FORMATS}
