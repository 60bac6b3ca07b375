# Sortings held against the truth, and the tables everything later is drawn from.


comparison_tables = (
    "units",
    "sortings",
    "matches",
    "quality",
    "agreement",
    "collisions",
    "correlograms",
)


rule compare:
    input:
        unpack(reference_comparison),
        truth="results/ground_truth/{dataset}/{replicate}",
        condition="results/conditions/{dataset}/{replicate}/{condition}",
        noise="results/artifacts/{dataset}/{replicate}/{condition}/noise.parquet",
        reference_noise=f"results/artifacts/{{dataset}}/{{replicate}}/{study.reference}/noise.parquet",
        sortings=sortings_of(),
        reference_sortings=sortings_of(condition=study.reference),
    output:
        **{
            name: f"results/comparisons/{{dataset}}/{{replicate}}/{{condition}}/{name}.parquet"
            for name in comparison_tables
        },
    log:
        "results/logs/comparisons/{dataset}/{replicate}/{condition}.log",
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
        reference=study.pipelines[study.reference],
        match_score=study.match_score,
    message:
        "Compare the sortings of {wildcards.dataset}, {wildcards.condition}, with the truth, the reference and each other"
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
            f"results/comparisons/{{dataset}}/{{replicate}}/{{condition}}/{name}.parquet",
            condition=study.conditions,
        )
        for name in comparison_tables
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
    "rasters": rasters,
    "traces": [
        f"results/artifacts/{dataset}/0/{condition}/traces.parquet"
        for dataset in study.datasets
        for condition in conditions_of(dataset)
    ],
    "models": [str(Path(model).with_name("summary.csv")) for model in all_models],
    "model_uses": ["results/models/uses.csv"] if denoising_conditions else [],
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
    envmodules:
        *modules_of("report"),
    message:
        "Gather the table {wildcards.table}"
    script:
        "../scripts/gather_table.py"
