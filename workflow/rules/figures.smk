# Figures, from the tables alone.

# In the order of the report: its stage, the figure (a module of the package and a caption of the
# same name), the tables it is drawn from.
all_overviews = [
    ("models", "training", ["training", "models"]),
    ("conditions", "noise", ["noise"]),
    ("conditions", "noise_parts", ["noise_parts"]),
    ("artifacts", "noise_transfer", ["noise_transfer"]),
    ("artifacts", "residual", ["residual"]),
    ("artifacts", "residual_spectra", ["residual_spectra"]),
    ("artifacts", "residual_covariance", ["residual_covariance"]),
    ("artifacts", "attenuation", ["attenuation"]),
    ("artifacts", "attenuation_map", ["attenuation"]),
    ("artifacts", "spike_shape", ["attenuation"]),
    ("artifacts", "added_signal", ["attenuation"]),
    ("artifacts", "hybrid", ["attenuation"]),
    ("artifacts", "detectability", ["detectability"]),
    ("artifacts", "phantoms", ["noise_alone", "noise_alone_sortings"]),
    ("artifacts", "transient_spread", ["transient_spread"]),
    ("artifacts", "rounding", ["rounding"]),
    ("sortings", "sortings", ["sortings"]),
    ("sortings", "run_time", ["sortings"]),
    ("comparisons", "amplitude", ["units"]),
    ("comparisons", "collisions", ["collisions"]),
    ("comparisons", "correlograms", ["correlograms"]),
    ("comparisons", "matches", ["matches"]),
    ("comparisons", "quality", ["quality"]),
    ("comparisons", "thresholds", ["quality"]),
    ("comparisons", "agreement", ["agreement"]),
    ("statistics", "effects", ["effects"]),
    ("statistics", "gain_amplitude", ["units"]),
    ("statistics", "cost", ["sortings"]),
    ("statistics", "rivals", ["noise", "attenuation", "detectability", "effects"]),
    ("statistics", "effects_by_dataset", ["effects"]),
    ("statistics", "effects_by_sorter", ["effects"]),
    ("statistics", "gain_noise", ["effects", "recordings"]),
    ("statistics", "training_gain", ["models", "effects", "model_uses"]),
    ("statistics", "transfer", ["transfer"]),
]

# What a study cannot show is not drawn: tables it does not make, and these.
datasets_with_truth = [
    name for name in study.datasets if name not in datasets_of("recorded")
]
cannot_show = {
    "hybrid": not datasets_of("hybrid"),
    "agreement": len(study.sorters) < 2,
    "effects_by_dataset": len(datasets_with_truth) < 2,
    "effects_by_sorter": len(study.sorters) < 2,
    "gain_noise": len(datasets_with_truth) < 2,
}
# Phantoms are drawn without what sorters find in noise alone, where that was not asked for.
made_tables = {*all_tables, *estimated_tables} - tables_without_rows
made_tables |= {"noise_alone_sortings"}
overviews = [
    (stage, name, needed)
    for stage, name, needed in all_overviews
    if made_tables.issuperset(needed) and not cannot_show.get(name)
]


for figure_stage in dict.fromkeys(stage for stage, _, _ in overviews):
    of_stage = {
        name: needed for stage, name, needed in overviews if stage == figure_stage
    }

    rule:
        name:
            f"draw_{figure_stage}"
        input:
            **{
                table: f"results/tables/{table}.parquet"
                for needed in of_stage.values()
                for table in needed
            },
        output:
            drawn(figure_stage, of_stage),
        log:
            f"results/logs/figures/{figure_stage}.log",
        group:
            "figures"
        conda:
            "../../envs/report.yaml"
        envmodules:
            *modules_of("report"),
        resources:
            mem_mb=figures_memory,
            runtime=lambda wildcards, attempt: 30 * attempt,
            at_once=1,
        params:
            figures=of_stage,
            reference=study.reference,
            conditions=study.conditions,
        message:
            f"Draw the figures of the stage {figure_stage}"
        script:
            "../scripts/draw_overview.py"


