# What jobs that run a sorter ask of the configuration and of the deployment.


def sorter_environment(wildcards):
    """Input function: the environment to be installed before a sorter runs, if one is."""
    environment = sorter_environments[wildcards.sorter]
    if environment is None or with_conda:
        return []
    return f"results/environments/{environment}"


def sorter_conda(wildcards):
    environment = sorter_environments[wildcards.sorter] or "sorters"
    return str(project / f"envs/{environment}.yaml")


def sorter_python(wildcards, input):
    """The interpreter that runs a sorter, None for that of the job."""
    return f"{input.environment}/bin/python" if input.environment else None


def sorter_run(wildcards):
    """What `SorterSettings` takes."""
    names = (
        "sorter mode parameters threads memory_mb timeout_s container engine".split()
    )
    settings = study.sorter_settings[wildcards.sorter]
    return {name: settings[name] for name in names}


def sorter_threads(wildcards):
    return study.sorter_settings[wildcards.sorter]["threads"]


def sorter_gpus(wildcards):
    return study.sorter_settings[wildcards.sorter]["gpus"]


def sorter_seed(wildcards):
    """The same in every condition: a pair differs in its condition alone.

    Noise alone is sorted once, with the seed of a recording's first sorting.
    """
    place = wildcards.dataset, wildcards.replicate, wildcards.sorter
    return derive_seed(study.seed, "sortings", *place, wildcards.get("repeat", "0"))
