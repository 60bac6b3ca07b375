import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from ephys_deepinterpolation.recording import deepinterpolate
from fixtures import integer_recording

BACKENDS = {"tensorflow": "tensorflow", "torch": "torch", "jax": "jax"}
CODE = """
import sys
import numpy as np
import keras
import spikeinterface as si
from ephys_deepinterpolation import contexts, deepinterpolate
recording, model, output = sys.argv[1:]
assert not contexts.on_accelerator()
host = deepinterpolate(si.load(recording), model).get_traces(1, 0, 3000, return_in_uV=True)
contexts.on_accelerator = lambda: True
device = deepinterpolate(si.load(recording), model).get_traces(1, 0, 3000, return_in_uV=True)
np.savez(output, host=host, device=device)
print(keras.backend.backend())
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_gives_the_same_traces_on_every_backend(
    recording, model, trained, backend, tmp_path
):
    if importlib.util.find_spec(BACKENDS[backend]) is None:
        pytest.skip(f"{backend} is not installed")
    folder = tmp_path / "recording"
    integer_recording([12_000, 8_000], seed=1).save(folder=folder, progress_bar=False)
    output = tmp_path / "traces.npz"
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), str(model.path), str(output)],
        env=os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-1] == backend
    here = deepinterpolate(recording, model).get_traces(1, 0, 3000, return_in_uV=True)
    for there in np.load(output).values():
        difference = np.abs(there - here) / trained.normalization.scale
        assert difference.max() < 1e-5
