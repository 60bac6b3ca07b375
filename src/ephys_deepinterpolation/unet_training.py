"""The published U-Net for training on a CPU, through its rewriting."""

import keras
import tensorflow as tf

from ephys_deepinterpolation.unet_rewriting import ImageColumns, apply_rewritten, rewrite


class RewrittenUNet(keras.Model):
    """Computes what a U-Net of `build_network` does, from its own weights, and faster.

    The weights stay those of the network, under their paths: a gradient step here is one there.
    Where the network computes in bfloat16, so do the inner steps here.

    Parameters
    ----------
    network : keras.Model
        From `build_network`.
    """

    def __init__(self, network: keras.Model):
        super().__init__(autocast=False)
        self.network = network
        self._image = ImageColumns(network.output_shape[-1])
        self._inner_dtype = tf.as_dtype(network.get_layer("encoder_0").compute_dtype)

    def call(self, contexts: tf.Tensor) -> tf.Tensor:
        """Map contexts (images, rows, features) to targets (images, rows, columns)."""
        weights = {
            weight.path: keras.ops.convert_to_tensor(weight) for weight in self.network.weights
        }
        matrices = rewrite(weights, self._image, shared=self._inner_dtype == tf.float32)
        return apply_rewritten(matrices, contexts, self._image, self._inner_dtype)
