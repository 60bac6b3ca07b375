# What jobs ask of a cluster: memory (MB) and minutes, which grow with the recording and the attempt.

import functools

from ephys_deepinterpolation import sizes


# Jobs of a group take turns: profiles say `at_once: 1`, which makes a group ask for what its largest
# job asks for, and the Snakemake that runs a group on a node, which does not read them, is told here.
resource_scopes:
    at_once="local",


if not workflow.is_main_process:
    workflow.register_resource("at_once", 1)


@functools.cache
def size_of(dataset):
    return sizes.size_of(study.datasets[dataset], Path("results/sources"))


@functools.cache
def size_made(dataset):
    return sizes.size_made(study.datasets[dataset], Path("results/sources"))


def memory(kind):
    """Resource function: the megabytes of a job of a kind of `sizes.NEEDS`."""

    def mem_mb(wildcards, attempt):
        return sizes.memory_mb(kind, size_of(wildcards.dataset), attempt)

    return mem_mb


def minutes(kind):
    """Resource function: after how many minutes a job of a kind may be ended."""

    def runtime(wildcards, attempt):
        size = size_made if kind == "generate" else size_of
        return sizes.minutes(kind, size(wildcards.dataset), attempt)

    return runtime


def condition_kind(wildcards):
    return "denoise" if wildcards.condition in denoising_conditions else "preprocess"


def condition_memory(wildcards, attempt):
    return memory(condition_kind(wildcards))(wildcards, attempt)


def condition_minutes(wildcards, attempt):
    return minutes(condition_kind(wildcards))(wildcards, attempt)


def condition_threads(wildcards):
    return 2 if wildcards.condition in denoising_conditions else 1


def condition_gpus(wildcards):
    gpus = study.environments["gpus"]
    return gpus if wildcards.condition in denoising_conditions else 0


def training_minutes(wildcards, attempt):
    recipe = study.models[wildcards.model]
    return sizes.training_minutes(recipe, size_of(wildcards.dataset), attempt)


def sorter_memory(wildcards, attempt):
    """At first what most sorters need of such a recording, then all that this one may take."""
    return sizes.sorter_memory_mb(
        study.sorter_settings[wildcards.sorter]["memory_mb"],
        size_of(wildcards.dataset),
        attempt,
    )


def sorter_minutes(wildcards, attempt):
    """At first what most sorters need of such a recording, then all that this one may take."""
    return sizes.sorter_minutes(
        study.sorter_settings[wildcards.sorter]["timeout_s"],
        size_of(wildcards.dataset),
        attempt,
    )


def figures_memory(wildcards, attempt):
    """Tables grow with the number of sortings."""
    return sizes.figures_memory_mb(len(all_sortings), attempt)
