"""A model file as the original package of DeepInterpolation wrote it."""

import json

import h5py
import numpy as np

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
