# The configuration, checked before any job starts, and what several stages ask of it.

import functools
import gc
import re
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.sourcecache import SourceFile
from snakemake.utils import update_config

from ephys_deepinterpolation.addresses import hub_address, is_hub_address
from ephys_deepinterpolation.configuration import (
    ConfigurationError,
    read_study,
    steps_before_denoising,
    training_datasets,
)
from ephys_deepinterpolation.offers import offering_packages
from ephys_deepinterpolation.pretrained import packaged_models
from ephys_deepinterpolation.seeds import derive_seed
from ephys_deepinterpolation.strangers import UnsafeFileError, check_configuration

# Planning a large study makes millions of objects that stay, and asks for the place of each job's
# script: not to look for garbage until it is done, and to work each place out once, saves a third.
gc.disable()
SourceFile.get_cache_path = functools.cache(SourceFile.get_cache_path)


def look_for_garbage():
    """From now on, and not among what has been planned."""
    gc.freeze()
    gc.enable()


project = Path(workflow.current_basedir).resolve().parents[1]
if set("{}") & set(str(project)):
    raise WorkflowError(
        f"The project lies in {project}, and Snakemake takes braces for wildcards: "
        "move it to a folder without them."
    )

if workflow.modifier.skip_configfile:
    # A module's configuration is laid over the demo's as one of `--configfile` is.
    given, config = config, load_configfile(project / "config/config.yaml")
    config["study"]["datasets"] = str(project / config["study"]["datasets"])
    update_config(config, given)

try:
    for file in workflow.configfiles:
        check_configuration(file)
    study = read_study(
        config,
        schemas=project / "workflow/schemas",
        config_file=", ".join(map(str, workflow.configfiles)) or "the configuration",
    )
except (ConfigurationError, UnsafeFileError) as error:
    raise WorkflowError(str(error)) from None


def project_file(path):
    """A file of the project, as seen from here: a study that moves with it is still up to date."""
    return local(os.path.relpath(project / path))


# Below the prefix that another workflow may give this one as its module.
results = Path(workflow.modifier.modify_path("results"))

# Of a dataset.
name_pattern = r"[A-Za-z0-9_-]+"
FIGURE_FORMATS = ["svg", "pdf", "png"]
TABLE_FORMATS = ["parquet", "csv"]


def one_of(names):
    """A regular expression for exactly these names, for none when there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def other_than(names):
    """A regular expression for the name of a dataset that is none of these."""
    return f"(?!(?:{one_of(names)})(?:/|$)){name_pattern}"


def datasets_of(kind):
    return [name for name, dataset in study.datasets.items() if dataset.kind == kind]


def replicates_of(dataset):
    """What is only read has no other random seed, hence one replicate."""
    kind, parameters = study.datasets[dataset].kind, study.datasets[dataset].parameters
    only_read = kind in ("recorded", "paired") or (
        kind == "mearec" and "path" in parameters
    )
    return range(1 if only_read else study.replicates)


def conditions_of(dataset):
    """The conditions that exist for a dataset: an oracle needs to know its parts."""
    return study.conditions_of(dataset)


def per_dataset(pattern, datasets=study.datasets, **others):
    """Expand a pattern over datasets, their replicates and any other wildcards.

    Of conditions, if it has that wildcard, only those that exist for the dataset.
    """
    paths = []
    for dataset in datasets:
        values = {"dataset": dataset, "replicate": replicates_of(dataset), **others}
        if "condition" in others:
            exist = conditions_of(dataset)
            values["condition"] = [
                name for name in others["condition"] if name in exist
            ]
        paths += expand(pattern, **values)
    return paths


def seed_of(*names):
    """Parameter function: the seed of a job, from the study's seed, these names and its wildcards."""

    def seed(wildcards):
        return derive_seed(study.seed, *names, *wildcards)

    return seed


def recorded_inputs(wildcards):
    """The package a recording comes from, or the recording's own files."""
    parameters = study.datasets[wildcards.dataset].parameters
    if "source" in parameters:
        return {"source": f"results/sources/{parameters['source']}"}
    names = ("path", "training_path")
    return {name: local(parameters[name]) for name in names if name in parameters}


def described_inputs(*keys):
    """Input function: the sources or own files of what a dataset describes under these keys."""

    def inputs(wildcards):
        found = {}
        described = study.datasets[wildcards.dataset].parameters
        for key in keys:
            entry = described.get(key, {})
            nested = {
                f"{key}_{name}": entry.get(name, {})
                for name in ("recording", "sorting")
            }
            for name, each in {key: entry, **nested}.items():
                if "source" in each:
                    found[name] = f"results/sources/{each['source']}"
                elif "path" in each:
                    found[name] = local(each["path"])
        return found

    return inputs


def replicate_for(dataset, replicate):
    """The replicate of the same number if the dataset has that many, else its first."""
    return replicate if int(replicate) in replicates_of(dataset) else 0


