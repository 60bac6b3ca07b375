"""Run one sorter in a process of its own, by an interpreter that may not be this package's.

    python -P child.py FOLDER

FOLDER holds `request.json`, and the recording as `recording.json` or `recording/`. What comes out
lies there when the process ends: `found/`, the sorting, and `result.json`. Only SpikeInterface,
numpy and the standard library are imported.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from importlib.metadata import entry_points
from pathlib import Path

_WATCH_INTERVAL_S = 1.0


def main(folder):
    """Do what the request asks for."""
    request = json.loads((folder / "request.json").read_text())
    end_with(request["parent"])
    # Behind those of the environment, which need not hold this project's package.
    sys.path += request["packages"]
    seed_everything(request["seed"])
    result = {"error": "", "version": "", "device": "cpu", "seconds": None}
    try:
        run(request, folder, result)
    except Exception as exception:
        traceback.print_exc()
        result["error"] = last_line(exception)
    result["device"] = device()
    unfinished = folder / "result.json~"
    unfinished.write_text(json.dumps(result))
    unfinished.replace(folder / "result.json")


def run(request, folder, result):
    """Run the sorter and save what it found."""
    import spikeinterface as si
    from spikeinterface.sorters import run_sorter, sorter_dict

    sorter, image = request["sorter"], request["container"]
    # Of a package that offers it; see `offers.py`, which may not be here.
    for entry in entry_points(group="ephys_deepinterpolation.sorters", name=sorter):
        sorter_dict.setdefault(sorter, entry.load())
    if sorter not in sorter_dict:
        raise ValueError(f"SpikeInterface has no sorter {sorter}")
    where = {}
    if image is not None:
        where = {f"{request['engine']}_image": image, "installation_mode": "pypi"}
        result["version"] = image
    elif sorter_dict[sorter].is_installed():
        result["version"] = str(sorter_dict[sorter].get_sorter_version())
    else:
        raise ModuleNotFoundError(f"the sorter {sorter} is not installed")
    saved = folder / "recording"
    recording = si.load(saved if saved.exists() else folder / "recording.json")
    started = time.perf_counter()
    try:
        sorting = run_sorter(
            sorter,
            recording,
            folder=folder / "run",
            delete_output_folder=True,
            verbose=False,
            **where,
            **request["parameters"],
        )
    finally:
        result["seconds"] = time.perf_counter() - started
    si.NumpySorting.from_sorting(sorting.remove_empty_units()).save(
        folder=folder / "found", format="numpy_folder"
    )


def seed_everything(seed):
    """Seed what no parameter of a sorter reaches, before SpikeInterface is imported.

    Generators that a sorter makes without a seed get one here, each another one, in the order in
    which they are made.
    """
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    seeds = np.random.SeedSequence(seed)
    make = np.random.default_rng

    def default_rng(seed=None):
        return make(seeds.spawn(1)[0] if seed is None else seed)

    np.random.default_rng = default_rng


def end_with(parent):
    """End this process and all it started when the process that asked for it is gone."""

    def watch():
        while os.getppid() == parent:
            time.sleep(_WATCH_INTERVAL_S)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def device():
    """Say where a sorter that uses torch ran."""
    torch = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_available() else "cpu"


def last_line(exception):
    """Return what an exception says in the end."""
    lines = [line.strip() for line in str(exception).splitlines()]
    # SpikeInterface ends with a sentence of its own on a log that is gone with the folder.
    lines = [line for line in lines if line and not line.startswith("Spike sorting failed.")]
    return lines[-1] if lines else type(exception).__name__


if __name__ == "__main__":
    main(Path(sys.argv[1]))
