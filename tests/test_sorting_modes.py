"""A sorter's own preprocessing turned off: parameters that exist, and nothing else changed."""

import numpy as np
import pytest
from spikeinterface.preprocessing import scale, whiten
from spikeinterface.sorters import get_default_sorter_params, sorter_dict

from ephys_deepinterpolation.sortings.modes import (
    MODES,
    NO_PREPROCESSING,
    parameters_of_mode,
    recording_of_mode,
)
from fixtures import recording_of

OFF = "no-preprocessing"


@pytest.fixture(scope="module")
def recording():
    """Correlated noise, louder on some channels than on others."""
    random = np.random.default_rng(3)
    mixing = np.eye(6) + 0.5 * np.eye(6, k=1)
    traces = random.normal(size=(60_000, 6)) @ mixing * np.linspace(5, 15, 6)
    return recording_of(traces.astype(np.float32), frequency=30_000.0)


def levels(traces):
    return np.median(np.abs(traces - np.median(traces, axis=0)), axis=0) / 0.6745


def test_the_default_mode_changes_neither_parameters_nor_recording(recording):
    for sorter in NO_PREPROCESSING:
        assert parameters_of_mode(sorter, "default") == {}
        assert recording_of_mode(recording, sorter, "default", seed=1) is recording


@pytest.mark.parametrize("sorter", list(NO_PREPROCESSING))
def test_the_parameters_of_a_mode_are_those_of_the_installed_sorter(sorter):
    if not sorter_dict[sorter].is_installed() and sorter == "kilosort4":
        pytest.skip("its parameters are known to its own package alone")
    known = get_default_sorter_params(sorter)
    off = parameters_of_mode(sorter, OFF)
    assert off.keys() <= known.keys()
    assert off != {name: known[name] for name in off}


@pytest.mark.parametrize("sorter", ["kilosort4", "mountainsort5"])
def test_a_sorter_that_counts_in_noise_is_given_noise_of_size_one(recording, sorter):
    scaled = recording_of_mode(recording, sorter, OFF, seed=1).get_traces()
    assert np.median(levels(scaled)) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("sorter", ["kilosort4", "mountainsort5"])
def test_one_number_is_all_that_is_changed(recording, sorter):
    scaled = recording_of_mode(recording, sorter, OFF, seed=1).get_traces()
    ratio = scaled / recording.get_traces()
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)


@pytest.mark.parametrize("sorter", ["kilosort4", "mountainsort5"])
def test_the_unit_of_the_recording_does_not_matter(recording, sorter):
    one = recording_of_mode(recording, sorter, OFF, seed=1).get_traces()
    other = recording_of_mode(scale(recording, gain=3.0), sorter, OFF, seed=1).get_traces()
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_whitened_recording_stays_as_it_is(recording):
    white = whiten(recording, seed=1, dtype="float32")
    scaled = recording_of_mode(white, "kilosort4", OFF, seed=1)
    np.testing.assert_allclose(scaled.get_traces(), white.get_traces(), rtol=0.03, atol=1e-3)


def test_other_sorters_are_given_the_recording_itself(recording):
    for sorter in NO_PREPROCESSING.keys() - {"kilosort4", "mountainsort5"}:
        assert recording_of_mode(recording, sorter, OFF, seed=1) is recording


def test_a_silent_recording_is_not_divided_by_nothing():
    silence = recording_of(np.zeros((30_000, 4), np.float32), frequency=30_000.0)
    assert recording_of_mode(silence, "kilosort4", OFF, seed=1) is silence


@pytest.mark.parametrize(
    ("sorter", "mode", "words"),
    [
        ("kilosort2_5", OFF, ["kilosort2_5", "has no mode", "kilosort4"]),
        ("kilosort4", "whitened", ["whitened", *MODES]),
    ],
)
def test_a_mode_that_a_sorter_does_not_have_is_refused(sorter, mode, words):
    with pytest.raises(ValueError) as refused:
        parameters_of_mode(sorter, mode)
    assert all(word in str(refused.value) for word in words)
