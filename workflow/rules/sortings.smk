# One sorting for each dataset, replicate, condition, sorter and repeat.


include: "sortings_common.smk"


all_sortings = per_dataset(
    "results/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}",
    condition=study.conditions,
    sorter=study.sorters,
    repeat=range(study.repeats),
)


rule sort:
    input:
        environment=sorter_environment,
        condition="results/conditions/{dataset}/{replicate}/{condition}",
    output:
        directory(
            "results/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}"
        ),
    log:
        "results/logs/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}.log",
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
        "Sort {wildcards.dataset}, {wildcards.condition}, with {wildcards.sorter}, repeat {wildcards.repeat}"
    script:
        "../scripts/sort.py"
