# How far each condition spreads transients, what rounding its output costs; and what it, and each
# sorter after it, finds in a recording's own noise without any spike.

noise_alone_datasets = list(filter(study.knows_noise_alone, study.datasets))
trials = per_dataset(
    "results/trials/{dataset}/{replicate}/{condition}", condition=study.conditions
)
noise_alone_sortings = per_dataset(
    "results/artifacts/{dataset}/{replicate}/noise_alone_sortings.parquet",
    datasets=noise_alone_datasets if study.artifacts["sort_noise_alone"] else [],
)
trial = directory("results/trials/{dataset}/{replicate}/{condition}")
noise_alone_recording = directory(
    "results/noise_alone/recordings/{dataset}/{replicate}/{condition}"
)


rule try_condition:
    input:
        unpack(model_input),
        truth="results/ground_truth/{dataset}/{replicate}",
        condition="results/conditions/{dataset}/{replicate}/{condition}",
        reference=f"results/artifacts/{{dataset}}/{{replicate}}/{study.reference}",
    output:
        tables=trial,
    log:
        "results/logs/trials/{dataset}/{replicate}/{condition}.log",
    wildcard_constraints:
        dataset=other_than(noise_alone_datasets),
    group:
        "trials"
    conda:
        deepinterpolation
    envmodules:
        *modules_of("deepinterpolation"),
    threads: condition_threads
    resources:
        mem_mb=condition_memory,
        runtime=condition_minutes,
        at_once=1,
        gpu=condition_gpus,
    params:
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
        pipeline=lambda wildcards: study.pipelines[wildcards.condition],
        packages=packages_of,
        saturation_uv=study.artifacts["saturation_uv"],
        threads=condition_threads,
        # The same excerpts in every condition.
        rounding_seed=lambda wildcards: derive_seed(
            study.seed, "transients", wildcards.dataset, wildcards.replicate
        ),
    message:
        "Try the condition {wildcards.condition} with transients in {wildcards.dataset}"
    script:
        "../scripts/try_condition.py"


use rule try_condition as try_condition_with_noise_alone with:
    output:
        tables=trial,
        # Another sorter needs it again, and must not cost another denoising.
        recording=(
            noise_alone_recording
            if study.artifacts["sort_noise_alone"]
            else temp(noise_alone_recording)
        ),
    wildcard_constraints:
        dataset=other_than(
            name for name in study.datasets if name not in noise_alone_datasets
        ),
    params:
        reference=study.pipelines[study.reference],
        seconds=study.artifacts["noise_alone_s"],
        thresholds=study.artifacts["thresholds"],
        noise_seed=lambda wildcards: derive_seed(
            study.seed, "noise_alone", wildcards.dataset, wildcards.replicate
        ),
    message:
        "Try the condition {wildcards.condition} with transients in {wildcards.dataset}, and with its noise alone"


rule sort_noise_alone:
    input:
        environment=sorter_environment,
        recordings=lambda wildcards: expand(
            "results/noise_alone/recordings/{{dataset}}/{{replicate}}/{condition}",
            condition=conditions_of(wildcards.dataset),
        ),
    output:
        directory("results/noise_alone/sortings/{dataset}/{replicate}/{sorter}"),
    log:
        "results/logs/noise_alone/{dataset}/{replicate}/{sorter}.log",
    conda:
        sorter_conda
    envmodules:
        *modules_of("sorters"),
    threads: sorter_threads
    resources:
        mem_mb=sorter_memory,
        runtime=sorter_minutes,
        gpu=sorter_gpus,
    params:
        run=sorter_run,
        limits=sorter_limits,
    message:
        "Sort the noise alone of {wildcards.dataset}, in every condition, with {wildcards.sorter}"
    script:
        "../scripts/sort_noise_alone.py"


rule count_invented_units:
    input:
        trials=lambda wildcards: expand(
            "results/trials/{{dataset}}/{{replicate}}/{condition}",
            condition=conditions_of(wildcards.dataset),
        ),
        sortings=expand(
            "results/noise_alone/sortings/{{dataset}}/{{replicate}}/{sorter}",
            sorter=study.sorters,
        ),
    output:
        "results/artifacts/{dataset}/{replicate}/noise_alone_sortings.parquet",
    log:
        "results/logs/noise_alone/{dataset}/{replicate}/units.log",
    localrule: True
    conda:
        "../../envs/generation.yaml"
    envmodules:
        *modules_of("generation"),
    message:
        "Count the units found in the noise alone of {wildcards.dataset}"
    script:
        "../scripts/count_invented_units.py"
