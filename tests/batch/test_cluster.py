"""Batches on Ray: the results of one process, and what becomes of workers that die."""

import gc
import os
import signal
from contextlib import nullcontext
from math import inf
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from batch.videos import ShadeDetector, write_long_video
from spgnet import extras
from spgnet.batch import BatchConfig, Job, Outcome, State, cluster, plan_batch, run_batch
from spgnet.batch.cluster import RayOptions, lift_on_ray
from spgnet.batch.worker import Worker
from spgnet.detection.pieces import Piece
from spgnet.errors import InputError
from spgnet.lifting import load_motion


class MortalWorker(Worker):
    """Is killed whenever it lifts an input named ``deadly``, and the first time that it detects the last
    piece of a video. It notes the pieces that it has detected."""

    def _detector_for(self, path: Path) -> ShadeDetector:
        return ShadeDetector()

    def detect(self, job: Job, piece: Piece) -> float | Outcome:
        mark = Path(f"{job.results.text}.pieces.mark")
        mark.parent.mkdir(exist_ok=True)
        if piece.end == inf and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        result = super().detect(job, piece)
        with Path(f"{job.results.text}.detected").open("a") as file:
            print(piece.start, file=file)
        return result

    def lift(self, job: Job) -> Outcome:
        def die(stage: str, done: int, total: int | None) -> None:
            if stage == "lifting":
                os.kill(os.getpid(), signal.SIGKILL)

        return super().lift(job, die) if job.input.name == "deadly" else super().lift(job)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # one that Ray started
def test_two_workers_give_what_one_process_does_and_a_killed_one_costs_its_input_or_piece_alone(
    spgnet, clips, monkeypatch
):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr(cluster, "Worker", MortalWorker)
    monkeypatch.setattr(cluster, "MOST_ATTEMPTS", 2)
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))  # where workers find this class
    write_long_video(Path("long.mp4"))
    sources = clips("one.npz", "deadly.npz", "two.npz", "walk.npz")
    config = BatchConfig(
        inputs=(*sources, "missing.mp4", "long.mp4"),
        out="out",
        weights="w.safetensors",
        refine=False,
        workers=2,
        piece_length=8.0,
    )
    came: list[str] = []
    told: list[tuple[str, int, int | None]] = []
    outcomes = run_batch(
        plan_batch(config), lambda *what: told.append(what), lambda outcome: came.append(outcome.name)
    )
    gc.collect()  # what Ray leaves warns here, and not in another test
    found = {each.name: (each.state, each.attempts) for each in outcomes}
    lifted = (State.LIFTED, 1)
    assert found == {
        "one": lifted,
        "deadly": (State.FAILED, 2),
        "two": lifted,
        "walk": lifted,
        "missing": (State.FAILED, 1),
        "long": (State.LIFTED, 2),
    }
    assert sorted(came) == sorted(found)
    assert "the worker died, 2 times" in str(outcomes[1].error)
    assert "missing.mp4: no such file" in str(outcomes[4].error)
    assert (told[0], told[-1]) == (("lifting", 0, 6), ("lifting", 7, 8)), "pieces count as inputs do"
    assert told == sorted(told)
    assert len(Path("out/long.detected").read_text().split()) == 2, "only the piece is begun anew"
    assert (outcomes[5].frames, outcomes[5].people) == (60, 1)
    assert not Path("out/.long.pieces").exists()
    assert spgnet("lift", "--no-refine", "walk.npz", "-o", "alone")[0] is None
    expected = load_motion(Path("alone/motion.npz")).joints
    for name in ("one", "two"):
        np.testing.assert_allclose(load_motion(Path("out", name, "motion.npz")).joints, expected, atol=1e-5)
    monkeypatch.setattr(cluster, "Worker", Worker)
    assert [job.input.name for job in plan_batch(config).jobs] == ["deadly", "missing"]


def test_without_ray_the_message_names_the_extra(spgnet, clips, monkeypatch):
    def absent(module: str):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(extras, "import_module", absent)
    code, _ = spgnet("lift", "--no-refine", *clips("one.npz", "two.npz"), "--workers", "2")
    assert code == "spgnet: ray is missing; install it with: pip install 'spgnet[cluster]'"


def test_without_jobs_ray_is_not_started(monkeypatch):
    monkeypatch.setattr(cluster, "import_extra", lambda module, extra: pytest.fail("imported"))
    assert list(lift_on_ray([], RayOptions(workers=2))) == []


class RayStub(ModuleType):
    """Ray whose workers cannot start."""

    class exceptions:
        class RayError(Exception):
            pass

    def __init__(self) -> None:
        super().__init__("ray")
        self.started = 0

    def cluster_resources(self):
        return {"CPU": 8.0}

    def remote(self, **needs):
        stub = self

        class Actor:
            def remote(self, *arguments):
                stub.started += 1
                return self

            @property
            def ready(self):
                return SimpleNamespace(remote=lambda: self)

        return lambda kind: Actor()

    def wait(self, references, num_returns, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        raise self.exceptions.RayError("no spgnet here")

    def kill(self, worker):
        pass


def test_workers_that_cannot_start_end_the_batch_with_the_reason(spgnet, clips, monkeypatch):
    stub = RayStub()
    monkeypatch.setattr(cluster, "_connected", lambda ray, options: nullcontext())
    monkeypatch.setattr(cluster, "import_extra", lambda module, extra: stub)
    plan = plan_batch(
        BatchConfig(inputs=tuple(clips("one.npz", "two.npz")), weights="w.safetensors", workers=1)
    )
    with pytest.raises(InputError, match=r"Ray cannot start workers \(no spgnet here\)"):
        run_batch(plan)
    assert stub.started == cluster.MOST_ATTEMPTS
