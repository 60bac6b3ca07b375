# One model for each dataset, replicate and condition that denoises.

all_models = [
    f"{folder}/{study.model_of(condition)}/{condition}/model.safetensors"
    for condition in denoising_conditions
    for folder in per_dataset("results/models/{dataset}/{replicate}")
]


rule train:
    input:
        truth="results/ground_truth/{dataset}/{replicate}",
    output:
        model="results/models/{dataset}/{replicate}/{model}/{condition}/model.safetensors",
        history="results/models/{dataset}/{replicate}/{model}/{condition}/history.csv",
        summary="results/models/{dataset}/{replicate}/{model}/{condition}/summary.csv",
        loss="results/models/{dataset}/{replicate}/{model}/{condition}/loss.svg",
    log:
        "results/logs/models/{dataset}/{replicate}/{model}/{condition}.log",
    conda:
        "../../envs/deepinterpolation.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        recipe=lambda wildcards: study.models[wildcards.model],
        pipeline=lambda wildcards: study.pipelines[wildcards.condition],
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
        # Outlives a killed job, unlike an output: training goes on from it.
        checkpoint="results/models/{dataset}/{replicate}/{model}/{condition}/checkpoint",
        threads=2,
        seed=seed_of("models"),
    message:
        "Train {wildcards.model} on {wildcards.dataset} for the condition {wildcards.condition}"
    script:
        "../scripts/train.py"
