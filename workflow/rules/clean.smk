# What can be removed once a study is finished.


rule clean:
    log:
        "results/logs/clean.log",
    localrule: True
    conda:
        "../../envs/generation.yaml"
    envmodules:
        *modules_of("generation"),
    params:
        results=results,
        conditions=[str(results.parent / path) for path in all_conditions],
        finished=lambda wildcards: [str(path) for path in rules.all.input],
    message:
        "Remove large files that a finished study can do without"
    script:
        "../scripts/clean.py"
