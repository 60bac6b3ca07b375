import pickle
from dataclasses import replace

import numpy as np
import pytest
import spikeinterface as si
from probeinterface.generator import generate_linear_probe
from spikeinterface.preprocessing import apply_preprocessing_pipeline, bandpass_filter, scale_to_uV

from ephys_deepinterpolation.denoisers import interpolate_linearly
from ephys_deepinterpolation.geometry import GeometryError
from ephys_deepinterpolation.model import ModelError
from ephys_deepinterpolation.network import NetworkParameters, build_network, set_weights
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.windows import Context
from fixtures import (
    CHANNELS,
    FREQUENCY,
    SILENT_CHANNEL,
    noise_recording,
    recording_of,
    untrained_model,
)

LIVE = np.arange(CHANNELS) != SILENT_CHANNEL


@pytest.fixture(scope="module")
def denoised(recording, model):
    return deepinterpolate(recording, model)


@pytest.fixture(scope="module")
def whole(denoised):
    """All traces of each segment, read at once."""
    return [denoised.get_traces(segment) for segment in (0, 1)]


def microvolts(recording, segment=0, **options):
    traces = recording.get_traces(segment, **options).astype(float)
    gains, offsets = recording.get_channel_gains(), recording.get_channel_offsets()
    return traces * gains + offsets


def random_stretches(frames, count=12):
    random = np.random.default_rng(0)
    stretches = np.sort(random.integers(0, frames + 1, size=(count, 2)), axis=1).tolist()
    edges = [(0, 1), (0, 5), (frames - 1, frames), (frames - 300, frames), (255, 257), (256, 512)]
    return stretches + edges


@pytest.mark.parametrize("segment", [0, 1])
def test_a_frame_is_the_same_bit_for_bit_in_whatever_chunk_it_is_read(denoised, whole, segment):
    for start, end in random_stretches(denoised.get_num_samples(segment)):
        np.testing.assert_array_equal(
            denoised.get_traces(segment, start, end), whole[segment][start:end]
        )


def test_chunks_agree_bit_for_bit_also_where_sums_are_long_enough_to_be_split():
    """With few features, as above, a matrix product does not depend on how many rows it has."""
    calm = noise_recording(1500, seed=0, channels=48)
    model = untrained_model(calm, Context(frames=30, omission=1), NetworkParameters())
    denoised = deepinterpolate(calm, model)
    whole = denoised.get_traces()
    for start, end in [*random_stretches(1500), (7, 8), (700, 703), (100, 1400)]:
        np.testing.assert_array_equal(denoised.get_traces(0, start, end), whole[start:end])


@pytest.mark.parametrize(
    "channels",
    [[3], [0, 7, 9], [9, 0, 7], slice(4, 12), slice(None, None, 5), slice(None)],
    ids=str,
)
def test_a_channel_is_the_same_bit_for_bit_with_whatever_channels_it_is_read(
    denoised, whole, channels
):
    ids = denoised.channel_ids[channels]
    np.testing.assert_array_equal(
        denoised.get_traces(0, 1000, 1700, channel_ids=ids), whole[0][1000:1700][:, channels]
    )
    segment = denoised.segments[0]
    np.testing.assert_array_equal(
        segment.get_traces(1000, 1700, channels), whole[0][1000:1700][:, channels]
    )


def test_selected_channels_keep_what_the_others_tell_of_them(denoised, whole):
    selected = denoised.select_channels(denoised.channel_ids[[2, 11]])
    np.testing.assert_array_equal(selected.get_traces(1), whole[1][:, [2, 11]])


def test_an_empty_stretch_has_no_frames(denoised):
    assert denoised.get_traces(0, 500, 500).shape == (0, CHANNELS)
    assert denoised.get_traces(0, 500, 500, channel_ids=denoised.channel_ids[:3]).shape == (0, 3)


def test_two_recordings_of_one_model_agree_bit_for_bit(recording, model, whole):
    again = deepinterpolate(recording, model.path)
    np.testing.assert_array_equal(again.get_traces(1, 3000, 5000), whole[1][3000:5000])


