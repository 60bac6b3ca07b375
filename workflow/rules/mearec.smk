# Templates and recordings that MEArec simulates, with an interpreter of its own: that of a conda
# environment where conda deploys the workflow, else that of a pip environment built here.

import hashlib
import json
import sys

from snakemake.settings.types import DeploymentMethod

project = Path(workflow.current_basedir).resolve().parents[1]

if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    mearec_environment = []
    mearec_python = "python"
else:
    mearec_environment = ["results/environments/mearec"]
    mearec_python = f"{mearec_environment[0]}/bin/python"


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


def mearec_recording(wildcards):
    """A recording of the user's own, or one to be simulated."""
    if "simulation" in mearec_parameters(wildcards):
        return {"path": "results/mearec/{dataset}/{replicate}.h5"}
    return recorded_inputs(wildcards)


rule install_mearec:
    input:
        project / "envs/mearec.lock",
    output:
        directory("results/environments/mearec"),
    log:
        "results/logs/environments/mearec.log",
    localrule: True
    conda:
        "../../envs/generation.yaml"
    params:
        python=sys.executable,
    message:
        "Install MEArec"
    shell:
        "({params.python} -m venv --clear {output} && "
        "{output}/bin/python -m pip install --quiet --requirement {input}) > {log} 2>&1"


rule simulate_templates:
    input:
        mearec_environment,
    output:
        "results/templates/{templates}.h5",
    log:
        "results/logs/templates/{templates}.log",
    wildcard_constraints:
        templates=one_of(mearec_templates()),
    conda:
        "../../envs/mearec.yaml"
    threads: 4
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        python=mearec_python,
        script=project / "workflow/scripts/mearec/simulate_templates.py",
        parameters=lambda wildcards: json.dumps(mearec_templates()[wildcards.templates]),
    message:
        "Simulate templates {wildcards.templates}"
    shell:
        "{params.python} {params.script} {params.parameters:q} {output} {threads} > {log} 2>&1"


rule simulate_recording:
    input:
        environment=mearec_environment,
        templates=lambda wildcards: "results/templates/{}.h5".format(
            name_of_templates(mearec_parameters(wildcards)["simulation"]["templates"])
        ),
    output:
        temp("results/mearec/{dataset}/{replicate}.h5"),
    log:
        "results/logs/mearec/{dataset}/{replicate}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("mearec")),
    conda:
        "../../envs/mearec.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        python=mearec_python,
        script=project / "workflow/scripts/mearec/simulate_recording.py",
        parameters=lambda wildcards: json.dumps(
            mearec_parameters(wildcards)["simulation"]
        ),
        seed=seed_of("ground_truth"),
    message:
        "Simulate {wildcards.dataset}, replicate {wildcards.replicate}"
    shell:
        "{params.python} {params.script} {params.parameters:q} {params.seed} {input.templates} {output} > {log} 2>&1"


rule read_mearec:
    input:
        unpack(mearec_recording),
    output:
        directory("results/ground_truth/{dataset}/{replicate}"),
    log:
        "results/logs/ground_truth/{dataset}/{replicate}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("mearec")),
    conda:
        "../../envs/generation.yaml"
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        parameters=mearec_parameters,
        seed=seed_of("ground_truth"),
    message:
        "Read {wildcards.dataset}, replicate {wildcards.replicate}"
    script:
        "../scripts/read_mearec.py"
