"""Training data: a dataset or clips, told apart by their values."""

from dataclasses import replace

from spgnet.data.dataset import project_clips
from spgnet.data.training_data import TrainingData
from spgnet.geometry.rigs import human36m_rig
from spgnet.synthetic.procedural import procedural_clips


def test_two_training_sets_have_the_same_sha256_if_they_are_the_same_to_the_bit():
    one, two = procedural_clips(2, seed=0, seconds=0.2)
    moved = replace(one, joints=one.joints + 1e-5)
    dataset, other = (project_clips([(clip, human36m_rig("S1"))]) for clip in (one, two))
    different = [
        TrainingData(clips=[one, two]),
        TrainingData(clips=[two, one]),
        TrainingData(clips=[moved, two]),
        TrainingData(clips=[replace(one, name="other"), two]),
        TrainingData(clips=[one, two], clip_weights=[1.0, 2.0]),
        TrainingData(dataset),
        TrainingData(dataset, other),
    ]
    assert len({each.sha256() for each in different}) == len(different)
    assert TrainingData(clips=(replace(one), two)).sha256() == different[0].sha256()
    assert TrainingData(replace(dataset), other).sha256() == different[-1].sha256()
