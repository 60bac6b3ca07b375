# The figures of the published study, docs/study, from the tables that are kept there. Nothing is
# estimated anew, and the configuration at hand plays no part.

published = project / "docs/study"
published_figures = sorted(path.stem for path in published.glob("figures/*.svg"))
published_study = (
    load_configfile(published / "config.yaml")["study"] if published_figures else {}
)


def published_table(name):
    return project_file(f"docs/study/tables/{name}.parquet")


def on_paper(names):
    return expand("results/paper/{name}.{format}", name=names, format=["svg", "pdf"])


def published_of(kind):
    """What follows the kind in the names of published figures that are drawn for many things."""
    names = (name.partition("-") for name in published_figures)
    return [thing for first, _, thing in names if first == kind and thing]


published_overviews = {
    name: needed for _, name, needed in all_overviews if name in published_figures
}


rule draw_paper:
    input:
        **{
            table: published_table(table)
            for needed in published_overviews.values()
            for table in needed
        },
    output:
        on_paper(published_overviews),
    log:
        "results/logs/paper/overviews.log",
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        figures=published_overviews,
        reference=published_study.get("reference"),
        conditions=published_study.get("conditions"),
    message:
        "Draw the figures of the published study"
    script:
        "../scripts/draw_overview.py"


rule draw_paper_accuracy:
    input:
        published_table("units"),
    output:
        on_paper(f"accuracy-{condition}" for condition in published_of("accuracy")),
    log:
        "results/logs/paper/accuracy.log",
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        reference=published_study.get("reference"),
        conditions=published_of("accuracy"),
    message:
        "Draw the accuracies of the published study"
    script:
        "../scripts/draw_accuracy.py"


rule draw_paper_ground_truth:
    input:
        **{
            name: published_table(name)
            for name in ("contacts", "true_units", "excerpts", "spectra")
        },
    output:
        on_paper(["ground_truth-{published}"]),
    log:
        "results/logs/paper/ground_truth-{published}.log",
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        dataset=lambda wildcards: wildcards.published,
    message:
        "Draw {wildcards.published} of the published study"
    script:
        "../scripts/draw_ground_truth.py"


rule tabulate_paper:
    input:
        effects=published_table("effects"),
        verdict=project_file("docs/study/verdict.json"),
    output:
        "results/paper/effects.md",
        "results/paper/effects_by_dataset.md",
        "results/paper/effects_by_sorter.md",
    log:
        "results/logs/paper/effects.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        conditions=published_study.get("conditions"),
    message:
        "Write the effects of the published study as tables"
    script:
        "../scripts/tabulate_effects.py"


rule paper_figures:
    input:
        on_paper(published_figures),
        rules.tabulate_paper.output if published_figures else [],
