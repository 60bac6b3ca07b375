# What each condition, and each sorter after it, finds in a recording's own noise without any spike.

noise_alone_datasets = list(filter(study.knows_noise_alone, study.datasets))
noise_alone = per_dataset(
    "results/artifacts/{dataset}/{replicate}/{condition}/noise_alone.parquet",
    datasets=noise_alone_datasets,
    condition=study.conditions,
)
noise_alone_sortings = per_dataset(
    "results/artifacts/{dataset}/{replicate}/noise_alone_sortings.parquet",
    datasets=noise_alone_datasets if study.artifacts["sort_noise_alone"] else [],
)


rule try_noise_alone:
    input:
        unpack(model_input),
        truth="results/ground_truth/{dataset}/{replicate}",
    output:
        recording=temp(
            directory(
                "results/noise_alone/recordings/{dataset}/{replicate}/{condition}"
            )
        ),
        crossings="results/artifacts/{dataset}/{replicate}/{condition}/noise_alone.parquet",
    log:
        "results/logs/noise_alone/{dataset}/{replicate}/{condition}.log",
    group:
        "noise_alone"
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
        reference=study.pipelines[study.reference],
        artifacts=study.artifacts,
        threads=condition_threads,
        # The same excerpts in every condition.
        seed=lambda wildcards: derive_seed(
            study.seed, "noise_alone", wildcards.dataset, wildcards.replicate
        ),
    message:
        "Try the condition {wildcards.condition} with the noise alone of {wildcards.dataset}"
    script:
        "../scripts/try_noise_alone.py"


use rule sort as sort_noise_alone with:
    input:
        environment=sorter_environment,
        condition=rules.try_noise_alone.output.recording,
    output:
        directory(
            "results/noise_alone/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}"
        ),
    log:
        "results/logs/noise_alone/{dataset}/{replicate}/{condition}/{sorter}/{repeat}.log",
    message:
        "Sort the noise alone of {wildcards.dataset}, {wildcards.condition}, with {wildcards.sorter}, repeat {wildcards.repeat}"


rule count_invented_units:
    input:
        crossings=lambda wildcards: expand(
            rules.try_noise_alone.output.crossings,
            condition=conditions_of(wildcards.dataset),
            allow_missing=True,
        ),
        sortings=lambda wildcards: expand(
            rules.sort_noise_alone.output[0],
            condition=conditions_of(wildcards.dataset),
            sorter=study.sorters,
            repeat=0,
            allow_missing=True,
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
