# One sorting for each dataset, replicate, condition, sorter and repeat.

all_sortings = per_dataset(
    "results/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}",
    condition=study.conditions,
    sorter=study.sorters,
    repeat=range(study.repeats),
)


rule sort:
    input:
        condition="results/conditions/{dataset}/{replicate}/{condition}",
    output:
        directory(
            "results/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}"
        ),
    log:
        "results/logs/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}.log",
    conda:
        "../../envs/sorters.yaml"
    threads: lambda wildcards: study.sorter_settings[wildcards.sorter]["threads"]
    resources:
        mem_mb=lambda wildcards: study.sorter_settings[wildcards.sorter]["memory_mb"],
        runtime=240,
    params:
        parameters=lambda wildcards: study.sorter_settings[wildcards.sorter][
            "parameters"
        ],
        threads=lambda wildcards: study.sorter_settings[wildcards.sorter]["threads"],
        # The same in every condition: a pair differs in its condition alone.
        seed=lambda wildcards: derive_seed(
            study.seed,
            "sortings",
            wildcards.dataset,
            wildcards.replicate,
            wildcards.sorter,
            wildcards.repeat,
        ),
    message:
        "Sort {wildcards.dataset}, {wildcards.condition}, with {wildcards.sorter}, repeat {wildcards.repeat}"
    script:
        "../scripts/sort.py"
