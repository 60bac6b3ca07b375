# What jobs run in: conda environments, modules of a site, or the one pip environment. Some sorters
# and MEArec have pip environments of their own, built here where conda does not make them.


include: "environments_common.smk"


simulated = [
    name
    for name in datasets_of("mearec")
    if "simulation" in study.datasets[name].parameters
]
# Those that jobs of this study need.
pip_environments = dict.fromkeys(
    environment
    for environment in [
        *(["mearec"] if simulated else []),
        *map(sorter_environments.get, study.sorters),
    ]
    if environment and not with_conda
)
all_environments = expand(
    "results/environments/{environment}", environment=pip_environments
)


rule install_environment:
    input:
        project_file("envs/{environment}.lock"),
    output:
        directory("results/environments/{environment}"),
    log:
        "results/logs/environments/{environment}.log",
    wildcard_constraints:
        environment=one_of(["mearec", *filter(None, sorter_environments.values())]),
    localrule: True
    conda:
        "../../envs/generation.yaml"
    message:
        "Install {wildcards.environment}"
    script:
        "../scripts/install_environment.py"
