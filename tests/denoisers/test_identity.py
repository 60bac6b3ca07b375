import numpy as np

from ephys_deepinterpolation.denoisers import identity
from fixtures import integer_recording


def test_the_identity_changes_nothing_to_the_last_bit():
    recording = integer_recording([900], seed=1)
    assert identity(recording).get_dtype() == recording.get_dtype()
    np.testing.assert_array_equal(identity(recording).get_traces(), recording.get_traces())
