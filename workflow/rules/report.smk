# One HTML file that can be sent to somebody.


rule write_report:
    input:
        tables=expand(
            "results/tables/{table}.parquet", table=[*all_tables, *estimated_tables]
        ),
        verdict="results/verdict.json",
        figures=[f"results/figures/{name}.svg" for _, _, name in figure_list],
        pictures=[f"results/figures/{name}.png" for _, _, name in figure_list],
        captions=project_file("workflow/report"),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    envmodules:
        *modules_of("report"),
    params:
        figures=figure_list,
        config=config,
    message:
        "Write the report"
    script:
        "../scripts/write_report.py"
