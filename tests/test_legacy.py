import json

import h5py
import numpy as np
import pytest
from probeinterface.generator import generate_linear_probe

from ephys_deepinterpolation import layouts
from ephys_deepinterpolation.legacy import load_legacy_model
from ephys_deepinterpolation.model import ModelError, load_model
from ephys_deepinterpolation.recording import DeepInterpolatedRecording, deepinterpolate
from ephys_deepinterpolation.training import fine_tune
from ephys_deepinterpolation.windows import Context
from example_legacy import DEPTH, FRAMES, WIDTH, LegacyFile
from fixtures import noise_recording, recording_of


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    file = LegacyFile(rows=16)
    return file, file.write(tmp_path_factory.mktemp("legacy") / "dense.h5")


@pytest.fixture(scope="module")
def interleaved(tmp_path_factory):
    file = LegacyFile(rows=384, seed=1)
    return file, file.write(tmp_path_factory.mktemp("legacy") / "interleaved.h5")


def frames_around(normalized, target, omission=1):
    offsets = np.r_[-30 - omission : -omission, omission + 1 : omission + 31]
    return normalized[target + offsets]


def test_a_file_gives_a_model_of_our_names(dense):
    file, path = dense
    model = load_model(path)
    assert model.network == {"family": "unet", "width": WIDTH, "depth": DEPTH}
    assert model.context == Context(frames=30, omission=1)
    assert (model.columns, model.layout, model.sampling_frequency) == (2, "file-order", 30_000.0)
    assert model.path == path
    names = [*(f"encoder_{step}" for step in range(5)), "decoder_3", "decoder_2", "decoder_1"]
    theirs = zip([*names, "decoder_0", "target"], file.weights.values(), strict=True)
    assert len(model.weights) == 20
    for name, (kernel, bias) in theirs:
        np.testing.assert_array_equal(model.weights[f"{name}/kernel"], kernel)
        np.testing.assert_array_equal(model.weights[f"{name}/bias"], bias)


def test_what_the_file_does_not_hold_is_an_argument_and_kept_when_saved(dense, tmp_path):
    model = load_legacy_model(dense[1], omission=3, sampling_frequency=25_000.0)
    assert model.path is None
    again = load_model(model.save(tmp_path / "model.safetensors").path)
    assert again.context == Context(frames=30, omission=3)
    assert (again.sampling_frequency, again.layout) == (25_000.0, "file-order")


@pytest.mark.parametrize("omission", [1, 3])
def test_two_channels_a_row_in_the_order_of_the_recording(dense, omission):
    file, path = dense
    recording = noise_recording(300, seed=0, channels=32, frequency=30_000.0)
    denoised = deepinterpolate(recording, load_legacy_model(path, omission)).get_traces()
    traces = recording.get_traces().astype(float)
    mean, deviation = traces.mean(), traces.std()
    for target in (100, 101, 200):
        context = frames_around((traces - mean) / deviation, target, omission)
        image = context.reshape(FRAMES, 16, 2).transpose(1, 2, 0)
        expected = file.predict(image[None])[0, ..., 0].reshape(-1) * deviation + mean
        np.testing.assert_allclose(denoised[target], expected, atol=1e-4)


@pytest.mark.parametrize("rewritten", [True, False])
def test_interleaved_channels_see_zeros_beside_them(interleaved, rewritten, monkeypatch):
    if not rewritten:
        monkeypatch.setattr("ephys_deepinterpolation.unet_rewriting.can_rewrite", lambda: False)
    file, path = interleaved
    random = np.random.default_rng(0)
    integers = random.normal(12, 25, size=(200, 384)).astype("int16")
    probe = generate_linear_probe(384)
    probe.set_device_channel_indices(np.arange(384))
    recording = recording_of(integers, probe, frequency=30_000.0)
    recording.set_channel_gains(np.linspace(0.1, 0.3, 384))
    recording.set_channel_offsets(np.linspace(-20, 20, 384))
    denoised = deepinterpolate(recording, path).get_traces()
    mean, deviation = integers.mean(), integers.std()
    channel = np.arange(384)
    context = frames_around((integers - mean) / deviation, 100)
    image = np.zeros((384, 2, FRAMES))
    image[channel, channel % 2] = context.T
    expected = file.predict(image[None])[0, channel, channel % 2, 0] * deviation + mean
    np.testing.assert_allclose(denoised[100], expected, atol=1e-3)


def test_the_normalization_is_of_the_first_frames_and_kept(dense, monkeypatch):
    monkeypatch.setattr(layouts, "_NORMALIZATION_FRAMES", 250)
    monkeypatch.setattr(layouts, "_PIECE_FRAMES", 40)
    recording = noise_recording([200, 150], seed=2, channels=32, frequency=30_000.0)
    denoised = deepinterpolate(recording, dense[1])
    first = np.concatenate([recording.get_traces(0), recording.get_traces(1)[:50]])
    described = denoised.to_dict()
    kept = described["kwargs"]["normalization"]
    np.testing.assert_allclose(kept["location"], np.full(32, first.mean()), rtol=1e-5)
    np.testing.assert_allclose(kept["scale"], np.full(32, first.std()), rtol=1e-5)
    monkeypatch.setattr(layouts, "_NORMALIZATION_FRAMES", 10)
    again = DeepInterpolatedRecording.from_dict(described)
    np.testing.assert_array_equal(again.get_traces(0), denoised.get_traces(0))


