import numpy as np
import pytest
import spikeinterface as si
from spikeinterface.preprocessing import scale, scale_to_uV, whiten

from ephys_deepinterpolation.denoisers import boxcar, unwhiten
from fixtures import SILENT_CHANNEL, integer_recording, noise_recording

MEASURED = {"seed": 0, "num_chunks_per_segment": 2, "chunk_size": 1000}


@pytest.mark.parametrize(
    "options",
    [{}, {"apply_mean": True}, {"mode": "local", "radius_um": 60.0}, {"int_scale": 200.0}],
    ids=str,
)
def test_microvolts_come_back_when_nothing_was_between(options):
    recording = noise_recording(3000, seed=1)
    whitened = whiten(recording, **MEASURED, **options)
    assert not np.allclose(whitened.get_traces(), recording.get_traces(), atol=1.0)
    np.testing.assert_allclose(
        unwhiten(whitened).get_traces(), recording.get_traces(), atol=1e-3, rtol=1e-4
    )


def test_microvolts_of_a_recording_with_a_silent_channel_come_back():
    recording = scale_to_uV(integer_recording([3000], seed=1))
    back = unwhiten(whiten(recording, **MEASURED)).get_traces()
    np.testing.assert_allclose(back, recording.get_traces(), atol=1e-2)
    assert recording.get_traces()[:, SILENT_CHANNEL].std() == 0


def test_what_is_linear_over_time_may_stand_between():
    recording = noise_recording(3000, seed=1)
    between = unwhiten(boxcar(scale(whiten(recording, **MEASURED), gain=2.0), 0.5))
    expected = 2 * boxcar(recording, 0.5).get_traces()
    np.testing.assert_allclose(between.get_traces(), expected, atol=1e-3)


def test_each_unwhitening_undoes_the_last_whitening_that_is_left():
    recording = noise_recording(3000, seed=1)
    once = whiten(recording, **MEASURED)
    twice = whiten(scale(once, gain=3.0), **MEASURED, mode="local", radius_um=40.0)
    inner = unwhiten(twice)
    np.testing.assert_allclose(inner.get_traces(), 3 * once.get_traces(), atol=1e-3)
    np.testing.assert_allclose(unwhiten(inner).get_traces(), 3 * recording.get_traces(), atol=1e-2)
    with pytest.raises(ValueError, match="no whitening to undo"):
        unwhiten(unwhiten(inner))


def test_a_recording_that_was_not_whitened_is_refused(tmp_path):
    with pytest.raises(ValueError, match="put a step whiten before unwhiten"):
        unwhiten(noise_recording(3000, seed=1))
    whitened = whiten(noise_recording(3000, seed=1), **MEASURED)
    saved = whitened.save(folder=tmp_path / "saved", progress_bar=False)
    with pytest.raises(ValueError, match="no whitening to undo"):
        unwhiten(si.load(tmp_path / "saved") if saved is None else saved)


def test_fewer_channels_than_were_whitened_are_refused():
    whitened = whiten(noise_recording(3000, seed=1), **MEASURED)
    with pytest.raises(ValueError, match="16 channels were whitened and 4 are left"):
        unwhiten(boxcar(whitened.select_channels(whitened.channel_ids[:4]), 0.5))
