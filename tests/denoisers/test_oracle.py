import numpy as np
import pytest
from spikeinterface.preprocessing import scale_to_uV

from ephys_deepinterpolation.denoisers import oracle
from example_ground_truth import GAIN, synthetic
from fixtures import noise_recording


@pytest.fixture(scope="module")
def truth():
    return synthetic(duration_s=1.0)


def rounding(traces):
    """At most half a step of the recording's integers, and the rounding of 32-bit floats."""
    return np.abs(traces).max() <= GAIN / 2 + 1e-3


def test_all_of_everything_is_the_recording(truth):
    whole = oracle(truth.recording, truth.parts(), noise_share=1.0)
    np.testing.assert_array_equal(whole.get_traces(), scale_to_uV(truth.recording).get_traces())


def test_none_of_the_noise_leaves_the_spikes_but_for_rounding(truth):
    silent = oracle(truth.recording, truth.parts(), noise_share=0.0)
    assert rounding(silent.get_traces() - truth.spikes().get_traces())


def test_a_tenth_of_the_noise_is_left_by_default(truth):
    left = oracle(truth.recording, truth.parts()).get_traces()
    noise = sum(part.get_traces() for part in truth.noise.values())
    assert rounding(left - truth.spikes().get_traces() - 0.1 * noise)


def test_a_single_part_can_be_taken_out(truth):
    shares = {"independent": 0.0}
    left = oracle(truth.recording, truth.parts(), noise_share=1.0, shares=shares).get_traces()
    removed = scale_to_uV(truth.recording).get_traces() - left
    np.testing.assert_allclose(removed, truth.noise["independent"].get_traces(), atol=1e-4)


def test_the_background_goes_where_its_share_says_so(truth):
    shares = {"background": 0.0}
    left = oracle(truth.recording, truth.parts(), noise_share=0.0, shares=shares).get_traces()
    assert rounding(left - truth.spikes(background=False).get_traces())


def test_channels_and_probe_are_those_of_the_recording(truth):
    left = oracle(truth.recording, truth.parts())
    assert left.get_probe() == truth.recording.get_probe()
    np.testing.assert_array_equal(left.channel_ids, truth.recording.channel_ids)
    np.testing.assert_array_equal(left.get_channel_gains(), 1.0)


def test_a_recording_of_unknown_parts_has_no_oracle(truth):
    with pytest.raises(ValueError, match="not known: it has no oracle"):
        oracle(noise_recording(300, seed=1), {})
    with pytest.raises(ValueError, match="not known: it has no oracle"):
        oracle(truth.recording, {"units": truth.spikes()})


def test_a_share_of_a_part_that_does_not_exist_is_refused(truth):
    with pytest.raises(ValueError, match="no part line among units, background, correlated"):
        oracle(truth.recording, truth.parts(), shares={"line": 0.0})
