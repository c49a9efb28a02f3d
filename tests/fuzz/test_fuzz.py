"""Readers answer any bytes with a result or with one line; ``run.py`` tries many more."""

from collections import Counter
from random import Random

import pytest

from fuzz.known import damaged_copies
from fuzz.mutations import LONGEST_RUN, mutate
from fuzz.readers import READERS, Reader
from fuzz.trial import Corpus, judge, slug

LONGEST = 5.0
"""Seconds of the processor for a file of at most 100 kB and some."""
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


@pytest.mark.parametrize("reader", READERS, ids=slug)
def test_damage_of_a_kind_that_a_reader_once_failed_on_gives_a_result_or_one_line(tmp_path, reader):
    corpus = Corpus(reader, tmp_path)
    for case, valid in zip(corpus.cases, corpus.contents, strict=True):
        for number, content in enumerate(damaged_copies(valid, case.file.suffix)):
            outcome = corpus.try_out(case, content)
            assert not outcome.fault, f"{case.file.name}, {number}: {outcome.fault}"
            assert outcome.seconds < LONGEST, f"{case.file.name}, {number}"


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