def test_segments_do_not_see_each_other(recording, model, whole):
    alone = deepinterpolate(recording.select_segments([1]), model)
    np.testing.assert_array_equal(alone.get_traces(), whole[1])


@pytest.mark.parametrize("start", [256, 300, 1])
def test_inner_frames_of_a_slice_are_those_of_the_whole(recording, model, whole, start):
    margin = model.context.margin
    sliced = recording.select_segments([0]).frame_slice(start, start + 2000)
    traces = deepinterpolate(sliced, model).get_traces()
    np.testing.assert_allclose(
        traces[margin:-margin], whole[0][start + margin : start + 2000 - margin], atol=1e-3
    )


def predict_by_hand(traces, model, target):
    """The definition, for one frame of a probe of two columns wired in order."""
    context, normalization = model.context, model.normalization
    normalized = (traces - normalization.location) / normalization.scale
    normalized[:, normalization.silent] = 0
    frames = []
    for offset in context.offsets:
        frame = target + offset if 0 <= target + offset < len(traces) else target - offset
        inside = 0 <= frame < len(traces)
        frames.append(normalized[frame] if inside else np.zeros(traces.shape[1]))
    features = np.stack(frames).reshape(len(frames), -1, 2)
    features = features.transpose(1, 0, 2).reshape(1, features.shape[1], -1)
    network = build_network(NetworkParameters(**model.network), 2, 2 * context.frames, seed=0)
    set_weights(network, model.weights)
    prediction = np.asarray(network(features.astype(np.float32))).reshape(-1)
    predicted = prediction * normalization.scale + normalization.location
    return np.where(normalization.silent, traces[target], predicted)


@pytest.mark.parametrize("target", [0, 1, 4, 5, 700, 7994, 7995, 7998, 7999])
def test_every_frame_is_what_the_definition_gives(recording, model, denoised, target):
    expected = predict_by_hand(microvolts(recording, 1), model, target)
    found = microvolts(denoised, 1, start_frame=target, end_frame=target + 1)[0]
    np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize("frames", [1, 2, 5, 12])
def test_a_recording_shorter_than_a_context_is_denoised_all_the_same(frames):
    short = noise_recording(frames, seed=0)
    model = untrained_model(short, Context(frames=4, omission=1))
    traces = deepinterpolate(short, model).get_traces()
    expected = [predict_by_hand(microvolts(short), model, target) for target in range(frames)]
    np.testing.assert_allclose(traces, expected, atol=1e-2)


@pytest.mark.parametrize("frame", [0, 1, 2, 300, 597, 599])
@pytest.mark.parametrize("omission", [0, 1, 3])
def test_no_frame_is_predicted_from_itself_or_from_an_omitted_one(frame, omission):
    context = Context(frames=3, omission=omission)
    calm = noise_recording(600, seed=0)
    model = untrained_model(calm, context)
    traces = calm.get_traces().copy()
    traces[frame] += 1000
    change = deepinterpolate(recording_of(traces), model).get_traces()
    change = change - deepinterpolate(calm, model).get_traces()
    moved = set(np.flatnonzero(np.abs(change).max(axis=1) > 0.1))
    expected = {frame + offset for offset in context.offsets} & set(range(600))
    assert moved == expected


def test_metadata_of_the_recording_is_kept(recording, model):
    recording = recording.select_segments([0, 1])
    recording.set_property("brain_area", np.array(["CA1"] * 8 + ["DG"] * 8))
    times = [np.arange(recording.get_num_samples(segment)) / FREQUENCY + 5 for segment in (0, 1)]
    recording.set_times(times[1], segment_index=1)
    denoised = deepinterpolate(recording, model)
    assert denoised.get_probe() == recording.get_probe()
    np.testing.assert_array_equal(denoised.channel_ids, recording.channel_ids)
    np.testing.assert_array_equal(denoised.get_channel_gains(), recording.get_channel_gains())
    np.testing.assert_array_equal(denoised.get_channel_offsets(), recording.get_channel_offsets())
    np.testing.assert_array_equal(
        denoised.get_property("brain_area"), recording.get_property("brain_area")
    )
    for segment in (0, 1):
        np.testing.assert_array_equal(denoised.get_times(segment), recording.get_times(segment))
    assert denoised.get_sampling_frequency() == recording.get_sampling_frequency()
    assert denoised.get_dtype() == np.float32
    assert denoised.get_traces(0, 0, 10).dtype == np.float32


