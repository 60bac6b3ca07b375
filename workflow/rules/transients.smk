# How far each condition spreads transients, and what rounding its output costs.


rule try_transients:
    input:
        unpack(model_input),
        truth="results/ground_truth/{dataset}/{replicate}",
        condition="results/conditions/{dataset}/{replicate}/{condition}",
        reference_noise=f"results/artifacts/{{dataset}}/{{replicate}}/{study.reference}/noise.parquet",
    output:
        transient_spread="results/artifacts/{dataset}/{replicate}/{condition}/transient_spread.parquet",
        rounding="results/artifacts/{dataset}/{replicate}/{condition}/rounding.parquet",
    log:
        "results/logs/transients/{dataset}/{replicate}/{condition}.log",
    group:
        "transients"
    conda:
        deepinterpolation
    envmodules:
        *modules_of("deepinterpolation"),
    threads: condition_threads
    resources:
        mem_mb=condition_memory,
        runtime=condition_minutes,
        at_once=1,
        gpu=condition_gpus,
    params:
        kind=lambda wildcards: study.datasets[wildcards.dataset].kind,
        pipeline=lambda wildcards: study.pipelines[wildcards.condition],
        packages=packages_of,
        saturation_uv=study.artifacts["saturation_uv"],
        threads=condition_threads,
        # The same excerpts in every condition.
        seed=lambda wildcards: derive_seed(
            study.seed, "transients", wildcards.dataset, wildcards.replicate
        ),
    message:
        "Try the condition {wildcards.condition} with transients in {wildcards.dataset}"
    script:
        "../scripts/try_transients.py"
