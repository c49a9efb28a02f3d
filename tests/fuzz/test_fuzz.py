"""Readers answer any bytes with a result or with one line; ``run.py`` tries many more."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from fuzz.mutations import LONGEST_RUN, mutate
from fuzz.readers import READERS, Reader
from fuzz.trial import Corpus, judge, slug

FOUND = Path(__file__).parent / "found"
"""Files on which something went wrong: ``READER/NUMBER__FILE``, where FILE is the valid input in whose place
they are read, with + for the separator of folders."""
INPUTS = 40
"""For each reader."""


@pytest.mark.parametrize("reader", READERS, ids=slug)
def test_valid_files_are_read_and_changed_ones_give_a_result_or_one_line(tmp_path, reader):
    corpus = Corpus(reader, tmp_path)
    for case in corpus.cases:
        assert judge(reader, case.path) == ("", False), case
    refused: Counter[bool] = Counter()
    for number in range(INPUTS):
        case, content = corpus.change(number)
        outcome = corpus.try_out(case, content)
        assert not outcome.fault, f"input {number}: {outcome.fault}"
        refused[outcome.refused] += 1
    assert refused[True]  # else the changes change nothing


@pytest.mark.parametrize(
    "file", sorted(FOUND.glob("*/*")), ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_what_went_wrong_once_gives_a_result_or_one_line(tmp_path, file):
    (reader,) = (reader for reader in READERS if slug(reader) == file.parent.name)
    corpus = Corpus(reader, tmp_path)
    name = file.name.partition("__")[2].replace("+", "/")
    (case,) = (case for case in corpus.cases if case.file.relative_to(tmp_path).as_posix() == name)
    assert not corpus.try_out(case, file.read_bytes()).fault


def test_the_same_number_is_the_same_input_and_none_grows_without_end(tmp_path):
    corpora = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        corpora.append(Corpus(READERS[0], tmp_path / name))
    for number in range(30):
        (case, content), (twin, same) = (corpus.change(number) for corpus in corpora)
        assert (case.file.name, content) == (twin.file.name, same)
    long = b"[" + b"1," * LONGEST_RUN + b"1]"
    assert all(mutate(long, ".json", Random(seed)) == long for seed in range(20))


def test_faults_are_seen(tmp_path):
    """A reader of our own for each fault that the judge has to see."""

    def judged(read) -> str:
        return judge(Reader("x", lambda place: iter(()), read, 1), tmp_path)[0]

    from spgnet.errors import InputError

    def refuse(message):
        def read(path):
            raise InputError(message)

        return read

    assert judged(lambda path: path.read_bytes()).startswith("IsADirectoryError")
    assert judged(lambda path: [1.0, {"a": float("nan")}]).startswith("non-finite")
    assert judged(refuse("a" * 301)).startswith("message of 301 characters")
    assert judged(refuse(f"{tmp_path}: {'a' * 300}")) == ""
