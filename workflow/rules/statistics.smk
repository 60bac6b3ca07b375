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


# Whether models transfer is shown where one is trained further than it was.
tunes_models = any(
    study.bases_of(study.model_of(name)) for name in denoising_conditions
)
estimated_tables = ["effects", *(["transfer"] if tunes_models else [])]


rule tabulate_transfer:
    input:
        **{
            name: f"results/tables/{name}.parquet"
            for name in (
                "models",
                "model_uses",
                "recordings",
                "residual_spectra",
                "effects",
            )
        },
    output:
        multiext("results/tables/transfer", *(f".{suffix}" for suffix in TABLE_FORMATS)),
    log:
        "results/logs/tables/transfer.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        seed=study.seed,
    message:
        "Tabulate what models are worth for how much data"
    script:
        "../scripts/tabulate_transfer.py"


tables = table_files([*all_tables, *estimated_tables])
