# A model card for each recipe that the study trains and denoises with.


include: "cards_common.smk"


card_tables = [
    "contacts",
    "models",
    "model_uses",
    "noise",
    "attenuation",
    "detectability",
    "noise_alone",
    "noise_alone_sortings",
    "rounding",
    "sortings",
    "units",
]
all_cards = [f"results/cards/{model}" for model in first_uses]


rule write_card:
    input:
        model=carded_model,
        tables=expand("results/tables/{table}.parquet", table=card_tables),
        verdict="results/verdict.json",
        citation=project_file("CITATION.cff"),
    output:
        directory("results/cards/{model}"),
    log:
        "results/logs/cards/{model}.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        facts=card_facts,
    message:
        "Write the card of {wildcards.model}"
    script:
        "../scripts/write_card.py"
