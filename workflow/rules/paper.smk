# The figures of the published study, docs/study, from the tables that are kept there. Nothing is
# estimated anew, and the configuration at hand plays no part.


include: "paper_common.smk"


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
    localrule: True
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
        on_paper(f"accuracy-{condition}" for condition in published_accuracies),
    log:
        "results/logs/paper/accuracy.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        reference=published_study.get("reference"),
        conditions=published_accuracies,
    message:
        "Draw the accuracies of the published study"
    script:
        "../scripts/draw_accuracy.py"


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


use rule tabulate_paper as tabulate_paper_rulers with:
    input:
        effects=project_file("docs/study/rulers/tables/effects.parquet"),
        verdict=project_file("docs/study/rulers/verdict.json"),
    output:
        "results/paper/rulers/effects.md",
        "results/paper/rulers/effects_by_dataset.md",
        "results/paper/rulers/effects_by_sorter.md",
    log:
        "results/logs/paper/rulers.log",
    message:
        "Write the effects of the published rulers as tables"


published_effects = [*rules.tabulate_paper.output, *rules.tabulate_paper_rulers.output]
all_published = [
    *on_paper(published_figures),
    *(published_effects if published_figures else []),
]
