# Figures, from the tables alone.


# Name of a figure: the stage of the report it stands in, and the tables it is drawn from.
overview_figures = {
    "training": ("models", ["training", "models"]),
    "noise": ("conditions", ["noise"]),
    "noise_parts": ("conditions", ["noise_parts"]),
    "sortings": ("sortings", ["sortings"]),
    "amplitude": ("comparisons", ["units"]),
    "effects": ("statistics", ["effects"]),
}


for figure, (stage, table_names) in overview_figures.items():

    rule:
        name:
            f"draw_{figure}"
        input:
            expand("results/tables/{table}.parquet", table=table_names),
        output:
            report(
                f"results/figures/{figure}.svg",
                caption=f"../report/{figure}.rst",
                category=stage,
            ),
            multiext(f"results/figures/{figure}", ".pdf", ".png"),
        log:
            f"results/logs/figures/{figure}.log",
        conda:
            "../../envs/report.yaml"
        params:
            figure=figure,
            reference=study.reference,
            conditions=study.conditions,
        message:
            f"Draw {figure}"
        script:
            "../scripts/draw_overview.py"


rule draw_ground_truth:
    input:
        **{name: f"results/tables/{name}.parquet" for name in ground_truth_checks},
    output:
        report(
            "results/figures/ground_truth-{dataset}.svg",
            caption="../report/ground_truth.rst",
            category="datasets",
        ),
        multiext("results/figures/ground_truth-{dataset}", ".pdf", ".png"),
    log:
        "results/logs/figures/ground_truth-{dataset}.log",
    conda:
        "../../envs/report.yaml"
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
    conda:
        "../../envs/report.yaml"
    message:
        "Draw the noise of {wildcards.dataset} and of its original"
    script:
        "../scripts/draw_surrogate.py"


rule draw_traces:
    input:
        "results/tables/traces.parquet",
    output:
        report(
            "results/figures/traces-{dataset}-{condition}.svg",
            caption="../report/traces.rst",
            category="conditions",
        ),
        multiext("results/figures/traces-{dataset}-{condition}", ".pdf", ".png"),
    log:
        "results/logs/figures/traces-{dataset}-{condition}.log",
    conda:
        "../../envs/report.yaml"
    params:
        reference=study.reference,
        conditions=study.conditions,
    message:
        "Draw the traces of {wildcards.dataset}, {wildcards.condition}"
    script:
        "../scripts/draw_traces.py"


rule draw_accuracy:
    input:
        "results/tables/units.parquet",
    output:
        report(
            "results/figures/accuracy-{condition}.svg",
            caption="../report/accuracy.rst",
            category="comparisons",
        ),
        multiext("results/figures/accuracy-{condition}", ".pdf", ".png"),
    log:
        "results/logs/figures/accuracy-{condition}.log",
    conda:
        "../../envs/report.yaml"
    params:
        reference=study.reference,
    message:
        "Draw the accuracies of {wildcards.condition}"
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
figure_list = [
    *dataset_figures,
    *((stage, name, name) for name, (stage, _) in list(overview_figures.items())[:3]),
    *(
        ("conditions", "traces", f"traces-{dataset}-{condition}")
        for dataset in study.datasets
        for condition in other_conditions
        if condition in conditions_of(dataset)
    ),
    ("sortings", "sortings", "sortings"),
    *(
        ("comparisons", "accuracy", f"accuracy-{condition}")
        for condition in other_conditions
    ),
    ("comparisons", "amplitude", "amplitude"),
    ("statistics", "effects", "effects"),
]
figures = [path for _, _, name in figure_list for path in figure_files(name)]
