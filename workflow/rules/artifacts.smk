# What each condition did to the traces and to true spikes, apart from any sorter.

measured = per_dataset(
    "results/artifacts/{dataset}/{replicate}/{condition}", condition=study.conditions
)


rule measure:
    input:
        truth="results/ground_truth/{dataset}/{replicate}",
        condition="results/conditions/{dataset}/{replicate}/{condition}",
    output:
        directory("results/artifacts/{dataset}/{replicate}/{condition}"),
    log:
        "results/logs/artifacts/{dataset}/{replicate}/{condition}.log",
    group:
        "measures"
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
        reference=study.pipelines[study.reference],
        # The same excerpts and spikes in every condition.
        seed=lambda wildcards: derive_seed(
            study.seed, "artifacts", wildcards.dataset, wildcards.replicate
        ),
    message:
        "Measure {wildcards.dataset} in the condition {wildcards.condition}"
    script:
        "../scripts/measure.py"
