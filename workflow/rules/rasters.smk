# Spikes of a second, to draw: of the first replicate of the first dataset of each kind.

drawn_datasets = [
    dataset
    for number, dataset in enumerate(study.datasets)
    if study.datasets[dataset].kind
    not in [study.datasets[name].kind for name in list(study.datasets)[:number]]
]
rasters = [
    f"results/comparisons/{dataset}/0/rasters.parquet" for dataset in drawn_datasets
]


rule cut_rasters:
    input:
        truth="results/ground_truth/{dataset}/0",
        sortings=lambda wildcards: expand(
            "results/sortings/{{dataset}}/0/{condition}/{sorter}/0",
            condition=conditions_of(wildcards.dataset),
            sorter=study.sorters,
        ),
        comparisons=lambda wildcards: expand(
            "results/comparisons/{{dataset}}/0/{condition}",
            condition=conditions_of(wildcards.dataset),
        ),
    output:
        "results/comparisons/{dataset}/0/rasters.parquet",
    log:
        "results/logs/comparisons/{dataset}/rasters.log",
    group:
        "comparisons"
    conda:
        "../../envs/generation.yaml"
    envmodules:
        *modules_of("generation"),
    resources:
        mem_mb=memory("compare"),
        runtime=minutes("compare"),
        at_once=1,
    params:
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
    message:
        "Take a second of spikes of {wildcards.dataset}"
    script:
        "../scripts/cut_rasters.py"
