# Paired effects against the reference condition.


rule estimate_effects:
    input:
        units="results/tables/units.parquet",
    output:
        multiext("results/tables/effects", *(f".{suffix}" for suffix in TABLE_FORMATS)),
    log:
        "results/logs/tables/effects.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        reference=study.reference,
        seed=derive_seed(study.seed, "statistics"),
    message:
        "Estimate the effects"
    script:
        "../scripts/estimate_effects.py"


tables = expand(
    "results/tables/{table}.{format}",
    table=[*table_parts, "effects"],
    format=TABLE_FORMATS,
)
