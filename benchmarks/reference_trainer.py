"""The original stack in training, timed on request; `training.py` starts this in its Python.

    python reference_trainer.py FOLDER CHANNELS

Needs the packages deepinterpolation 0.2 and spikeinterface 0.101. Answers each line of its input, a
number of steps, with the CPU seconds that they took: batches of 100 frames of `traces.npy`, drawn
by the generator of SpikeInterface's module, through the trainer and the network of the package.
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
from deepinterpolation.network_collection import unet_single_ephys_1024  # noqa: E402
from deepinterpolation.trainor_collection import core_trainer  # noqa: E402
from spikeinterface.core import NumpyRecording  # noqa: E402
from spikeinterface.preprocessing.deepinterpolation.generators import (  # noqa: E402
    SpikeInterfaceRecordingGenerator,
)


def cpu_seconds():
    """CPU time of this process and of the helpers it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


folder, channels = Path(sys.argv[1]), int(sys.argv[2])
traces = np.load(folder / "traces.npy", mmap_mode="r")[:3000]
recording = NumpyRecording([np.array(traces)], 30_000.0)
batches = SpikeInterfaceRecordingGenerator(
    [recording],
    start_frame=0,
    end_frame=len(traces),
    desired_shape=(channels // 2, 2),
    batch_size=100,
)
settings = {
    "output_dir": str(folder),
    "run_uid": "reference",
    "model_string": "reference",
    "nb_gpus": 0,
    "nb_workers": 1,
    "steps_per_epoch": 3,
    "period_save": 1000,
    "nb_times_through_data": 1,
    "caching_validation": False,
    "apply_learning_decay": 0,
    "learning_rate": 1e-4,
    "loss": "mean_squared_error",
}
trainer = core_trainer(batches, batches, unet_single_ephys_1024({}), settings)
print("ready", file=answers)
for line in sys.stdin:
    before = cpu_seconds()
    trainer.local_model.fit(
        trainer.local_generator,
        steps_per_epoch=int(line),
        epochs=1,
        workers=0,
        verbose=0,
        # As the trainer does. Else the last, shorter batch comes up, on which oneDNN fails.
        shuffle=False,
    )
    print(cpu_seconds() - before, file=answers)
