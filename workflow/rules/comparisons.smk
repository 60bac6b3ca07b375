# Sortings held against the truth, and the tables everything later is drawn from.


compared = per_dataset(
    "results/comparisons/{dataset}/{replicate}/{condition}", condition=study.conditions
)


rule compare:
    input:
        unpack(reference_comparison),
        truth="results/ground_truth/{dataset}/{replicate}",
        condition="results/conditions/{dataset}/{replicate}/{condition}",
        artifacts="results/artifacts/{dataset}/{replicate}/{condition}",
        reference_artifacts=f"results/artifacts/{{dataset}}/{{replicate}}/{study.reference}",
        sortings=sortings_of(),
        reference_sortings=sortings_of(condition=study.reference),
    output:
        directory("results/comparisons/{dataset}/{replicate}/{condition}"),
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