def test_a_recording_of_other_channels_is_refused(dense, interleaved):
    recording = noise_recording(300, seed=0, channels=48, frequency=30_000.0)
    with pytest.raises(ModelError, match=r"takes the 384 channels.*has 48"):
        deepinterpolate(recording, interleaved[1])
    with pytest.raises(ModelError, match=r"takes the 32 channels.*has 48"):
        deepinterpolate(recording, dense[1])


def test_a_constant_recording_is_refused(dense):
    recording = recording_of(np.zeros((300, 32), np.float32), frequency=30_000.0)
    with pytest.raises(ValueError, match="constant"):
        deepinterpolate(recording, dense[1])


def test_fine_tuning_is_refused(dense):
    recording = noise_recording(3000, seed=0, channels=32, frequency=30_000.0)
    with pytest.raises(ModelError, match="knows nothing of a probe"):
        fine_tune(load_model(dense[1]), recording, progress=False)


def _kernel(file):
    return file["model_weights/conv2d_11/conv2d_11"]


def external_link(file, config):
    del _kernel(file)["kernel:0"]
    _kernel(file)["kernel:0"] = h5py.ExternalLink("elsewhere.h5", "/kernel")


def soft_link(file, config):
    del _kernel(file)["kernel:0"]
    _kernel(file)["kernel:0"] = h5py.SoftLink("/model_weights/conv2d_12/conv2d_12/kernel:0")


def external_storage(file, config):
    values = _kernel(file)["kernel:0"][()]
    del _kernel(file)["kernel:0"]
    place = [("elsewhere.bin", 0, values.nbytes)]
    _kernel(file).create_dataset("kernel:0", values.shape, values.dtype, external=place)


def wrong_shape(file, config):
    del _kernel(file)["kernel:0"]
    _kernel(file)["kernel:0"] = np.zeros((2, 2, 61, WIDTH), np.float32)


def wrong_type(file, config):
    values = _kernel(file)["kernel:0"][()].astype(np.float64)
    del _kernel(file)["kernel:0"]
    _kernel(file)["kernel:0"] = values


def missing(file, config):
    del _kernel(file)["bias:0"]


def not_a_number(file, config):
    _kernel(file)["kernel:0"][0, 0, 0, 0] = np.nan


def setting(number, **settings):
    def change(file, config):
        config["config"]["layers"][number]["config"].update(settings)

    return change


def lambda_layer(file, config):
    layer = config["config"]["layers"][2]
    layer["class_name"] = "Lambda"
    layer["config"] = {"function": ["os.system('true')", None, None]}


def custom_layer(file, config):
    config["config"]["layers"][2]["class_name"] = "Package>Layer"


def sequential(file, config):
    config["class_name"] = "Sequential"


def other_skip(file, config):
    layers = config["config"]["layers"]
    layers[11]["inbound_nodes"][0][1][0] = layers[1]["name"]


def one_more_layer(file, config):
    config["config"]["layers"].append(dict(config["config"]["layers"][-1]))


def no_layers(file, config):
    config["config"]["layers"] = []


def no_convolutions(file, config):
    del config["config"]["layers"][1:]


def no_description(file, config):
    config.clear()


@pytest.mark.parametrize(
    "change",
    [
        external_link,
        soft_link,
        external_storage,
        wrong_shape,
        wrong_type,
        missing,
        not_a_number,
        pytest.param(setting(1, activation="tanh"), id="activation"),
        pytest.param(setting(1, strides=[2, 2]), id="strides"),
        pytest.param(setting(1, filters="4"), id="filters"),
        pytest.param(setting(10, interpolation="bilinear"), id="interpolation"),
        pytest.param(setting(0, batch_input_shape=[None, None, 2, 60]), id="no rows"),
        pytest.param(setting(0, batch_input_shape=[None, 16, 2, 61]), id="odd context"),
        pytest.param(setting(0, batch_input_shape=[None, 1e300, 2, 60]), id="huge"),
        pytest.param(setting(0, batch_input_shape=[None, float("inf"), 2, 60]), id="infinite"),
        lambda_layer,
        custom_layer,
        sequential,
        other_skip,
        one_more_layer,
        no_layers,
        no_convolutions,
        no_description,
    ],
)
def test_anything_but_the_published_network_is_refused_by_the_name_of_the_file(tmp_path, change):
    path = LegacyFile(rows=16).write(tmp_path / "strange.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(file, config)
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ModelError, match=r"strange\.h5"):
        load_model(path)


@pytest.mark.parametrize("kept", [0, 5, 3000, 20_000, -100])
def test_a_damaged_file_is_refused(tmp_path, dense, kept):
    path = tmp_path / "cut.hdf5"
    path.write_bytes(dense[1].read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"cut\.hdf5"):
        load_model(path)


def test_deeply_nested_text_is_refused(tmp_path):
    path = tmp_path / "nested.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "[" * 20_000
    with pytest.raises(ModelError, match=r"nested\.h5"):
        load_model(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.h5"):
        load_model(tmp_path / "absent.h5")
