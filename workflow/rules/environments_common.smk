# What the configuration and the way of deployment say on environments.

from snakemake.settings.types import DeploymentMethod

from ephys_deepinterpolation.environment_modules import loading_problem

deployment = workflow.deployment_settings.deployment_method
with_conda = DeploymentMethod.CONDA in deployment
with_modules = DeploymentMethod.ENV_MODULES in deployment

device = "-gpu" if study.environments["gpus"] else ""
deepinterpolation = f"../../envs/deepinterpolation{device}.yaml"
modules = study.environments["modules"]


def check_modules():
    """Refuse modules that cannot be loaded: Snakemake would run their jobs with its own Python."""
    for name in ["generation", "deepinterpolation", "sorters", "report"]:
        place = f"environments.modules.{name}"
        if name in modules and (problem := loading_problem(modules[name])):
            raise WorkflowError(
                f"{place}: {' '.join(modules[name])} cannot be used here ({problem}); "
                "name modules that `module avail` lists, Python among them."
            )
        if name not in modules and not with_conda:
            raise WorkflowError(
                f"{place} is missing; name the modules that hold the software of these "
                "jobs, or leave env-modules out."
            )


if with_modules:
    check_modules()


def modules_of(environment):
    """The modules that hold an environment, none where the configuration names none."""
    return modules.get(environment, [])


def dataset_conda(wildcards):
    """Where a dataset is made or read: a format may need more than others."""
    return str(project / f"envs/{study.datasets[wildcards.dataset].environment}.yaml")


def check_datasets():
    for name, dataset in study.datasets.items():
        file = project / f"envs/{dataset.environment}.yaml"
        if not file.exists():
            raise WorkflowError(
                f'study.datasets, {name}, environment: found "{dataset.environment}", but '
                f"{file} does not exist; allowed: the name of a .yaml in that folder."
            )


check_datasets()


def environment_of(entry):
    """The environment of an entry of `sorters`, None for that of the workflow.

    That which it names, else the one named like its sorter: with conda envs/{environment}.yaml,
    without it envs/{environment}.lock, installed by a rule.
    """
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
