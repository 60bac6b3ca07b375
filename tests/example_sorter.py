"""A sorter of one's own, as SpikeInterface sees it; its parameter says what it does.

A process knows it that finds this file as `sitecustomize.py` on its path.
"""

import errno
import os
import signal
from pathlib import Path

import numpy as np
import spikeinterface as si
from spikeinterface.sorters import sorter_dict
from spikeinterface.sorters.basesorter import BaseSorter


class ToySorter(BaseSorter):
    sorter_name = "toy"
    _default_params = {"does": "find", "threshold": 5.0}  # noqa: RUF012

    @classmethod
    def is_installed(cls):
        return True

    @classmethod
    def get_sorter_version(cls):
        return "3.1"

    @classmethod
    def _setup_recording(cls, recording, sorter_output_folder, params, verbose):
        pass

    @classmethod
    def _run_from_folder(cls, sorter_output_folder, params, verbose):
        trains = {"a": np.array([10, 500]), "b": np.array([70]), "none": np.array([], int)}
        if params["does"] == "raise":
            raise RuntimeError("first line\nthreshold is negative\n")
        if params["does"] == "take too much":
            raise MemoryError("Unable to allocate 9 PiB")
        if params["does"] == "fill the disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if params["does"] == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if params["does"] == "be killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if params["does"] == "tell":
            recording = cls.load_recording_from_folder(sorter_output_folder.parent)
            trains = {
                "threads": np.array([int(os.environ["OMP_NUM_THREADS"])]),
                "draws": np.sort(np.random.default_rng().choice(60_000, 5, replace=False)),
                "largest": np.array([int(np.abs(recording.get_traces()).max())]),
            }
        sorting = si.NumpySorting.from_unit_dict(trains, 30_000.0)
        sorting.save(folder=sorter_output_folder / "found", format="numpy_folder")

    @classmethod
    def _get_result_from_folder(cls, sorter_output_folder):
        return si.load(Path(sorter_output_folder) / "found")


sorter_dict["toy"] = ToySorter
