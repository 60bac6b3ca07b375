# What jobs that run a sorter ask of the configuration and of the deployment.

from types import SimpleNamespace


def sorter_environment(wildcards):
    """Input function: the environment to be installed before a sorter runs, if one is."""
    environment = sorter_environments[wildcards.sorter]
    if environment is None or with_conda:
        return []
    return f"results/environments/{environment}"


def sorter_conda(wildcards):
    environment = sorter_environments[wildcards.sorter] or "sorters"
    return str(project / f"envs/{environment}.yaml")


# What `SorterSettings` takes, but for limits.
sorter_fields = "sorter mode parameters threads container engine".split()
sorter_runs = {
    entry: {field: settings[field] for field in sorter_fields}
    for entry, settings in study.sorter_settings.items()
}


def sorter_run(wildcards):
    """The settings of a sorter, and a seed.

    The seed is the same in every condition: a pair differs in its condition alone. Noise alone is
    sorted once, with the seed of a recording's first sorting.
    """
    place = wildcards.dataset, wildcards.replicate, wildcards.sorter
    seed = derive_seed(study.seed, "sortings", *place, wildcards.get("repeat", "0"))
    return {"settings": sorter_runs[wildcards.sorter], "seed": seed}


def sorter_limits(wildcards):
    """The limits of a sorter, of a type that Snakemake doesn't compare: others redo no sorting."""
    settings = study.sorter_settings[wildcards.sorter]
    return SimpleNamespace(
        memory_mb=settings["memory_mb"], timeout_s=settings["timeout_s"]
    )


def sorter_threads(wildcards):
    return study.sorter_settings[wildcards.sorter]["threads"]


def sorter_gpus(wildcards):
    return study.sorter_settings[wildcards.sorter]["gpus"]