def test_integers_and_microvolts_give_the_same_microvolts(recording, model, denoised):
    from_microvolts = deepinterpolate(scale_to_uV(recording), model)
    np.testing.assert_allclose(
        from_microvolts.get_traces(0), denoised.get_traces(0, return_in_uV=True), atol=0.01
    )


def test_a_recording_without_gains_is_taken_to_be_in_microvolts(recording, model, whole):
    bare = si.NumpyRecording([microvolts(recording, 1).astype(np.float32)], FREQUENCY)
    bare = bare.rename_channels(recording.channel_ids)
    bare.set_probe(recording.get_probe())
    assert not bare.has_scaleable_traces()
    in_microvolts = whole[1] * recording.get_channel_gains() + recording.get_channel_offsets()
    np.testing.assert_allclose(deepinterpolate(bare, model).get_traces(), in_microvolts, atol=0.01)


def test_a_silent_channel_passes_through(recording, denoised, whole):
    np.testing.assert_allclose(
        whole[0][:, SILENT_CHANNEL], recording.get_traces(0)[:, SILENT_CHANNEL], atol=1e-4
    )
    spoken = recording.get_traces(0).copy()
    spoken[:, SILENT_CHANNEL] = np.arange(len(spoken)) % 1000
    other = recording_of([spoken, recording.get_traces(1)], probe=recording.get_probe())
    other.set_channel_gains(recording.get_channel_gains())
    other.set_channel_offsets(recording.get_channel_offsets())
    traces = deepinterpolate(other, denoised._kwargs["model"]).get_traces(0)
    np.testing.assert_allclose(traces[:, SILENT_CHANNEL], spoken[:, SILENT_CHANNEL], atol=1e-3)
    np.testing.assert_array_equal(traces[:, LIVE], whole[0][:, LIVE])


def test_denoising_brings_traces_nearer_to_the_predictable_part(recording, denoised):
    before, after = microvolts(recording, 0)[:, LIVE], microvolts(denoised, 0)[:, LIVE]
    assert 0.3 * before.std() < after.std() < 0.95 * before.std()
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.7


