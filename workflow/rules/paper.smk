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


all_published = [
    *on_paper(published_figures),
    *(rules.tabulate_paper.output if published_figures else []),
]
