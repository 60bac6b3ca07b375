"""Simulate templates with MEArec (Buccino & Einevoll 2021, 10.1007/s12021-020-09467-7).

Run by the interpreter of the MEArec environment, which does not hold this project's package:

    python simulate_templates.py PARAMETERS OUTPUT THREADS

PARAMETERS is a JSON text of the keys `probe` (part number of a Neuropixels probe), `channels`,
`per_cell`, `minimum_peak_uv`, `distance_um`, `drift_um` and `seed`. OUTPUT is a MEArec file of
templates; the same parameters give the same bytes.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import h5py
import MEArec
import MEAutility
import numpy as np
import yaml
from MEArec.tools import save_dict_to_hdf5
from probeinterface.neuropixels_tools import build_neuropixels_probe

_MARGIN_UM = 30.0
_DRIFT_STEP_UM = 1.0


def main(parameters, output, threads):
    """Compile the cell models, simulate them in a folder of their own, and write the templates."""
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    # `nrnivmodl` is looked up there.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}~") as folder:
        # MEArec writes into the current folder; mechanisms run only where they were compiled.
        os.chdir(folder)
        cells = Path(folder) / "cells"
        shutil.copytree(Path(MEArec.__file__).parent / "cell_models" / "bbp", cells)
        names = {cell.name for cell in cells.iterdir() if cell.is_dir() and cell.name != "mods"}
        generator = MEArec.gen_templates(
            cell_models_folder=cells,
            params=template_parameters(parameters),
            templates_tmp_folder=Path(folder) / "templates",
            recompile=True,
            # One job would run all cells in one process, where one cell's state meets the next.
            n_jobs=max(2, threads),
            verbose=False,
        )
        missing = names - set(generator.celltypes)
        if missing:
            sys.exit(f"MEArec found no template of {', '.join(sorted(missing))}: see its messages")
        for key in ("cell_models_folder", "templates_folder"):
            generator.info["params"].pop(key)
        unfinished = Path(folder) / output.name
        write(generator, unfinished)
        unfinished.replace(output)
        os.chdir(output.parent)


def template_parameters(parameters):
    """Say in MEArec's words what templates are wanted."""
    probe = build_neuropixels_probe(parameters["probe"])
    positions = probe.get_slice(np.arange(parameters["channels"])).contact_positions
    drift = parameters["drift_um"]
    # MEArec centres the probe. Somata drift upwards from where they are drawn.
    depth = positions[:, 1] - positions[:, 1].mean()
    limits = [
        float(depth.min()) - _MARGIN_UM - drift / 2,
        float(depth.max()) + _MARGIN_UM - drift / 2,
    ]
    return {
        "sim_time": 1,
        "target_spikes": [3, 50],
        "cut_out": [2, 5],
        "dt": 2**-5,
        "delay": 10,
        "weights": [0.25, 1.75],
        "rot": "physrot",
        "probe": known_probe(positions),
        "ncontacts": 10,
        "overhang": _MARGIN_UM,
        "offset": 0,
        "xlim": parameters["distance_um"],
        "ylim": None,
        "zlim": limits,
        "min_amp": parameters["minimum_peak_uv"],
        "check_eap_shape": True,
        "n": parameters["per_cell"],
        "seed": parameters["seed"],
        "drifting": drift > 0,
        "max_drift": 1.001 * drift,
        "min_drift": 0.999 * drift,
        "drift_steps": 2 * round(drift / (2 * _DRIFT_STEP_UM)) + 1,
        "drift_xlim": [0, 0],
        "drift_ylim": [0, 0],
        "drift_zlim": [drift, drift],
        "check_for_drift_amp": False,
        "drift_within_bounds": False,
        # A limit of time would make the outcome depend on the machine.
        "timeout": None,
        "max_iterations": 1000,
    }


def known_probe(positions):
    """Make a probe known to MEAutility, which looks names up in a folder of its own."""
    description = {
        "pos": positions.tolist(),
        "plane": "yz",
        "shape": "square",
        "size": 6.0,
        "type": "mea",
        "sortlist": None,
    }
    digest = hashlib.sha256(json.dumps(description).encode()).hexdigest()[:12]
    name = f"contacts-{digest}"
    place = Path(MEAutility.__file__).parent / "electrodes" / f"{name}.yaml"
    # Its readers take any file that ends in .yaml, so it has to appear whole.
    unfinished = place.with_name(f"{name}.{os.getpid()}")
    unfinished.write_text(yaml.safe_dump({"electrode_name": name, **description}))
    unfinished.replace(place)
    return name


def write(generator, path):
    """Write MEArec's file of templates, without the date that MEArec would put there."""
    with h5py.File(path, "w") as file:
        save_dict_to_hdf5(generator.info, file, "info/")
        file["celltypes"] = [name.encode() for name in generator.celltypes]
        for name in ("locations", "rotations", "templates"):
            file[name] = getattr(generator, name)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
