# What jobs that run a sorter ask of the configuration and of the deployment. A sorter has the
# environment its entry names, else the one named like it, else that of the workflow: with conda
# envs/{environment}.yaml, without it envs/{environment}.lock, installed by a rule.


def environment_of(entry):
    """The environment of an entry of `sorters`, None for that of the workflow."""
    settings = study.sorter_settings[entry]
    if settings["container"] is not None or settings["environment"] == "sorters":
        return None
    wanted = settings["environment"] or settings["sorter"]
    files = [project / f"envs/{wanted}.{suffix}" for suffix in ("lock", "yaml")]
    if all(file.exists() for file in files):
        return wanted
    if settings["environment"] is None:
        return None
    missing = next(file for file in files if not file.exists())
    raise WorkflowError(
        f'sorters.{entry}.environment: found "{wanted}", but {missing} does not exist; '
        "allowed: the name of a .lock and a .yaml in that folder."
    )


sorter_environments = {entry: environment_of(entry) for entry in study.sorter_settings}


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
    """The same in every condition: a pair differs in its condition alone."""
    names = (wildcards.dataset, wildcards.replicate, wildcards.sorter, wildcards.repeat)
    return derive_seed(study.seed, "sortings", *names)
