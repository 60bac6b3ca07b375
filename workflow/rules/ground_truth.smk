# Recordings, and what is known of them: one rule per kind of dataset.

all_ground_truth = per_dataset("results/ground_truth/{dataset}/{replicate}")
ground_truth_checks = ["contacts", "true_units", "excerpts", "recordings", "spectra"]


rule fetch_source:
    output:
        directory("results/sources/{source}"),
    log:
        "results/logs/sources/{source}.log",
    cache: "omit-software"
    localrule: True
    conda:
        "../../envs/generation.yaml"
    envmodules:
        *modules_of("generation"),
    params:
        # To name its licence fetches nothing again.
        source=lambda wildcards: {
            key: value
            for key, value in study.sources[wildcards.source].items()
            if key != "licence"
        },
    message:
        "Fetch {wildcards.source}"
    script:
        "../scripts/fetch_source.py"


rule generate_synthetic:
    output:
        directory("results/ground_truth/{dataset}/{replicate}"),
    log:
        "results/logs/ground_truth/{dataset}/{replicate}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("synthetic")),
    conda:
        dataset_conda
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("generate"),
        runtime=minutes("generate"),
    params:
        parameters=lambda wildcards: study.datasets[wildcards.dataset].parameters,
        seed=seed_of("ground_truth"),
    message:
        "Generate {wildcards.dataset}, replicate {wildcards.replicate}"
    script:
        "../scripts/generate_synthetic.py"


rule read_recorded:
    input:
        unpack(recorded_inputs),
    output:
        directory("results/ground_truth/{dataset}/{replicate}"),
    log:
        "results/logs/ground_truth/{dataset}/{replicate}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("recorded")),
    conda:
        dataset_conda
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("read"),
        runtime=minutes("read"),
    params:
        parameters=lambda wildcards: study.datasets[wildcards.dataset].parameters,
    message:
        "Read {wildcards.dataset}"
    script:
        "../scripts/read_recorded.py"


rule read_paired:
    input:
        unpack(
            described_inputs(
                "recording", "trace", "spikes", "recording_pulses", "cell_pulses"
            )
        ),
    output:
        directory("results/ground_truth/{dataset}/{replicate}"),
    log:
        "results/logs/ground_truth/{dataset}/{replicate}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("paired")),
    conda:
        dataset_conda
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("read"),
        runtime=minutes("read"),
    params:
        parameters=lambda wildcards: study.datasets[wildcards.dataset].parameters,
    message:
        "Read {wildcards.dataset} and its cell"
    script:
        "../scripts/read_paired.py"


include: "mearec.smk"


rule generate_surrogate:
    input:
        unpack(described_inputs("original")),
    output:
        directory("results/ground_truth/{dataset}/{replicate}"),
    log:
        "results/logs/ground_truth/{dataset}/{replicate}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("surrogate")),
    conda:
        dataset_conda
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("generate"),
        runtime=minutes("generate"),
    params:
        parameters=lambda wildcards: study.datasets[wildcards.dataset].parameters,
        seed=seed_of("ground_truth"),
    message:
        "Generate {wildcards.dataset}, replicate {wildcards.replicate}"
    script:
        "../scripts/generate_surrogate.py"


rule compare_surrogate:
    input:
        unpack(described_inputs("original")),
        truth="results/ground_truth/{dataset}/{replicate}",
    output:
        "results/ground_truth_checks/{dataset}/{replicate}/likeness.parquet",
    log:
        "results/logs/ground_truth_checks/{dataset}/{replicate}-likeness.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("surrogate")),
    group:
        "checks"
    conda:
        dataset_conda
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("measure"),
        runtime=minutes("measure"),
        at_once=1,
    params:
        parameters=lambda wildcards: study.datasets[wildcards.dataset].parameters,
        seed=seed_of("ground_truth_checks"),
    message:
        "Compare {wildcards.dataset}, replicate {wildcards.replicate}, with its original"
    script:
        "../scripts/compare_surrogate.py"


rule generate_hybrid:
    input:
        unpack(described_inputs("host", "training", "templates")),
    output:
        directory("results/ground_truth/{dataset}/{replicate}"),
    log:
        "results/logs/ground_truth/{dataset}/{replicate}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("hybrid")),
    conda:
        dataset_conda
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("generate"),
        runtime=minutes("generate"),
    params:
        parameters=lambda wildcards: study.datasets[wildcards.dataset].parameters,
        seed=seed_of("ground_truth"),
    message:
        "Generate {wildcards.dataset}, replicate {wildcards.replicate}"
    script:
        "../scripts/generate_hybrid.py"


rule check_ground_truth:
    input:
        "results/ground_truth/{dataset}/{replicate}",
    output:
        **{
            name: f"results/ground_truth_checks/{{dataset}}/{{replicate}}/{name}.parquet"
            for name in ground_truth_checks
        },
    log:
        "results/logs/ground_truth_checks/{dataset}/{replicate}.log",
    group:
        "checks"
    conda:
        "../../envs/generation.yaml"
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("measure"),
        runtime=minutes("measure"),
        at_once=1,
    params:
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
        seed=seed_of("ground_truth_checks"),
    message:
        "Check {wildcards.dataset}, replicate {wildcards.replicate}"
    script:
        "../scripts/check_ground_truth.py"
