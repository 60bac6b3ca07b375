# Every model that a condition denoises with, and those it was tuned from.

all_models = list(
    dict.fromkeys(
        path for condition in denoising_conditions for path in trained_models(condition)
    )
)
all_model_uses = model_uses()


addresses = [
    hub_address(given)
    for recipe in study.models.values()
    if is_hub_address(given := recipe.get("pretrained"))
]


# On the machine of Snakemake itself: where jobs run there is often no network.
rule fetch_model:
    output:
        "results/models/fetched/{repository}@{tag}.safetensors",
    log:
        "results/logs/models/fetched/{repository}@{tag}.log",
    wildcard_constraints:
        repository=one_of([address.repository for address in addresses]),
        tag=one_of([address.tag for address in addresses]),
    localrule: True
    conda:
        "../../envs/generation.yaml"
    envmodules:
        *modules_of("generation"),
    params:
        address="hf://{repository}@{tag}",
    message:
        "Fetch {wildcards.repository} at {wildcards.tag}"
    script:
        "../scripts/fetch_model.py"


rule train:
    input:
        unpack(base_input),
        truths=training_truths,
    output:
        model="results/models/{dataset}/{replicate}/{model}/{condition}/model.safetensors",
        history="results/models/{dataset}/{replicate}/{model}/{condition}/history.csv",
        summary="results/models/{dataset}/{replicate}/{model}/{condition}/summary.csv",
        loss="results/models/{dataset}/{replicate}/{model}/{condition}/loss.svg",
    log:
        "results/logs/models/{dataset}/{replicate}/{model}/{condition}.log",
    conda:
        deepinterpolation
    envmodules:
        *modules_of("deepinterpolation"),
    threads: 2
    resources:
        mem_mb=memory("train"),
        runtime=training_minutes,
        gpu=study.environments["gpus"],
    params:
        recipe=lambda wildcards: study.models[wildcards.model],
        pipeline=lambda wildcards: steps_before_denoising(
            study.pipelines[wildcards.condition]
        ),
        packages=packages_of,
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
        # Outlives a killed job, unlike an output: training goes on from it.
        checkpoint=lambda wildcards, output: str(
            Path(output.model).with_name("checkpoint")
        ),
        threads=2,
        # The same in every condition: a pair differs in its condition alone.
        seed=lambda wildcards: derive_seed(
            study.seed,
            "models",
            wildcards.dataset,
            wildcards.replicate,
            wildcards.model,
        ),
    message:
        "Train {wildcards.model} on {wildcards.dataset} for the condition {wildcards.condition}"
    script:
        "../scripts/train.py"


rule list_model_uses:
    output:
        "results/models/uses.csv",
    log:
        "results/logs/models/uses.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        uses=all_model_uses,
    message:
        "Write down which model each condition denoises with"
    script:
        "../scripts/list_model_uses.py"
