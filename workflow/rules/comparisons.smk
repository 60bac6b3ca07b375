# Sortings held against the truth, and the tables everything later is drawn from.


rule compare:
    input:
        truth="results/ground_truth/{dataset}/{replicate}",
        condition="results/conditions/{dataset}/{replicate}/{condition}",
        sorting="results/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}",
        reference_noise=f"results/artifacts/{{dataset}}/{{replicate}}/{study.reference}/noise.parquet",
    output:
        units="results/comparisons/{dataset}/{replicate}/{condition}/{sorter}/{repeat}/units.parquet",
        sortings="results/comparisons/{dataset}/{replicate}/{condition}/{sorter}/{repeat}/sortings.parquet",
    log:
        "results/logs/comparisons/{dataset}/{replicate}/{condition}/{sorter}/{repeat}.log",
    conda:
        "../../envs/generation.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
        reference=study.pipelines[study.reference],
    message:
        "Compare {wildcards.sorter} on {wildcards.dataset}, {wildcards.condition}, with the truth"
    script:
        "../scripts/compare.py"


table_parts = {
    **{
        name: per_dataset(
            f"results/ground_truth_checks/{{dataset}}/{{replicate}}/{name}.parquet"
        )
        for name in ground_truth_checks
    },
    **{
        name: per_dataset(
            f"results/comparisons/{{dataset}}/{{replicate}}/{{condition}}/{{sorter}}/{{repeat}}/{name}.parquet",
            condition=study.conditions,
            sorter=study.sorters,
            repeat=range(study.repeats),
        )
        for name in ("units", "sortings")
    },
    **{
        name: [f"{folder}/{name}.parquet" for folder in measured]
        for name in (*trace_measures, "transient_spread", "rounding")
    },
    **{
        name: [f"{folder}/{name}.parquet" for folder in measured_spikes]
        for name in spike_measures
    },
    "noise_alone": noise_alone,
    "noise_alone_sortings": noise_alone_sortings,
    "traces": [
        f"results/artifacts/{dataset}/0/{condition}/traces.parquet"
        for dataset in study.datasets
        for condition in conditions_of(dataset)
    ],
    "models": [str(Path(model).with_name("summary.csv")) for model in all_models],
    "training": [str(Path(model).with_name("history.csv")) for model in all_models],
}


rule gather_table:
    input:
        lambda wildcards: table_parts[wildcards.table],
    output:
        multiext("results/tables/{table}", *(f".{suffix}" for suffix in TABLE_FORMATS)),
    log:
        "results/logs/tables/{table}.log",
    wildcard_constraints:
        table=one_of(table_parts),
    localrule: True
    conda:
        "../../envs/report.yaml"
    message:
        "Gather the table {wildcards.table}"
    script:
        "../scripts/gather_table.py"
