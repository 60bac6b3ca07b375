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
from fixtures import noise_recording, recording_of

WIDTH, DEPTH, FRAMES = 4, 4, 60


class LegacyFile:
    """Writes what `Model.save` of TensorFlow 2.4 to 2.10 wrote for the published U-Net."""

    def __init__(self, rows, seed=0):
        self.random = np.random.default_rng(seed)
        self.layers, self.weights = [], {}
        # Names are numbered through the session in which the network was built.
        self.numbers = {"conv2d": 10, "max_pooling2d": 4, "up_sampling2d": 4, "concatenate": 4}
        config = {"batch_input_shape": [None, rows, 2, FRAMES], "dtype": "float32", "sparse": False}
        self.layers.append(
            {
                "class_name": "InputLayer",
                "config": config | {"name": "input_2"},
                "name": "input_2",
                "inbound_nodes": [],
            }
        )
        hidden, features, skips = "input_2", FRAMES, []
        for step in range(DEPTH + 1):
            size = [2, 2] if step == 0 else [3, 1]
            hidden = self.convolve(hidden, features, WIDTH * 2**step, size)
            features = WIDTH * 2**step
            if step < DEPTH:
                skips.append((hidden, features))
                pool = [2, 2] if step == 0 else [2, 1]
                settings = {"pool_size": pool, "strides": pool, "padding": "valid"}
                hidden = self.add("MaxPooling2D", "max_pooling2d", [hidden], settings)
        for step in reversed(range(DEPTH)):
            settings = {"size": [2, 2] if step == 0 else [2, 1], "interpolation": "nearest"}
            hidden = self.add("UpSampling2D", "up_sampling2d", [hidden], settings)
            skip, skipped = skips[step]
            hidden = self.add("Concatenate", "concatenate", [hidden, skip], {"axis": -1})
            size = [2, 2] if step == 0 else [3, 1]
            hidden = self.convolve(hidden, features + skipped, WIDTH * 2**step, size)
            features = WIDTH * 2**step
        hidden = self.convolve(hidden, features, 1, [1, 1], "linear")

    def add(self, kind, name, inputs, settings):
        self.numbers[name] += 1
        name = f"{name}_{self.numbers[name]}"
        self.layers.append(
            {
                "class_name": kind,
                "config": {"name": name, "trainable": True, "dtype": "float32", **settings},
                "name": name,
                "inbound_nodes": [[[each, 0, 0, {}] for each in inputs]],
            }
        )
        return name

    def convolve(self, previous, features, filters, size, activation="relu"):
        settings = {
            "filters": filters,
            "kernel_size": size,
            "strides": [1, 1],
            "padding": "same",
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "groups": 1,
            "activation": activation,
            "use_bias": True,
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
        }
        name = self.add("Conv2D", "conv2d", [previous], settings)
        scale = np.sqrt(2 / (features * np.prod(size)))
        kernel = self.random.normal(scale=scale, size=(*size, features, filters))
        bias = self.random.normal(scale=0.1, size=filters)
        self.weights[name] = (kernel.astype(np.float32), bias.astype(np.float32))
        return name

    def write(self, path):
        model = {"class_name": "Functional", "config": {"name": "model_1", "layers": self.layers}}
        with h5py.File(path, "w") as file:
            file.attrs["keras_version"] = "2.4.0"
            file.attrs["backend"] = "tensorflow"
            file.attrs["model_config"] = json.dumps(model)
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = [layer["name"].encode() for layer in self.layers]
            for layer in self.layers:
                name = layer["name"]
                mine = group.create_group(name)
                arrays = dict(zip(("kernel:0", "bias:0"), self.weights.get(name, ()), strict=False))
                mine.attrs["weight_names"] = [f"{name}/{each}".encode() for each in arrays]
                for each, values in arrays.items():
                    mine.create_dataset(f"{name}/{each}", data=values)
        return path

    def predict(self, images):
        """Run the layers one after another, slowly: (images, rows, columns, frames) to 1."""
        outputs = {"input_2": images.astype(float)}
        for layer in self.layers[1:]:
            config = layer["config"]
            inputs = [outputs[node[0]] for node in layer["inbound_nodes"][0]]
            outputs[layer["name"]] = result = self.apply(layer, config, inputs)
        return result

    def apply(self, layer, config, inputs):
        first = inputs[0]
        images, rows, columns, features = first.shape
        if layer["class_name"] == "Concatenate":
            return np.concatenate(inputs, axis=-1)
        if layer["class_name"] == "UpSampling2D":
            return first.repeat(config["size"][0], axis=1).repeat(config["size"][1], axis=2)
        if layer["class_name"] == "MaxPooling2D":
            high, wide = config["pool_size"]
            blocks = first.reshape(images, rows // high, high, columns // wide, wide, features)
            return blocks.max(axis=(2, 4))
        kernel, bias = self.weights[layer["name"]]
        high, wide = kernel.shape[:2]
        above, left = (high - 1) // 2, (wide - 1) // 2
        padding = [(0, 0), (above, high - 1 - above), (left, wide - 1 - left), (0, 0)]
        padded = np.pad(first, padding)
        total = np.zeros((images, rows, columns, kernel.shape[3])) + bias
        for row in range(high):
            for column in range(wide):
                total += (
                    padded[:, row : row + rows, column : column + columns] @ kernel[row, column]
                )
        return np.maximum(total, 0) if config["activation"] == "relu" else total


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
