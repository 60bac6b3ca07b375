# What the rules of MEArec ask of the configuration and of the deployment.

import hashlib
import json

mearec_environment = [] if with_conda else "results/environments/mearec"


def mearec_python(wildcards, input):
    """The interpreter that has MEArec."""
    return f"{input.environment}/bin/python" if input.environment else "python"


def mearec_parameters(wildcards):
    return study.datasets[wildcards.dataset].parameters


def name_of_templates(parameters):
    """The same parameters have the same name, whatever dataset they stand in."""
    text = json.dumps(parameters, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{parameters['probe']}-{parameters['channels']}-{digest}"


def mearec_templates():
    """The parameters of every file of templates that a dataset asks for, by its name."""
    simulations = (
        study.datasets[name].parameters.get("simulation")
        for name in datasets_of("mearec")
    )
    return {
        name_of_templates(simulation["templates"]): simulation["templates"]
        for simulation in simulations
        if simulation
    }


def mearec_memory(wildcards, attempt):
    """MEArec maps what drifts, and far neurons, as a whole: 0.14 MB per channel and second."""
    simulation = mearec_parameters(wildcards)["simulation"]
    whole = simulation["drift"] or simulation["noise"]["mode"] == "far-neurons"
    mapped = simulation["duration_s"] if whole else min(simulation["duration_s"], 60)
    own = 1500 + 0.14 * simulation["templates"]["channels"] * mapped
    return sizes.SNAKEMAKE_MB + round(attempt * own)


def mearec_recording(wildcards):
    """A recording of the user's own, or one to be simulated."""
    if "simulation" in mearec_parameters(wildcards):
        return {"path": "results/mearec/{dataset}/{replicate}.h5"}
    return recorded_inputs(wildcards)
