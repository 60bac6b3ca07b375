import json
import pickle
import warnings
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
from ephys_deepinterpolation.normalization import Normalization
from ephys_deepinterpolation.recording import deepinterpolate, normalization_for
from ephys_deepinterpolation.windows import Context
from fixtures import (
    CHANNELS,
    FREQUENCY,
    SILENT_CHANNEL,
    correlated_noise,
    neuropixels,
    noise_recording,
    recording_of,
    train,
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
    # On more channels it would be taken for a transient, which nothing is predicted from.
    traces[frame, 6:10] += 1000
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
    denoised = deepinterpolate(recording, trained)
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


def drawn_out(recording, factor):
    """The same traces on a probe stretched along its length."""
    probe = neuropixels(recording.get_num_channels())
    probe.set_contacts(probe.contact_positions * [1, factor], shank_ids=probe.shank_ids)
    probe.set_device_channel_indices(np.arange(recording.get_num_channels()))
    stretched = recording_of(recording.get_traces(0), probe=probe)
    return stretched.rename_channels(recording.channel_ids)


@pytest.mark.parametrize(
    ("rate", "pitch", "sentence"),
    [
        (12_500.0, 1.0, "trained at a sampling rate of 10000 Hz and the recording has 12500 Hz"),
        (7_000.0, 1.0, "trained at a sampling rate of 10000 Hz and the recording has 7000 Hz"),
        (10_000.0, 1.2, "distance between rows of 15 µm and the recording has 18 µm"),
    ],
)
def test_a_rate_or_pitch_a_little_off_is_warned_of_and_both_are_named(rate, pitch, sentence):
    calm = noise_recording(300, seed=0)
    off = drawn_out(noise_recording(300, seed=0, frequency=rate), pitch)
    off = recording_of(off.get_traces(), probe=off.get_probe(), frequency=rate)
    with pytest.warns(UserWarning, match=sentence):
        denoised = deepinterpolate(off, untrained_model(calm))
    assert denoised.get_traces().shape == (300, CHANNELS)


@pytest.mark.parametrize("rate", [13_600.0, 6_400.0])
def test_a_rate_more_than_a_third_off_is_refused(rate):
    calm = noise_recording(300, seed=0)
    with pytest.raises(ModelError, match=f"10000 Hz.*{rate:g} Hz.*train another model"):
        deepinterpolate(noise_recording(300, seed=0, frequency=rate), untrained_model(calm))


@pytest.mark.parametrize("factor", [0.6, 1.4, 2.0])
def test_a_pitch_more_than_a_third_off_is_refused(factor):
    calm = noise_recording(300, seed=0)
    with pytest.raises(ModelError, match=r"rows of 15 µm.*train another model"):
        deepinterpolate(drawn_out(calm, factor), untrained_model(calm))


def test_a_recording_that_fits_is_not_warned_of(recording, model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.warns(UserWarning, match=f"not finite: {SILENT_CHANNEL}$"):
            deepinterpolate(recording, model)


def louder(recording):
    """The same recording three times as loud, on other channels."""
    renamed = recording_of(3 * recording.get_traces())
    return renamed.rename_channels([f"AP{index}" for index in range(len(renamed.channel_ids))])


def test_other_channels_get_a_normalization_of_their_own():
    """Whatever the loudness: the model sees the same numbers, and gives the same, louder."""
    calm = noise_recording(3000, seed=0)
    model = untrained_model(calm)
    plain = deepinterpolate(calm.rename_channels([f"AP{i}" for i in range(CHANNELS)]), model)
    loud = deepinterpolate(louder(calm), model)
    np.testing.assert_allclose(loud.get_traces(), 3 * plain.get_traces(), rtol=1e-3, atol=1e-2)
    assert not np.allclose(plain.get_traces(), deepinterpolate(calm, model).get_traces(), atol=1)
    scale = normalization_for(louder(calm), model).scale
    np.testing.assert_allclose(scale, 3 * calm.get_traces().std(axis=0), rtol=0.1)


def test_the_models_normalization_is_used_where_channels_and_contacts_are_the_same():
    calm = noise_recording(3000, seed=0)
    model = untrained_model(calm)
    assert normalization_for(calm, model) is model.normalization
    assert normalization_for(noise_recording(3000, seed=1), model) is model.normalization
    for other in (
        louder(calm),
        drawn_out(calm, 1.1),
        calm.select_channels(calm.channel_ids[:-2]),
        calm.select_channels(calm.channel_ids[::-1]),
    ):
        assert normalization_for(other, model) is not model.normalization


def model_as_loud_as(recording):
    """An untrained model with the normalization that training would estimate."""
    model = untrained_model(recording)
    estimated = normalization_for(louder(recording), model)
    return model.replace(normalization=replace(estimated, scale=estimated.scale / 3))


@pytest.mark.parametrize(("factor", "kept"), [(1.3, True), (0.8, True), (2.0, False), (0.4, False)])
def test_a_recording_of_the_models_channels_keeps_its_normalization_while_as_loud(factor, kept):
    calm = noise_recording(3000, seed=0)
    model = model_as_loud_as(calm)
    scale = model.normalization.scale
    other = recording_of(factor * noise_recording(3000, seed=1).get_traces())
    chosen = normalization_for(other, model)
    assert (chosen is model.normalization) == kept
    np.testing.assert_allclose(chosen.scale, scale if kept else factor * scale, rtol=0.25)


def test_a_model_of_several_recordings_keeps_the_normalization_of_none_of_them_for_others():
    """Each of them was normalized by itself, and so is what the model is applied to."""
    several = [noise_recording(3000, seed=0), recording_of(1.3 * correlated_noise(3000, 1))]
    model = train(several)
    assert model.of_several_recordings and not train(several[:1]).of_several_recordings
    assert normalization_for(several[1], model) is model.normalization
    other = noise_recording(3000, seed=2)
    scale = normalization_for(other, model).scale
    np.testing.assert_allclose(scale, other.get_traces().std(axis=0), rtol=0.1)


def test_some_channels_gone_quiet_or_loud_do_not_change_the_normalization_of_all():
    calm = noise_recording(3000, seed=0)
    model = model_as_loud_as(calm)
    traces = calm.get_traces() * np.where(np.arange(CHANNELS) < 6, 5, 1)
    assert normalization_for(recording_of(traces), model) is model.normalization
    traces[:, 7] = 0
    chosen = normalization_for(recording_of(traces), model)
    assert chosen.scale is model.normalization.scale
    np.testing.assert_array_equal(np.flatnonzero(chosen.silent), [7])


def test_a_recording_a_model_was_trained_on_keeps_the_models_normalization(recording, model):
    """Whatever its chunks tell."""
    doubled = replace(model.normalization, scale=3 * model.normalization.scale)
    assert normalization_for(recording, model.replace(normalization=doubled)) is doubled


def test_a_recording_that_does_not_tell_how_loud_it_is_gets_the_models_normalization():
    calm = noise_recording(3000, seed=0)
    model = untrained_model(calm)
    spikes = np.zeros_like(calm.get_traces())
    spikes[::300, 4] = -80
    assert normalization_for(recording_of(spikes), model) is model.normalization


def test_a_normalization_estimated_is_always_the_same_and_travels_with_the_recording(tmp_path):
    calm = noise_recording(30_000, seed=0)
    model = untrained_model(calm).save(tmp_path / "model.safetensors")
    louder(calm).save(folder=tmp_path / "louder", progress_bar=False)
    loud = si.load(tmp_path / "louder")
    denoised, again = deepinterpolate(loud, model), deepinterpolate(loud, model)
    expected = denoised.get_traces(0, 0, 500)
    np.testing.assert_array_equal(again.get_traces(0, 0, 500), expected)
    denoised.dump_to_json(tmp_path / "denoised.json")
    written = json.loads((tmp_path / "denoised.json").read_text())
    assert written["kwargs"]["normalization"] == normalization_for(loud, model).to_dict()
    for copy in (si.load(tmp_path / "denoised.json"), pickle.loads(pickle.dumps(denoised))):
        np.testing.assert_array_equal(copy.get_traces(0, 0, 500), expected)
    # Also where the excerpt at hand would tell another.
    part = denoised.frame_slice(1000, 2000)
    np.testing.assert_array_equal(part.get_traces(), denoised.get_traces(0, 1000, 2000))


def test_a_normalization_can_be_given():
    calm = noise_recording(600, seed=0)
    model = untrained_model(calm)
    given = Normalization(
        location=np.zeros(CHANNELS, np.float32),
        scale=np.full(CHANNELS, 12.0, np.float32),
        silent=np.arange(CHANNELS) == 3,
    )
    expected = deepinterpolate(calm, model.replace(normalization=given)).get_traces()
    for normalization in (given, given.to_dict(), json.loads(json.dumps(given.to_dict()))):
        denoised = deepinterpolate(calm, model, normalization=normalization)
        np.testing.assert_array_equal(denoised.get_traces(), expected)
    np.testing.assert_allclose(expected[:, 3], calm.get_traces()[:, 3], atol=1e-4)


def test_fewer_channels_leave_holes_and_are_denoised(recording, model):
    fewer = recording.select_channels(recording.channel_ids[2:])
    assert deepinterpolate(fewer, model).get_traces(0, 0, 100).shape == (100, CHANNELS - 2)


def test_the_order_of_channels_does_not_matter():
    """They are laid out by their contacts."""
    calm = noise_recording(3000, seed=0)
    normalization = untrained_model(calm).normalization
    turned = calm.select_channels(calm.channel_ids[::-1])
    reverse = Normalization(*(values[::-1] for values in vars(normalization).values()))
    model = untrained_model(calm)
    np.testing.assert_allclose(
        deepinterpolate(turned, model, normalization=reverse).get_traces(),
        deepinterpolate(calm, model).get_traces()[:, ::-1],
        atol=1e-3,
    )


@pytest.mark.parametrize("channels", [2, 48, 96])
def test_one_network_applies_to_any_number_of_rows(channels):
    """Away from the probe's ends a row is predicted as if the rest of the probe were not there."""
    model = untrained_model(noise_recording(600, seed=0))
    traces = correlated_noise(600, seed=1, channels=channels)
    denoised = deepinterpolate(recording_of(traces), model).get_traces()
    assert denoised.shape == (600, channels)
    assert np.isfinite(denoised).all()
    if channels == 96:
        flat = Normalization(
            np.zeros(96, np.float32), np.full(96, 10.0, np.float32), np.zeros(96, dtype=bool)
        )
        half = Normalization(*(values[:48] for values in vars(flat).values()))
        whole = deepinterpolate(recording_of(traces), model, normalization=flat).get_traces()
        part = recording_of(np.ascontiguousarray(traces[:, :48]))
        part = deepinterpolate(part, model, normalization=half).get_traces()
        np.testing.assert_allclose(part[:, :40], whole[:, :40], atol=1e-3)


def test_shanks_are_denoised_each_as_if_it_were_alone():
    model = untrained_model(noise_recording(600, seed=0))
    traces = correlated_noise(2000, seed=1, channels=32)
    probe = neuropixels(32)
    one_shank = probe.contact_positions[:16]
    positions = np.concatenate([one_shank, one_shank + np.array([250, 0])])
    probe.set_contacts(positions, shank_ids=np.repeat(["0", "1"], 16))
    probe.set_device_channel_indices(np.arange(32))
    recording = recording_of(traces, probe=probe)
    normalization = normalization_for(recording, model)
    denoised = deepinterpolate(recording, model, normalization=normalization).get_traces()
    for shank in (slice(0, 16), slice(16, 32)):
        alone = recording_of(np.ascontiguousarray(traces[:, shank]))
        own = Normalization(*(values[shank] for values in vars(normalization).values()))
        np.testing.assert_allclose(
            deepinterpolate(alone, model, normalization=own).get_traces(),
            denoised[:, shank],
            atol=1e-3,
        )


def test_integers_are_the_floats_rounded(recording, model, whole):
    for dtype in ("int16", None, np.int16):
        rounded = deepinterpolate(recording, model, dtype=dtype)
        assert rounded.get_dtype() == np.int16
        traces = rounded.get_traces(0, 500, 3500)
        assert traces.dtype == np.int16
        assert np.abs(traces - whole[0][500:3500]).max() <= 0.5 + 1e-3
        assert rounded.count_saturated() == 0


def test_no_dtype_keeps_the_recordings(recording, model):
    assert deepinterpolate(recording, model, dtype=None).get_dtype() == recording.get_dtype()
    assert deepinterpolate(scale_to_uV(recording), model, dtype=None).get_dtype() == np.float32


def test_what_passes_through_comes_back_to_the_last_bit_as_integers(recording, model):
    traces = recording.get_traces(0).copy()
    traces[1000:1010] = 32_767
    spoilt = recording_of([traces], probe=recording.get_probe())
    spoilt.set_channel_gains(recording.get_channel_gains())
    spoilt.set_channel_offsets(recording.get_channel_offsets())
    denoised = deepinterpolate(spoilt, model, dtype=None).get_traces()
    np.testing.assert_array_equal(denoised[1000:1010], traces[1000:1010])
    np.testing.assert_array_equal(denoised[:, SILENT_CHANNEL], traces[:, SILENT_CHANNEL])


def test_integers_out_of_range_are_clipped_and_counted():
    calm = noise_recording(1000, seed=0)
    model = untrained_model(calm)
    offset = np.where(np.arange(CHANNELS) % 2, 120, -120).astype(np.float32)
    loud = recording_of(calm.get_traces() + offset)
    normalization = Normalization(offset, model.normalization.scale, model.normalization.silent)
    floats = deepinterpolate(loud, model, normalization=normalization)
    clipped = deepinterpolate(loud, model, dtype="int8", normalization=normalization)
    expected = np.clip(np.round(floats.get_traces()), -128, 127)
    np.testing.assert_array_equal(clipped.get_traces(), expected)
    out = (np.round(floats.get_traces()) < -128) | (np.round(floats.get_traces()) > 127)
    assert 0 < out.mean() < 1
    for chunk_frames in (30_000, 999, 300):
        assert clipped.count_saturated(chunk_frames) == np.count_nonzero(out)
    assert floats.count_saturated() == 0


@pytest.mark.parametrize("frames", [[300], [0, 1], [299, 300, 301, 302], [250, 258, 599]], ids=str)
def test_a_transient_stays_where_it_is(frames):
    """Around it the output is that of silence in its place; a context away nothing changes."""
    calm = noise_recording(600, seed=0)
    model = untrained_model(calm)
    spoilt, silenced = calm.get_traces().copy(), calm.get_traces().copy()
    spoilt[frames] += 5000
    silenced[frames] = model.normalization.location
    found = deepinterpolate(recording_of(spoilt), model).get_traces()
    np.testing.assert_allclose(found[frames], spoilt[frames], rtol=1e-5)
    elsewhere = np.delete(np.arange(600), frames)
    in_silence = deepinterpolate(recording_of(silenced), model).get_traces()
    np.testing.assert_allclose(found[elsewhere], in_silence[elsewhere], atol=1e-4)
    untouched = deepinterpolate(calm, model).get_traces()
    distance = np.abs(np.arange(600)[:, None] - frames).min(axis=1)
    far = distance > model.context.margin
    np.testing.assert_array_equal(found[far], untouched[far])


def test_a_transients_size_does_not_matter_to_the_frames_around_it():
    calm = noise_recording(600, seed=0)
    model = untrained_model(calm)
    outputs = []
    for size in (1000.0, 1e6, np.inf, np.nan):
        traces = calm.get_traces().copy()
        traces[300] = size
        outputs.append(deepinterpolate(recording_of(traces), model).get_traces())
        np.testing.assert_allclose(outputs[-1][300], size, rtol=1e-4)
    elsewhere = np.delete(np.arange(600), 300)
    for output in outputs[1:]:
        np.testing.assert_array_equal(output[elsewhere], outputs[0][elsewhere])


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
