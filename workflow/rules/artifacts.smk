# What each condition did to the traces, apart from any sorter.

measured = per_dataset(
    "results/artifacts/{dataset}/{replicate}/{condition}", condition=study.conditions
)


rule measure_traces:
    input:
        truth="results/ground_truth/{dataset}/{replicate}",
        condition="results/conditions/{dataset}/{replicate}/{condition}",
    output:
        noise="results/artifacts/{dataset}/{replicate}/{condition}/noise.parquet",
        noise_parts="results/artifacts/{dataset}/{replicate}/{condition}/noise_parts.parquet",
        traces="results/artifacts/{dataset}/{replicate}/{condition}/traces.parquet",
    log:
        "results/logs/artifacts/{dataset}/{replicate}/{condition}.log",
    conda:
        "../../envs/generation.yaml"
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
        reference=study.pipelines[study.reference],
        # The same excerpts in every condition.
        seed=lambda wildcards: derive_seed(
            study.seed, "artifacts", wildcards.dataset, wildcards.replicate
        ),
    message:
        "Measure the traces of {wildcards.dataset} in the condition {wildcards.condition}"
    script:
        "../scripts/measure_traces.py"
