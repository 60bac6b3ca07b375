# Paired effects against the reference condition, and the verdict on them.

from ephys_deepinterpolation.statistics import hash_config, read_endpoints, tables_of


rule estimate_effects:
    input:
        **{
            name: f"results/tables/{name}.parquet"
            for name in tables_of(read_endpoints(study.endpoints))
        },
    output:
        tables=multiext(
            "results/tables/effects", *(f".{suffix}" for suffix in TABLE_FORMATS)
        ),
        verdict="results/verdict.json",
    log:
        "results/logs/tables/effects.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        endpoints=study.endpoints,
        reference=study.reference,
        repeats=study.repeats,
        conditions=study.conditions,
        pipelines=study.pipelines,
        seed=study.seed,
        config_sha256=hash_config(config),
    message:
        "Estimate the effects and give the verdict"
    script:
        "../scripts/estimate_effects.py"


tables = table_files([*all_tables, "effects"])