rule draw_ground_truth:
    input:
        **{
            name: f"results/tables/{name}.parquet"
            for name in ("contacts", "true_units", "excerpts", "spectra")
        },
    output:
        report(
            "results/figures/ground_truth-{dataset}.svg",
            caption="../report/ground_truth.rst",
            category="datasets",
        ),
        multiext("results/figures/ground_truth-{dataset}", ".pdf", ".png"),
    log:
        "results/logs/figures/ground_truth-{dataset}.log",
    group:
        "figures"
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    resources:
        mem_mb=figures_memory,
        runtime=lambda wildcards, attempt: 30 * attempt,
        at_once=1,
    message:
        "Draw {wildcards.dataset}"
    script:
        "../scripts/draw_ground_truth.py"


rule draw_surrogate:
    input:
        lambda wildcards: expand(
            "results/ground_truth_checks/{dataset}/{replicate}/likeness.parquet",
            dataset=wildcards.dataset,
            replicate=replicates_of(wildcards.dataset),
        ),
    output:
        report(
            "results/figures/surrogate-{dataset}.svg",
            caption="../report/surrogate.rst",
            category="datasets",
        ),
        multiext("results/figures/surrogate-{dataset}", ".pdf", ".png"),
    log:
        "results/logs/figures/surrogate-{dataset}.log",
    wildcard_constraints:
        dataset=one_of(datasets_of("surrogate")),
    group:
        "figures"
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    resources:
        mem_mb=figures_memory,
        runtime=lambda wildcards, attempt: 30 * attempt,
        at_once=1,
    message:
        "Draw the noise of {wildcards.dataset} and of its original"
    script:
        "../scripts/draw_surrogate.py"


if other_conditions:

    rule draw_traces:
        input:
            traces="results/tables/traces.parquet",
            rasters="results/tables/rasters.parquet",
        output:
            drawn(
                "conditions",
                [f"traces-{{dataset}}-{condition}" for condition in other_conditions],
                "traces",
            ),
            drawn(
                "sortings",
                [f"rasters-{{dataset}}-{condition}" for condition in other_conditions],
                "rasters",
            ),
        log:
            "results/logs/figures/traces-{dataset}.log",
        wildcard_constraints:
            dataset=one_of(drawn_datasets),
        group:
            "figures"
        conda:
            "../../envs/report.yaml"
        envmodules:
            *modules_of("report"),
        resources:
            mem_mb=figures_memory,
            runtime=lambda wildcards, attempt: 30 * attempt,
            at_once=1,
        params:
            reference=study.reference,
            conditions=study.conditions,
            others=other_conditions,
        message:
            "Draw traces and spikes of {wildcards.dataset}"
        script:
            "../scripts/draw_traces.py"

    rule draw_accuracy:
        input:
            "results/tables/units.parquet",
        output:
            drawn(
                "comparisons",
                [f"accuracy-{condition}" for condition in other_conditions],
                "accuracy",
            ),
        log:
            "results/logs/figures/accuracy.log",
        group:
            "figures"
        conda:
            "../../envs/report.yaml"
        envmodules:
            *modules_of("report"),
        resources:
            mem_mb=figures_memory,
            runtime=lambda wildcards, attempt: 30 * attempt,
            at_once=1,
        params:
            reference=study.reference,
            conditions=other_conditions,
        message:
            "Draw the accuracies"
        script:
            "../scripts/draw_accuracy.py"


# In the order of the report: stage, caption, file name.
dataset_figures = [
    ("datasets", "ground_truth", f"ground_truth-{dataset}")
    for dataset in study.datasets
] + [
    ("datasets", "surrogate", f"surrogate-{dataset}")
    for dataset in datasets_of("surrogate")
]
figures_of_pairs = [
    (stage, name, f"{name}-{dataset}-{condition}")
    for stage, name in (("conditions", "traces"), ("sortings", "rasters"))
    for dataset in drawn_datasets
    for condition in other_conditions
    if condition in conditions_of(dataset)
]
accuracies = [
    ("comparisons", "accuracy", f"accuracy-{condition}")
    for condition in other_conditions
]
figure_list = [
    *dataset_figures,
    *((stage, name, name) for stage, name, _ in overviews),
    *figures_of_pairs,
    *accuracies,
]
figures = [path for _, _, name in figure_list for path in figure_files(name)]
