# Models that the study trains, put on a hub: `snakemake publish`.

if unused := set(study.publications) - set(first_uses):
    raise WorkflowError(
        f"publish: found {', '.join(sorted(unused))}, which no condition of the study denoises "
        f"with; allowed: {', '.join(first_uses) or 'nothing, as no model is trained'}."
    )

all_publications = expand("results/published/{model}.json", model=study.publications)


rule publish_model:
    input:
        model=carded_model,
        card="results/cards/{model}",
    output:
        "results/published/{model}.json",
    log:
        "results/logs/published/{model}.log",
    localrule: True
    conda:
        "../../envs/generation.yaml"
    envmodules:
        *modules_of("generation"),
    params:
        publication=lambda wildcards: study.publications[wildcards.model],
    message:
        "Publish {wildcards.model}"
    script:
        "../scripts/publish_model.py"