def training_truths(wildcards):
    """What a model is trained on: the dataset that it is kept with first."""
    datasets = training_datasets(study.models[wildcards.model]) or [wildcards.dataset]
    return [
        f"results/ground_truth/{name}/{replicate_for(name, wildcards.replicate)}"
        for name in datasets
    ]


def given_file(given):
    """Where a model is that is not trained here: fetched from a hub, with this package, or a path."""
    if is_hub_address(given):
        address = hub_address(given)
        return f"results/models/fetched/{address.repository}@{address.tag}.safetensors"
    packaged = packaged_models()
    return local(os.path.relpath(packaged[given]) if given in packaged else given)


def model_file(model, dataset, replicate, condition):
    """Where a recipe's model is, for a condition of a dataset.

    A model is kept with the dataset it is trained on, the first of several, once for all that use
    it.
    """
    recipe = study.models[model]
    if "pretrained" in recipe:
        return given_file(recipe["pretrained"])
    if (trained_on := training_datasets(recipe)) and trained_on[0] != dataset:
        dataset = trained_on[0]
        replicate = replicate_for(dataset, replicate)
    home = study.home_of(model, condition)
    return f"results/models/{dataset}/{replicate}/{model}/{home}/model.safetensors"


def model_input(wildcards):
    """The model that a condition denoises with, if it does."""
    model = study.model_of(wildcards.condition)
    if model is None:
        return {}
    place = wildcards.dataset, wildcards.replicate, wildcards.condition
    return {"model": model_file(model, *place)}


def packages_of(wildcards):
    """Whose denoisers a condition holds: another version may denoise otherwise."""
    return offering_packages(study.pipelines[wildcards.condition])


def sortings_of(**condition):
    """Every sorting of a condition, of any when none is named."""
    return expand(
        "results/sortings/{dataset}/{replicate}/{condition}/{sorter}/{repeat}",
        sorter=study.sorters,
        repeat=range(study.repeats),
        allow_missing=True,
        **condition,
    )


def reference_comparison(wildcards):
    """What was measured of the reference, which the other conditions are compared with."""
    if wildcards.condition == study.reference:
        return {}
    return {
        "reference": f"results/comparisons/{{dataset}}/{{replicate}}/{study.reference}"
    }


def base_input(wildcards):
    """The model that a recipe starts from, if it starts from one."""
    base = study.models[wildcards.model].get("fine_tune")
    if base is None:
        return {}
    place = wildcards.dataset, wildcards.replicate, wildcards.condition
    return {"base": model_file(base, *place)}


def trained_models(condition):
    """The models of a condition that are trained, on every dataset."""
    model = study.model_of(condition)
    files = []
    for dataset in study.datasets:
        if condition not in conditions_of(dataset):
            continue
        for replicate in replicates_of(dataset):
            at = dataset, replicate
            # A base is trained where the model tuned from it is.
            for name in [model, *study.bases_of(model)]:
                if "pretrained" not in study.models[name]:
                    path = model_file(name, *at, condition)
                    at = Path(path).parts[2:4]
                    files.append(path)
    return files


def model_use(dataset, replicate, condition, model):
    """A model that a condition denoises with, and where it was trained, if it was."""
    row = {"dataset": dataset, "kind": study.datasets[dataset].kind}
    row.update({"replicate": replicate, "condition": condition, "model": model})
    if "pretrained" not in study.models[model]:
        path = Path(model_file(model, dataset, replicate, condition))
        trained_on, trained_replicate, _, trained_for = path.parts[2:6]
        row.update({"trained_on": trained_on, "trained_for": trained_for})
        row["trained_replicate"] = int(trained_replicate)
    return row


def model_uses():
    """Which model each condition of each dataset denoises with."""
    return [
        model_use(dataset, replicate, condition, model)
        for dataset in study.datasets
        for condition in conditions_of(dataset)
        if (model := study.model_of(condition))
        for replicate in replicates_of(dataset)
    ]


def figure_files(name):
    """The files of a figure, one per format."""
    return [f"results/figures/{name}.{suffix}" for suffix in FIGURE_FORMATS]


def table_files(names):
    """The files of tables, one per format."""
    return expand("results/tables/{table}.{format}", table=names, format=TABLE_FORMATS)


def drawn(stage, names, caption=None):
    """The files of figures, the SVG of each with its caption in Snakemake's own report."""
    files = []
    for name in names:
        svg, *others = figure_files(name)
        text = f"../report/{caption or name}.rst"
        files += [report(svg, caption=text, category=stage), *others]
    return files


denoising_conditions = [name for name in study.conditions if study.model_of(name)]
other_conditions = [name for name in study.conditions if name != study.reference]


# Snakemake reads a pattern anew for each job: a list of a thousand names would double its work.
wildcard_constraints:
    dataset=name_pattern,
    replicate=r"\d+",
    repeat=r"\d+",
    condition=one_of(study.conditions),
    sorter=one_of(study.sorters),
    model=one_of(study.models),
    source=one_of(study.sources),
