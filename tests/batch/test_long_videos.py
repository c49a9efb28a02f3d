"""Long videos in pieces: what a worker does with each, and what it leaves behind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from batch.videos import ShadeDetector, write_long_video
from spgnet.batch import BatchConfig, Outcome, State, plan_batch, worker
from spgnet.batch.worker import Worker
from spgnet.capture import people
from spgnet.errors import InputError
from spgnet.lifting import load_motion


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    return write_long_video(tmp_path_factory.mktemp("film") / "long.mp4").read_bytes()


@pytest.fixture
def long_video(spgnet, film, monkeypatch) -> Path:
    monkeypatch.setattr(people, "RtmDetector", ShadeDetector)
    Path("long.mp4").write_bytes(film)
    return Path("long.mp4")


def jobs_of(source: str, out: str = "out", **options):
    config = BatchConfig(inputs=(source,), out=out, weights="w.safetensors", workers=2, **options)
    (job,) = plan_batch(config).jobs
    return job, Worker(job.options, piece_length=5.0)


def test_a_long_video_in_pieces_is_lifted_as_it_is_undivided_and_leaves_nothing_behind(spgnet, long_video):
    job, lifting = jobs_of("long.mp4", detect_every=1, refine=False)
    pieces = lifting.divide_or_lift(job)
    assert len(pieces) == 3
    for piece in reversed(pieces):  # by other workers, in any order
        assert Worker(job.options).detect(job, piece) > 0
    assert sorted(path.name for path in Path("out").iterdir()) == [".long.pieces"]
    outcome = lifting.join_and_lift(job, pieces, 1000.0)
    assert (outcome.state, outcome.people, outcome.frames) == (State.LIFTED, 1, 60)
    assert outcome.seconds > 1000
    assert [path.name for path in Path("out").iterdir()] == ["long"]
    assert spgnet("lift", "long.mp4", "-o", "alone", "--detect-every", "1", "--no-refine")[0] is None
    found, alone = load_motion(Path("out/long/motion.npz")), load_motion(Path("alone/motion.npz"))
    np.testing.assert_allclose(found.world, alone.world, atol=1e-3)
    np.testing.assert_array_equal(found.timestamps, alone.timestamps)
    assert found.remarks == alone.remarks


def test_pieces_that_are_stored_are_not_detected_again_unless_they_are_damaged(long_video, monkeypatch):
    detected, detect_piece = [], worker.detect_piece
    monkeypatch.setattr(
        worker,
        "detect_piece",
        lambda config, detector, piece: detected.append(piece) or detect_piece(config, detector, piece),
    )
    job, lifting = jobs_of("long.mp4")
    pieces = lifting.divide_or_lift(job)
    for piece in pieces:
        lifting.detect(job, piece)
    damaged = job.stored_piece(pieces[1]).path
    damaged.write_bytes(damaged.read_bytes()[:100])
    job = jobs_of("long.mp4")[0]  # of another run
    for piece in pieces:
        assert not isinstance(lifting.detect(job, piece), Outcome)
    assert detected == [*pieces, pieces[1]]
    other = jobs_of("long.mp4", rotate=180)[0]
    assert job.stored_piece(pieces[0]) != other.stored_piece(pieces[0])


def test_what_is_short_or_no_video_is_lifted_at_once(spgnet, clips, long_video):
    (source,) = clips("walk.npz")
    for name in (source, "long.mp4"):
        job, _ = jobs_of(name, refine=False)
        for length in (0.0, 60.0):
            assert Worker(job.options, piece_length=length).divide_or_lift(job).state is State.LIFTED


def test_what_is_wrong_with_a_piece_is_in_its_outcome_with_the_name_of_the_input(long_video):
    job, lifting = jobs_of("long.mp4")
    pieces = lifting.divide_or_lift(job)
    long_video.write_bytes(b"nothing")
    for outcome in (lifting.detect(job, pieces[0]), lifting.divide_or_lift(job)):
        assert isinstance(outcome, Outcome)
        assert outcome.state is State.FAILED
        assert str(outcome.error).startswith(f"{Path('long.mp4').absolute()}: not a readable video")
    missing = lifting.join_and_lift(job, pieces, 0.0)
    assert "no such file" in str(missing.error)


def test_a_video_elsewhere_is_copied_once_for_its_pieces_and_the_copy_is_removed(
    long_video, monkeypatch, tmp_path
):
    files, copied = MemoryFileSystem(), []
    files.pipe_file("/films/long.mp4", long_video.read_bytes()[:-2000])  # cut short: a warning names the file
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fetched = worker.Location.fetched
    monkeypatch.setattr(
        worker.Location, "fetched", lambda location: copied.append(location.parts.name) or fetched(location)
    )
    job, lifting = jobs_of("memory://films/long.mp4", "memory://results", refine=False)
    pieces = lifting.divide_or_lift(job)
    assert [lifting.detect(job, piece) > 0 for piece in pieces] == [True] * 3
    assert len(files.ls("/results/.long.pieces")) == 3
    outcome = lifting.join_and_lift(job, pieces, 0.0)
    assert outcome.state is State.LIFTED
    (warning,) = [line for line in outcome.remarks if "cannot be decoded" in line or "could be read" in line]
    assert warning.startswith("memory://films/long.mp4: ")
    assert copied.count("long.mp4") == 1
    assert not files.exists("/results/.long.pieces")
    assert files.exists("/results/long/motion.npz")
    assert len(list(tmp_path.glob("spgnet-*"))) == 1
    lifting.release()
    assert not list(tmp_path.glob("spgnet-*"))


@pytest.mark.parametrize("length", [-1.0, 1.0, float("inf"), float("nan")])
def test_a_length_that_pieces_cannot_have_is_refused(length):
    with pytest.raises(InputError, match="piece_length must be 0 or at least 8 seconds"):
        replace(BatchConfig(inputs=("a.mp4",)), piece_length=length)
