# Preprocessing pipelines, with and without a denoiser in them.

all_conditions = per_dataset(
    "results/conditions/{dataset}/{replicate}/{condition}", condition=study.conditions
)


rule apply_condition:
    input:
        unpack(model_input),
        truth="results/ground_truth/{dataset}/{replicate}",
    output:
        directory("results/conditions/{dataset}/{replicate}/{condition}"),
    log:
        "results/logs/conditions/{dataset}/{replicate}/{condition}.log",
    conda:
        deepinterpolation
    envmodules:
        *modules_of("deepinterpolation"),
    threads: condition_threads
    resources:
        mem_mb=condition_memory,
        runtime=condition_minutes,
        gpu=condition_gpus,
    params:
        pipeline=lambda wildcards: study.pipelines[wildcards.condition],
        packages=packages_of,
        threads=condition_threads,
    message:
        "Apply the condition {wildcards.condition} to {wildcards.dataset}"
    script:
        "../scripts/apply_condition.py"
