# The tables of the study: what its jobs measured, put together.

# From folders that each hold several.
tables_in = {
    "artifacts": [
        "noise",
        "noise_parts",
        "noise_transfer",
        "residual",
        "residual_spectra",
        "residual_covariance",
        "traces",
        "attenuation",
        "detectability",
    ],
    "trials": ["transient_spread", "rounding", "noise_alone"],
    "comparisons": [
        "units",
        "sortings",
        "matches",
        "quality",
        "agreement",
        "collisions",
        "correlograms",
    ],
}
folders_of = {"artifacts": measured, "trials": trials, "comparisons": compared}

# From files.
table_parts = {
    **{
        name: per_dataset(
            f"results/ground_truth_checks/{{dataset}}/{{replicate}}/{name}.parquet"
        )
        for name in ground_truth_checks
    },
    "noise_alone_sortings": noise_alone_sortings,
    "rasters": rasters,
    "models": [str(Path(model).with_name("summary.csv")) for model in all_models],
    "model_uses": ["results/models/uses.csv"] if denoising_conditions else [],
    "training": [str(Path(model).with_name("history.csv")) for model in all_models],
}
all_tables = [*table_parts, *(name for names in tables_in.values() for name in names)]
# What no dataset of the study knows leaves its tables without a row.
tables_without_rows = {name for name, parts in table_parts.items() if not parts}
if len(datasets_of("recorded")) == len(study.datasets):
    tables_without_rows |= {"attenuation", "detectability"}
if not noise_alone_datasets:
    tables_without_rows |= {"noise_alone"}


for stage, tables_of_stage in tables_in.items():

    rule:
        name:
            f"gather_{stage}"
        input:
            folders_of[stage],
        output:
            table_files(tables_of_stage),
        log:
            f"results/logs/tables/{stage}.log",
        localrule: True
        conda:
            "../../envs/report.yaml"
        envmodules:
            *modules_of("report"),
        message:
            f"Gather the tables of the stage {stage}"
        script:
            "../scripts/gather_tables.py"


rule gather_table:
    input:
        lambda wildcards: table_parts[wildcards.table],
    output:
        multiext("results/tables/{table}", *(f".{suffix}" for suffix in TABLE_FORMATS)),
    log:
        "results/logs/tables/{table}.log",
    wildcard_constraints:
        table=one_of(table_parts),
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    message:
        "Gather the table {wildcards.table}"
    script:
        "../scripts/gather_table.py"
