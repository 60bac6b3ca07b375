"""The original stack, timed on request; `inference.py` starts this in its Python.

    python reference_worker.py FOLDER CHANNELS

Needs the packages deepinterpolation 0.2 and spikeinterface 0.101. Makes `model.h5` in the folder
if it is not there, then answers each line of its input with the CPU seconds that it took to denoise
the stretch of `traces.npy` which the line names, `start end`, and leaves the result in the folder.
"""

import os
import resource
import sys
import time
from pathlib import Path

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # TensorFlow prints to standard output.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from deepinterpolation.network_collection import unet_single_ephys_1024  # noqa: E402
from spikeinterface.core import NumpyRecording  # noqa: E402
from spikeinterface.preprocessing import deepinterpolate  # noqa: E402


def cpu_seconds():
    """CPU time of this process and of the helpers it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


folder, channels = Path(sys.argv[1]), int(sys.argv[2])
if not (folder / "model.h5").exists():
    tf.random.set_seed(0)
    image = tf.keras.Input((channels // 2, 2, 60))
    model = tf.keras.Model(image, unet_single_ephys_1024({})(image))
    model.compile(loss="mean_squared_error")
    model.save(str(folder / "model.h5"))
traces = np.load(folder / "traces.npy")
recording = NumpyRecording([traces], 30_000.0)
denoised = deepinterpolate(
    recording, model_path=str(folder / "model.h5"), batch_size=128, use_gpu=False
)
print("ready", file=answers)
for line in sys.stdin:
    start, end = map(int, line.split())
    before = cpu_seconds()
    result = denoised.get_traces(start_frame=start, end_frame=end)
    seconds = cpu_seconds() - before
    np.save(folder / "reference.npy", result)
    print(seconds, file=answers)
