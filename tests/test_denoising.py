"""Denoising on an accelerator, which the tests make of the CPU."""

import pickle

import numpy as np
import pytest
import spikeinterface as si

from ephys_deepinterpolation import contexts
from ephys_deepinterpolation.denoising import BLOCK_FRAMES
from ephys_deepinterpolation.network import UNetParameters
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.transients import LARGEST_SHARE
from ephys_deepinterpolation.windows import Context
from fixtures import (
    CHANNELS,
    correlated_noise,
    integer_recording,
    neuropixels,
    noise_recording,
    recording_of,
    untrained_model,
)

UNET = UNetParameters(width=4, depth=2)


@pytest.fixture
def accelerated(monkeypatch):
    """Take the CPU for an accelerator from here on; what was started before goes on as it was."""
    return lambda: monkeypatch.setattr(contexts, "on_accelerator", lambda: True)


def on_both(recording, model, accelerated, **options):
    """The whole recording, denoised on the host and on the accelerator."""
    segments = range(recording.get_num_segments())
    host = deepinterpolate(recording, model, **options)
    expected = [host.get_traces(segment) for segment in segments]
    accelerated()
    device = deepinterpolate(recording, model, **options)
    return expected, [device.get_traces(segment) for segment in segments], device


def assert_equal_but_for_rounding(found, expected, scale=1.0):
    """To some units in the last place of float32."""
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4 * scale)


@pytest.mark.parametrize("network", [None, UNET], ids=["compact", "unet"])
def test_traces_are_those_of_the_host_at_edges_and_silent_channels_too(network, accelerated):
    """In segments of several blocks, of exactly one, of less, and of less than a context."""
    recording = integer_recording([2 * BLOCK_FRAMES + 700, BLOCK_FRAMES, 30, 3], seed=1)
    model = untrained_model(recording, **({} if network is None else {"network": network}))
    normalization = model.normalization
    normalization.silent[[2, 9]] = True
    expected, found, _ = on_both(recording, model, accelerated)
    assert_equal_but_for_rounding(found, expected, scale=10)
    for segment, traces in enumerate(found):
        np.testing.assert_array_equal(
            traces[:, [2, 9]], recording.get_traces(segment)[:, [2, 9]].astype(np.float32)
        )


@pytest.mark.parametrize("context", [Context(2, 0), Context(3, 2), Context(5, 4)], ids=str)
def test_no_context_is_too_wide_for_a_segment(context, accelerated):
    recording = noise_recording([1, 4, 9, 50], seed=0)
    expected, found, _ = on_both(recording, untrained_model(recording, context), accelerated)
    assert_equal_but_for_rounding(found, expected)


def test_a_frame_is_the_same_bit_for_bit_however_it_is_asked_for(accelerated, tmp_path):
    frames = 2 * BLOCK_FRAMES + 700
    recording = noise_recording(frames, seed=0)
    accelerated()
    denoised = deepinterpolate(recording, untrained_model(recording))
    whole = denoised.get_traces()
    random = np.random.default_rng(0)
    stretches = np.sort(random.integers(0, frames + 1, size=(6, 2)), axis=1).tolist()
    edges = [(0, 1), (frames - 1, frames), (BLOCK_FRAMES - 1, BLOCK_FRAMES + 1), (5, 5)]
    for start, end in stretches + edges:
        np.testing.assert_array_equal(denoised.get_traces(0, start, end), whole[start:end])
    ids = denoised.channel_ids[[9, 0, 7]]
    np.testing.assert_array_equal(
        denoised.get_traces(0, 4000, 4500, channel_ids=ids), whole[4000:4500, [9, 0, 7]]
    )
    again = pickle.loads(pickle.dumps(denoised))
    np.testing.assert_array_equal(again.get_traces(0, 50, 90), whole[50:90])
    saved = denoised.save(folder=tmp_path / "saved", progress_bar=False, n_jobs=1, chunk_size=1777)
    np.testing.assert_array_equal(saved.get_traces(), whole)


def test_shanks_are_laid_out_as_on_the_host(accelerated):
    probe = neuropixels(32)
    one_shank = probe.contact_positions[:16]
    # A hole, and channels that jump from shank to shank.
    probe.set_contacts(
        np.concatenate([one_shank, one_shank + np.array([250, 0])]),
        shank_ids=np.repeat(["0", "1"], 16),
    )
    probe.set_device_channel_indices(np.random.default_rng(0).permutation(32))
    recording = recording_of(correlated_noise(6000, seed=1, channels=32), probe=probe)
    recording = recording.select_channels(recording.channel_ids[:-3])
    model = untrained_model(noise_recording(600, seed=0))
    expected, found, _ = on_both(recording, model, accelerated)
    assert_equal_but_for_rounding(found, expected)


@pytest.mark.parametrize("layout", ["file-order", "interleaved"])
def test_layouts_of_the_deepinterpolation_package_are_those_of_the_host(layout, accelerated):
    recording = integer_recording([5000], seed=0)
    model = untrained_model(recording, network=UNET).replace(layout=layout, row_pitch_um=0.0)
    expected, found, _ = on_both(recording, model, accelerated)
    assert_equal_but_for_rounding(found, expected, scale=10)


@pytest.mark.parametrize("value", [5000.0, np.inf, np.nan])
def test_a_transient_stays_where_it_is_as_on_the_host(value, accelerated):
    recording = noise_recording(5000, seed=0)
    model = untrained_model(recording)
    model.normalization.silent[3] = True
    traces = recording.get_traces().copy()
    # Saturated throughout; on one channel too few, and on one more; broken on a silent channel.
    most = int(LARGEST_SHARE * (CHANNELS - 1))
    live = np.delete(np.arange(CHANNELS), 3)
    traces[[0, 300, 301, BLOCK_FRAMES, 4999]] = value
    traces[1000, live[:most]] = 5000.0
    traces[2000, live[: most + 1]] = 5000.0
    traces[3000, 3] = value
    expected, found, _ = on_both(recording_of(traces), model, accelerated)
    assert_equal_but_for_rounding(found, expected)
    passed = [0, 300, 301, 2000, BLOCK_FRAMES, 4999]
    np.testing.assert_array_equal(found[0][passed], traces[passed])


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "float32", "float64"])
def test_traces_of_any_type_are_taken_and_given(dtype, accelerated):
    shift = 100.0 if dtype == "uint16" else 0.0
    traces = (correlated_noise(3000, seed=0) + shift).astype(dtype)
    recording = si.NumpyRecording([traces], 10_000.0)
    recording.set_probe(neuropixels())
    recording.set_channel_gains(0.9)
    recording.set_channel_offsets(-0.9 * shift)
    model = untrained_model(recording)
    expected, found, device = on_both(recording, model, accelerated)
    assert_equal_but_for_rounding(found, expected, scale=10)
    same_type = deepinterpolate(recording, model, dtype=None).get_traces()
    assert same_type.dtype == np.dtype(dtype)
    assert np.abs(same_type - device.get_traces().astype(float)).max() <= 0.5 + 1e-3


def test_bfloat16_errs_by_about_a_hundredth(accelerated):
    recording = noise_recording(5000, seed=0)
    model = untrained_model(recording)
    [exact], [found], _ = on_both(recording, model, accelerated)
    rounded = deepinterpolate(recording, model, precision="bfloat16").get_traces()
    error = np.std(rounded - exact) / exact.std()
    assert np.std(found - exact) / exact.std() < 1e-5 < error < 0.02
