# Templates and recordings that MEArec simulates, with an interpreter of its own: that of a conda
# environment where conda deploys the workflow, else that of a pip environment built here.


include: "mearec_common.smk"


rule simulate_templates:
    input:
        environment=mearec_environment,
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
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        python=mearec_python,
        script=project_file("workflow/scripts/mearec/simulate_templates.py"),
        parameters=lambda wildcards: json.dumps(mearec_templates()[wildcards.templates]),
    message:
        "Simulate templates {wildcards.templates}"
    shell:
        "{params.python:q} {params.script:q} {params.parameters:q} {output:q} {threads} > {log:q} 2>&1"


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
        mem_mb=mearec_memory,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        python=mearec_python,
        script=project_file("workflow/scripts/mearec/simulate_recording.py"),
        parameters=lambda wildcards: json.dumps(
            mearec_parameters(wildcards)["simulation"]
        ),
        seed=seed_of("ground_truth"),
    message:
        "Simulate {wildcards.dataset}, replicate {wildcards.replicate}"
    shell:
        "{params.python:q} {params.script:q} {params.parameters:q} {params.seed} {input.templates:q} {output:q} > {log:q} 2>&1"


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
        dataset_conda
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("read"),
        runtime=minutes("read"),
    params:
        parameters=mearec_parameters,
        seed=seed_of("ground_truth"),
    message:
        "Read {wildcards.dataset}, replicate {wildcards.replicate}"
    script:
        "../scripts/read_mearec.py"