def test_a_model_linear_in_its_context_filters_as_the_kernel_does():
    calm = noise_recording(500, seed=0)
    model = untrained_model(calm)
    weights = model.weights | {
        name: np.zeros_like(values)
        for name, values in model.weights.items()
        if name.startswith("correction")
    }
    model = replace(model, weights=weights)
    normalized = model.normalization.apply(calm.get_traces())
    inner = np.arange(10, 490)
    features = np.stack([normalized[inner + offset] for offset in model.context.offsets], axis=1)
    features = features.reshape(len(inner), -1, CHANNELS // 2, 2).transpose(0, 2, 1, 3)
    expected = interpolate_linearly(
        weights["linear/kernel"], features.reshape(len(inner), CHANNELS // 2, -1)
    )
    np.testing.assert_allclose(
        deepinterpolate(calm, model).get_traces()[inner],
        model.normalization.invert(expected.reshape(len(inner), CHANNELS)),
        atol=1e-3,
    )


def test_a_recording_written_as_json_gives_the_same_traces(denoised, whole, tmp_path):
    denoised.dump_to_json(tmp_path / "denoised.json")
    assert "model.safetensors" in (tmp_path / "denoised.json").read_text()
    loaded = si.load(tmp_path / "denoised.json")
    np.testing.assert_array_equal(loaded.get_traces(1), whole[1])
    np.testing.assert_array_equal(loaded.get_channel_gains(), denoised.get_channel_gains())


def test_a_pickled_recording_gives_the_same_traces(denoised, whole):
    denoised.get_traces(0, 0, 10)
    loaded = pickle.loads(pickle.dumps(denoised))
    np.testing.assert_array_equal(loaded.get_traces(1), whole[1])


def test_a_model_never_saved_can_be_pickled_but_not_written_as_json(recording, trained, whole):
    denoised = deepinterpolate(recording, trained.model)
    assert not denoised.check_serializability("json")
    loaded = pickle.loads(pickle.dumps(denoised))
    np.testing.assert_array_equal(loaded.get_traces(1), whole[1])


def test_a_saved_recording_holds_the_same_traces(denoised, whole, tmp_path):
    saved = denoised.save(folder=tmp_path / "saved", progress_bar=False, n_jobs=1, chunk_size=777)
    for segment in (0, 1):
        np.testing.assert_array_equal(saved.get_traces(segment), whole[segment])


def test_processes_in_parallel_save_the_same_traces(denoised, whole, tmp_path):
    saved = denoised.save(folder=tmp_path / "saved", progress_bar=False, n_jobs=2, chunk_size=3000)
    for segment in (0, 1):
        np.testing.assert_array_equal(saved.get_traces(segment), whole[segment])


def test_whatever_follows_is_started_in_fresh_processes_too(denoised):
    following = bandpass_filter(denoised, freq_min=300, freq_max=3000)
    assert following.get_preferred_mp_context() == "spawn"


def test_it_is_a_step_of_spikeinterfaces_pipelines(recording, model, denoised):
    pipeline = [
        {"name": "deepinterpolate", "params": {"model": str(model.path)}},
        {"name": "bandpass_filter", "params": {"freq_min": 300.0, "freq_max": 3000.0}},
    ]
    np.testing.assert_array_equal(
        apply_preprocessing_pipeline(recording, pipeline).get_traces(0, 2000, 3000),
        bandpass_filter(denoised, freq_min=300.0, freq_max=3000.0).get_traces(0, 2000, 3000),
    )


def test_a_pipeline_of_it_can_be_written_as_json(recording, model, tmp_path):
    pipeline = [
        {"name": "deepinterpolate", "params": {"model": str(model.path)}},
        {"name": "common_reference"},
    ]
    processed = apply_preprocessing_pipeline(recording, pipeline)
    processed.dump_to_json(tmp_path / "processed.json")
    np.testing.assert_array_equal(
        si.load(tmp_path / "processed.json").get_traces(0, 0, 500), processed.get_traces(0, 0, 500)
    )


def test_another_sampling_rate_is_refused_and_both_are_named(recording, model):
    faster = recording_of([recording.get_traces(0)], frequency=30_000.0)
    with pytest.raises(ModelError, match=r"10000 Hz.*30000 Hz"):
        deepinterpolate(faster, model)


def test_the_rate_a_clock_drifted_to_is_accepted(recording, model):
    drifted = recording_of([recording.get_traces(0)], frequency=10_000.7)
    drifted = drifted.rename_channels(recording.channel_ids)
    assert deepinterpolate(drifted, model).get_traces(0, 0, 10).shape == (10, CHANNELS)


def test_other_channels_are_refused(recording, model):
    renamed = recording.rename_channels([f"AP{index}" for index in range(CHANNELS)])
    with pytest.raises(ModelError, match="channels must be the same"):
        deepinterpolate(renamed, model)


def test_fewer_channels_are_refused_and_counted(recording, model):
    with pytest.raises(ModelError, match=r"16 channels .* the recording has 14"):
        deepinterpolate(recording.select_channels(recording.channel_ids[2:]), model)


def test_another_order_of_channels_is_refused(recording, model):
    with pytest.raises(ModelError, match="same order"):
        deepinterpolate(recording.select_channels(recording.channel_ids[::-1]), model)


def test_a_probe_of_other_columns_is_refused(recording, model):
    probe = generate_linear_probe(CHANNELS)
    probe.set_device_channel_indices(np.arange(CHANNELS))
    linear = recording_of([recording.get_traces(0)], probe=probe)
    linear = linear.rename_channels(recording.channel_ids)
    with pytest.raises(ModelError, match="2 columns and this one has 1"):
        deepinterpolate(linear, model)


def test_a_recording_without_probe_is_refused(model):
    with pytest.raises(GeometryError, match="no probe"):
        deepinterpolate(si.NumpyRecording(np.zeros((100, CHANNELS)), FREQUENCY), model)


def test_a_model_file_that_is_missing_is_named(recording, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        deepinterpolate(recording, tmp_path / "absent.safetensors")
