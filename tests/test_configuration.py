"""What a configuration and a dataset table may be, and what is said of those that are wrong."""

import contextlib
import copy
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, licence_of, read_study

REPOSITORY = Path(__file__).parents[1]
SCHEMAS = REPOSITORY / "workflow" / "schemas"
README = REPOSITORY / "config" / "README.md"
LEFT_OUT = object()


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    """Every test starts in a folder that holds nothing but the shipped configuration."""
    (tmp_path / "config").mkdir()
    for name in ("config.yaml", "datasets.tsv"):
        shutil.copyfile(REPOSITORY / "config" / name, tmp_path / "config" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def config():
    """The shipped configuration; pipelines share no step, so that a change touches one place."""
    return json.loads(json.dumps(yaml.safe_load(Path("config/config.yaml").read_text())))


def read(config):
    return read_study(config, SCHEMAS, "config/config.yaml")


def problems_of(config):
    with pytest.raises(ConfigurationError) as caught:
        read(config)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return caught.value.problems


def change(config, key, value):
    """Set (or leave out) the value at a dotted key; a number is a position in a list."""
    *parents, last = [int(step) if step.isdigit() else step for step in key.split(".")]
    for parent in parents:
        config = config[parent]
    if value is LEFT_OUT:
        del config[last]
    else:
        config[last] = value


def step(name, **params):
    return {"name": name, "params": params}


def source(url, **others):
    return {"url": url, "sha256": None} | others


# key, value put there, what the one sentence about it must hold
WRONG_VALUES = [
    # unknown and missing keys
    ("sutdy", {}, ["sutdy", "unknown key", 'did you mean "study"']),
    ("study.sed", 1, ["study.sed", "unknown key", "replicates, seed", 'did you mean "seed"']),
    ("study.reference", LEFT_OUT, ["study.reference", "found nothing"]),
    ("study", LEFT_OUT, ["study", "found nothing", "a mapping"]),
    ("models.compact.max_steps", LEFT_OUT, ["models.compact.max_steps", "found nothing"]),
    # types and bounds
    ("study.seed", "abc", ["study.seed", '"abc"', "a whole number of at least 0"]),
    ("study.seed", -1, ["study.seed", "-1", "a whole number of at least 0"]),
    ("study.seed", 1.0, ["study.seed", "1.0", "a whole number"]),
    ("study.seed", True, ["study.seed", "true", "a whole number"]),
    ("study.replicates", 0, ["study.replicates", "found 0", "at least 1"]),
    ("study.datasets", 3, ["study.datasets", "found 3", "text or a mapping"]),
    ("study.datasets", {}, ["study.datasets", "{}", "not empty"]),
    ("study.datasets", "no.tsv", ["study.datasets", '"no.tsv"', "does not exist", "table"]),
    ("study.datasets", "config", ["study.datasets", '"config"', "cannot be read", "table"]),
    # conditions of the study and the reference
    ("study.conditions", [], ["study.conditions", "[]", "not empty"]),
    ("study.conditions", "raw", ["study.conditions", '"raw"', "a list"]),
    (
        "study.conditions",
        ["raw", "di", "raw"],
        ["study.conditions[2]", '"raw" again', "study.conditions[0]", "each once"],
    ),
    (
        "study.conditions.1",
        "dii",
        ["study.conditions[1]", '"dii"', "no entry under conditions", 'did you mean "di"'],
    ),
    ("study.reference", "rwa", ["study.reference", '"rwa"', "oracle, raw", 'mean "raw"']),
    ("study.reference", "di", ["study.reference", '"di"', "without denoising"]),
    # pipelines
    ("conditions.raw", [], ["conditions.raw", "found []", "names nothing"]),
    ("conditions.raw", None, ["conditions.raw", "found null", "names nothing"]),
    ("conditions.raw", {}, ["conditions.raw", "found {}", "a list"]),
    ("conditions.raw.0", "center", ["conditions.raw[0]", '"center"', "a mapping"]),
    ("conditions.raw.0", {"params": {}}, ["conditions.raw[0].name", "found nothing"]),
    (
        "conditions.raw.0",
        step("bandpas_filter"),
        ["conditions.raw[0].name", '"bandpas_filter"', 'did you mean "bandpass_filter"'],
    ),
    (
        "conditions.raw.0",
        step("bandpass_filter", freq_mni=300.0),
        ["conditions.raw[0].params.freq_mni", "unknown key", 'did you mean "freq_min"'],
    ),
    (
        "conditions.raw.0",
        step("resample"),
        ["conditions.raw[0].params.resample_rate", "found nothing", "resample needs it"],
    ),
    (
        "conditions.raw.0",
        step("center", recording="raw"),
        ["conditions.raw[0].params.recording", "unknown key", "mode"],
    ),
    (
        "conditions.di.0",
        step("deepinterpolate"),
        ["conditions.di[0].params.model", "found nothing", "entry of `models`"],
    ),
    (
        "conditions.di.0",
        step("deepinterpolate", model="compcat"),
        ["conditions.di[0].params.model", '"compcat"', 'did you mean "compact"'],
    ),
    (
        "conditions.di.0",
        step("deepinterpolate", model="compact", model_path="x"),
        ["conditions.di[0].params.model_path", "unknown key", "allowed: model"],
    ),
    (
        "conditions.di.1",
        step("deepinterpolate", model="compact"),
        ["conditions.di", "2 steps deepinterpolate", "at most one"],
    ),
    # models
    ("models.compact.network.rows", 4, ["models.compact.network.rows", "found 4", "odd"]),
    ("models.compact.network.width", 0, ["models.compact.network.width", "at least 1"]),
    ("models.compact.network.depth", 0, ["models.compact.network.depth", "at least 1"]),
    ("models.compact.context_ms", 0, ["models.compact.context_ms", "found 0", "milliseconds"]),
    ("models.compact.omission_ms", -0.1, ["models.compact.omission_ms", "-0.1", "or null"]),
    ("models.compact.omission_ms", "wide", ["models.compact.omission_ms", '"wide"', "auto"]),
    (
        "models.compact.network.family",
        "unett",
        ["models.compact.network.family", '"unett"', "unet"],
    ),
    (
        "models.compact.network.family",
        "unet",
        ["models.compact.network.rows", "unknown key", "depth, width"],
    ),
    ("models.compact.max_steps", 0, ["models.compact.max_steps", "found 0", "at least 1"]),
    ("models.compact.batch_size", 1.5, ["models.compact.batch_size", "1.5", "whole number"]),
    ("models.compact.learning_rate", 0, ["models.compact.learning_rate", "greater than 0"]),
    (
        "models.compact.learning_rate",
        "2e-3",
        ["models.compact.learning_rate", '"2e-3"', "2.0e-3 rather than 2e-3"],
    ),
    # sorters
    ("study.sorters", [], ["study.sorters", "[]", "not empty"]),
    (
        "study.sorters",
        ["mountainsort5", "mountainsort5"],
        ["study.sorters[1]", '"mountainsort5" again', "each once"],
    ),
    ("study.sorters.0", "kilosort9", ["study.sorters[0]", '"kilosort9"', "mountainsort5"]),
    (
        "study.sorters.0",
        "kilosort4",
        ["study.sorters[0]", '"kilosort4"', "no entry under sorters", "spykingcircus2"],
    ),
    ("sorters.lupine", {}, ["sorters.lupine", '"lupine"', 'did you mean "lupin"']),
    (
        "sorters.mountainsort5.parameters",
        {"whitening_sed": 1},
        ["sorters.mountainsort5.parameters.whitening_sed", 'did you mean "whitening_seed"'],
    ),
    ("environments", {"gpus": -1}, ["environments.gpus", "at least 0"]),
    ("environments", {"module": {}}, ["environments.module", 'did you mean "modules"']),
    (
        "environments",
        {"modules": {"report": ["python; ls"]}},
        ["environments.modules.report[0]", "python; ls"],
    ),
    ("sorters.mountainsort5.threads", 0, ["sorters.mountainsort5.threads", "at least 1"]),
    ("sorters.mountainsort5.memory_mb", 0, ["sorters.mountainsort5.memory_mb", "megabytes"]),
    # parameters of synthetic datasets
    (
        "ground_truth.np2-synthetic.duration_s",
        -5,
        ["ground_truth.np2-synthetic.duration_s", "-5", "greater than 0", "seconds"],
    ),
    (
        "ground_truth.np2-synthetic.duration_s",
        float("nan"),
        ["ground_truth.np2-synthetic.duration_s", "NaN", "a number greater than 0"],
    ),
    (
        "ground_truth.np2-synthetic.units.peak_uv",
        [10, 5],
        ["ground_truth.np2-synthetic.units.peak_uv", "[10, 5]", "0 < low <= high"],
    ),
    (
        "ground_truth.np2-synthetic.background.peak_uv.0",
        0,
        ["ground_truth.np2-synthetic.background.peak_uv[0]", "found 0", "greater than 0"],
    ),
    (
        "ground_truth.np2-synthetic.noise.independent.level_uv",
        -1,
        ["ground_truth.np2-synthetic.noise.independent.level_uv", "-1", "at least 0"],
    ),
    (
        "ground_truth.np2-synthetic.noise.pink",
        {},
        ["ground_truth.np2-synthetic.noise.pink", "unknown key", "correlated, independent"],
    ),
    (
        "ground_truth.np2-synthetic.channels",
        0,
        ["ground_truth.np2-synthetic.channels", "found 0", "at least 1"],
    ),
    (
        "ground_truth.np2-synthetic.channels",
        1281,
        ["ground_truth.np2-synthetic.channels", "1281", "at most 1280 on NP2003"],
    ),
    (
        "ground_truth.np2-synthetic.probe",
        "NP9999",
        ["ground_truth.np2-synthetic.probe", '"NP9999"', "NP2003"],
    ),
    # parameters of recordings, and where they come from
    (
        "ground_truth.np2-real.reader",
        "read_spikeglxx",
        ["ground_truth.np2-real.reader", '"read_spikeglxx"', 'did you mean "read_spikeglx"'],
    ),
    (
        "ground_truth.np2-real.reader",
        "read_phy",
        ["ground_truth.np2-real.reader", '"read_phy"', "a reader of recordings"],
    ),
    (
        "ground_truth.np2-real.arguments",
        {"streamid": "imec0.ap"},
        ["ground_truth.np2-real.arguments.streamid", 'did you mean "stream_id"'],
    ),
    (
        "ground_truth.np2-real.path",
        "/data/run1_g0",
        ["ground_truth.np2-real.path", '"/data/run1_g0"', "relative path", "within the source"],
    ),
    (
        "ground_truth.np2-real.training_path",
        "../run1_g0",
        ["ground_truth.np2-real.training_path", '"../run1_g0"', "without `..`"],
    ),
    (
        "ground_truth.np2-real.source",
        "spikewarp",
        ["ground_truth.np2-real.source", "no entry under sources", 'did you mean "spikewrap"'],
    ),
    ("sources.spikewrap.package", "spikewrap", ["sources.spikewrap.package", "name==version"]),
    ("sources.spikewrap.sha256", "b5ad", ["sources.spikewrap.sha256", '"b5ad"', "64"]),
    ("sources.spikewrap.sha256", LEFT_OUT, ["sources.spikewrap.sha256", "found nothing", "null"]),
    ("sources.spikewrap.sha256", None, ["sources.spikewrap.sha256", "null", "the wheel"]),
    ("sources.spikewrap.package", LEFT_OUT, ["sources.spikewrap", "neither package nor url"]),
    ("sources.spikewrap.url", "https://a.org/b", ["sources.spikewrap", "both package and url"]),
    ("sources.spikewrap.unsigned", False, ["sources.spikewrap.unsigned", "beside a url s3://"]),
    ("sources.spikewrap", source("ftp://a.org/b"), ["sources.spikewrap.url", "ftp", "https://"]),
    ("sources.spikewrap", source("https://a.org/b/"), ["sources.spikewrap.url", "a file"]),
    ("sources.spikewrap", source("s3://bucket/"), ["sources.spikewrap.url", "s3://bucket/prefix/"]),
    (
        "sources.spikewrap",
        source("https://a.org/b", endpoint="https://c.org"),
        ["sources.spikewrap.endpoint", "https://c.org", "beside a url s3://"],
    ),
    (
        "sources.spikewrap",
        source("s3://bucket/prefix/", unpack=True),
        ["sources.spikewrap.unpack", "true", "one file"],
    ),
]


@pytest.mark.parametrize(
    ("key", "value", "fragments"),
    WRONG_VALUES,
    ids=[f"{key}={'nothing' if value is LEFT_OUT else value}" for key, value, _ in WRONG_VALUES],
)
def test_a_wrong_value_is_named_with_file_key_and_what_is_allowed(config, key, value, fragments):
    change(config, key, value)
    matching = [
        problem
        for problem in problems_of(config)
        if all(fragment in problem for fragment in fragments)
    ]
    assert len(matching) == 1
    assert matching[0].startswith(f"config/config.yaml: {fragments[0]}: found ")
    assert "; allowed: " in matching[0]


@pytest.mark.parametrize(
    "value",
    [
        source("https://a.org/b.zip?download=1", unpack=True),
        source("http://127.0.0.1:8000/b.h5", sha256="0" * 64),
        source("s3://bucket/a b/c.h5", unpack=True),
        source("s3://bucket/prefix/", endpoint="http://127.0.0.1:9000", unsigned=False),
    ],
    ids=lambda value: value["url"],
)
def test_a_source_on_the_web_or_in_a_bucket_is_taken(config, value):
    config["sources"]["spikewrap"] = value
    assert read(config).sources["spikewrap"] == value


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a..b", ".a", "-a", "a b", "ä", "a\n", 1])
@pytest.mark.parametrize("section", ["conditions", "models"])
def test_a_name_that_is_no_plain_folder_name_is_refused(config, section, name):
    config[section][name] = copy.deepcopy(next(iter(config[section].values())))
    (problem,) = problems_of(config)
    assert problem.startswith(f"config/config.yaml: {section}: found the name ")
    assert json.dumps(name, ensure_ascii=False) in problem
    assert "becomes a folder" in problem


HEADER = "dataset\tkind\tparameters\tdescription\n"
ROW = "a\tsynthetic\tnp2-synthetic\t\n"

# the table, what one sentence about it must hold
WRONG_TABLES = {
    "empty file": ("", ["table.tsv", "an empty file"]),
    "no rows": (HEADER, ["table.tsv", "no row below the header", "at least one dataset"]),
    "missing column": (
        "dataset\tparameters\na\tnp2-synthetic\n",
        ["table.tsv, line 1, column kind", "found nothing"],
    ),
    "misspelt column": (
        "dataset\tkind\tparmeters\n" + ROW,
        ['table.tsv, line 1, column "parmeters"', 'did you mean "parameters"'],
    ),
    "commas": ("dataset,kind\na,synthetic\n", ['"dataset,kind"', "separated by tabs"]),
    "repeated column": (
        "dataset\tkind\tkind\na\tsynthetic\tsynthetic\n",
        ["table.tsv, line 1, column kind", "2 times", "once"],
    ),
    "too many cells": (HEADER + "a\tb\tc\td\te\n", ["table.tsv, line 2", "5 cells", "4 columns"]),
    "duplicate name": (
        HEADER + ROW + "\n" + ROW,
        ["table.tsv, line 4, column dataset", '"a" again', "table.tsv, line 2", "each name once"],
    ),
    "no name": (
        HEADER + "\tsynthetic\tnp2-synthetic\n",
        ["table.tsv, line 2, column dataset", "found nothing"],
    ),
    "name that is no folder": (
        HEADER + "../a\tsynthetic\tnp2-synthetic\n",
        ["table.tsv, line 2, column dataset", '"../a"', "becomes a folder"],
    ),
    "no kind": (
        HEADER + "a\t\tnp2-synthetic\n",
        ["table.tsv, line 2, column kind", "found nothing"],
    ),
    "unknown kind": (
        HEADER + ROW + "b\tsynthtic\tnp2-synthetic\n",
        ["table.tsv, line 3, column kind", '"synthtic"', "recorded", "did you mean"],
    ),
    "unknown parameters": (
        HEADER + "a\trecorded\tnp2-reel\n",
        ["table.tsv, line 2, column parameters", '"np2-reel"', 'did you mean "np2-real"'],
    ),
    "empty cell without a set of that name": (
        HEADER + "a\tsynthetic\t\n",
        ["table.tsv, line 2, column parameters", '"a"', "no entry under ground_truth"],
    ),
    "parameters of another kind": (
        HEADER + "a\tsynthetic\tnp2-real\n",
        ["config/config.yaml: ground_truth.np2-real.reader", "unknown key", "probe"],
    ),
}


@pytest.mark.parametrize(("table", "fragments"), WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_wrong_row_is_named_with_file_line_and_column(config, table, fragments):
    Path("table.tsv").write_text(table)
    config["study"]["datasets"] = "table.tsv"
    matching = [
        problem
        for problem in problems_of(config)
        if all(fragment in problem for fragment in fragments)
    ]
    assert len(matching) == 1
    assert "; allowed: " in matching[0]


def test_a_recording_that_does_not_exist_is_refused(config):
    parameters = {"reader": "read_spikeglx", "path": "run1_g0", "training_path": "run0_g0"}
    config["study"]["datasets"] = {"mine": {"kind": "recorded", "parameters": parameters}}
    first, second = problems_of(config)
    assert 'study.datasets.mine.parameters.path: found "run1_g0", which does not exist' in first
    assert "study.datasets.mine.parameters.training_path" in second


def test_all_problems_are_reported_at_once(config):
    config["study"].update(seed="abc", conditions=["raw", "dii"])
    config["conditions"]["raw"] = [step("bandpas_filter")]
    config["ground_truth"]["np2-synthetic"]["duration_s"] = -5
    config["sorters"]["mountainsort5"]["threads"] = 0
    Path("config/datasets.tsv").write_text(HEADER + "np2-synthetic\tsynthetic\nb\tnone\tnp2-real\n")
    places = [problem.split(": found")[0] for problem in problems_of(config)]
    assert sorted(places) == [
        "config/config.yaml: conditions.raw[0].name",
        "config/config.yaml: ground_truth.np2-synthetic.duration_s",
        "config/config.yaml: sorters.mountainsort5.threads",
        "config/config.yaml: study.conditions[1]",
        "config/config.yaml: study.seed",
        "config/datasets.tsv, line 3, column kind",
    ]


@pytest.mark.parametrize("nothing", [None, [], "text", {}, {"study": None, "conditions": 1}])
def test_what_is_no_configuration_at_all_is_refused_in_words(nothing):
    assert all("; allowed: " in problem for problem in problems_of(nothing))


def places_in(value, key=()):
    """Yield the path of every value of a configuration, however deep."""
    for last, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*key, last)
        if isinstance(child, dict | list):
            yield from places_in(child, (*key, last))


@pytest.mark.parametrize("junk", [None, [[1]], {"a": {1: []}}, "", -1.5])
def test_nothing_put_anywhere_leads_to_another_error(config, junk):
    for *parents, last in list(places_in(config)):
        changed = copy.deepcopy(config)
        target = changed
        for parent in parents:
            target = target[parent]
        target[last] = copy.deepcopy(junk)
        with contextlib.suppress(ConfigurationError):
            read(changed)


def test_the_shipped_configuration_and_table_are_valid(config):
    study = read(config)
    assert study.seed == config["study"]["seed"]
    assert study.conditions == tuple(config["study"]["conditions"])
    assert study.sorters == tuple(config["study"]["sorters"])
    assert study.reference == config["study"]["reference"]
    assert study.pipelines.keys() == config["conditions"].keys()
    assert list(study.datasets) == ["np2-synthetic", "np2-real"]
    synthetic = study.datasets["np2-synthetic"]
    assert synthetic.kind == "synthetic"
    assert synthetic.parameters == config["ground_truth"]["np2-synthetic"]
    assert synthetic.description.startswith("Neuropixels 2.0")


def test_the_model_of_a_condition_is_the_one_its_denoising_step_names(config):
    study = read(config)
    assert study.model_of("di") == "compact"
    assert study.model_of("raw") is None


def test_an_empty_cell_takes_the_parameters_named_like_the_dataset(config):
    Path("config/datasets.tsv").write_text("dataset\tkind\nnp2-synthetic\tsynthetic\n")
    dataset = read(config).datasets["np2-synthetic"]
    assert dataset.parameters == config["ground_truth"]["np2-synthetic"]
    assert dataset.description == ""


def test_the_licence_of_a_dataset_is_its_own_or_that_of_what_it_is_read_from(config):
    study = read(config)
    synthetic, real = study.datasets["np2-synthetic"], study.datasets["np2-real"]
    assert licence_of(synthetic, study.sources) == "generated by this project"
    assert licence_of(real, study.sources) == "BSD-3-Clause"
    assert licence_of(real, {"spikewrap": {"package": "a==1"}}) == "licence not stated"
    assert licence_of(replace(real, licence="CC0-1.0"), study.sources) == "CC0-1.0"
    hybrid = {"host": {"source": "spikewrap", "path": "a"}, "templates": {"path": "mine.h5"}}
    mixed = replace(real, kind="hybrid", parameters=hybrid)
    assert licence_of(mixed, study.sources) == "BSD-3-Clause, licence not stated"


def test_a_row_of_the_dataset_table_may_name_its_licence(config):
    Path("config/datasets.tsv").write_text(
        "dataset\tkind\tlicence\nnp2-real\trecorded\tCC-BY-4.0\n"
    )
    assert read(config).datasets["np2-real"].licence == "CC-BY-4.0"


def test_a_dataset_goes_through_the_conditions_that_it_names_in_the_order_of_the_study(config):
    Path("config/datasets.tsv").write_text(
        "dataset\tkind\tconditions\nnp2-synthetic\tsynthetic\tdi, raw\nnp2-real\trecorded\t\n"
    )
    study = read(config)
    assert study.conditions_of("np2-synthetic") == ("raw", "di")
    assert set(study.conditions_of("np2-real")) == set(study.conditions) - {"oracle"}


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        (["raw", "dl"], ["conditions", '"dl"', "one of the conditions of the study"]),
        (["di"], ["conditions", '"di"', 'a list with "raw"']),
        ([], ["conditions", "a list, not empty"]),
    ],
)
def test_a_dataset_goes_through_known_conditions_and_the_reference(config, conditions, told):
    dataset = {"kind": "synthetic", "parameters": "np2-synthetic", "conditions": conditions}
    config["study"]["datasets"] = {"mine": dataset}
    (problem,) = problems_of(config)
    assert "study.datasets.mine" in problem
    for part in told:
        assert part in problem


def test_the_order_of_keys_says_something_only_where_things_are_listed(config):
    parameters = config["ground_truth"]["np2-synthetic"]
    backwards = {key: parameters[key] for key in reversed(parameters)}
    backwards["noise"] = {key: parameters["noise"][key] for key in ("independent", "correlated")}
    dataset = {"kind": "synthetic", "parameters": parameters}
    config["study"]["datasets"] = {
        "second": dataset,
        "first": dict(reversed(dataset.items())) | {"parameters": backwards},
    }
    config["models"] = dict(reversed(config["models"].items()))
    study = read(config)
    assert [*study.datasets] == ["second", "first"]
    assert [*study.models] == ["linear", "compact"]
    one, other = (study.datasets[name].parameters for name in ("first", "second"))
    assert [*one] == [*other]
    assert [*one["units"]] == [*other["units"]]
    assert [*one["noise"]] == ["independent", "correlated"]


def test_what_is_left_out_gets_the_default_of_the_schema(config):
    config["sorters"]["mountainsort5"] = {}
    config["conditions"]["raw"] = [{"name": "center"}]
    study = read(config)
    settings = study.sorter_settings["mountainsort5"]
    assert settings == {
        "sorter": "mountainsort5",
        "mode": "default",
        "parameters": {},
        "threads": 1,
        "memory_mb": 4000,
        "timeout_s": 14400,
        "gpus": 0,
        "environment": None,
        "container": None,
        "engine": "docker",
    }
    assert study.pipelines["raw"] == [{"name": "center", "params": {}}]


def test_a_sorter_whose_own_package_is_not_installed_may_have_any_parameter(config):
    config["sorters"]["kilosort4"] = {"parameters": {"Th_universal": 9}}
    assert read(config).sorter_settings["kilosort4"]["parameters"] == {"Th_universal": 9}


def test_the_example_of_the_readme_is_valid_over_the_shipped_configuration(config, tmp_path):
    update_config = pytest.importorskip("snakemake.utils").update_config
    section = README.read_text().split("## Your own recording")[1]
    mine = yaml.safe_load(re.search(r"```yaml\n(.*?)```", section, re.DOTALL)[1])
    mine["study"]["datasets"]["my-recording"]["parameters"]["path"] = str(tmp_path)
    update_config(config, mine)
    study = read(config)
    assert study.datasets["my-recording"].kind == "recorded"
    assert study.datasets["my-recording"].parameters["arguments"] == {"stream_id": "imec0.ap"}
    assert list(study.datasets) == ["my-recording"]


def test_a_dataset_in_the_configuration_may_name_a_set_of_parameters(config):
    config["study"]["datasets"] = {"a": {"kind": "synthetic", "parameters": "np2-synthetic"}}
    assert read(config).datasets["a"].parameters == config["ground_truth"]["np2-synthetic"]


def test_reading_changes_neither_files_nor_the_configuration(config, working_directory):
    del config["sorters"]["mountainsort5"]["threads"]
    before = copy.deepcopy(config)
    files = {path: path.stat().st_mtime_ns for path in working_directory.rglob("*")}
    read(config)
    assert config == before
    assert {path: path.stat().st_mtime_ns for path in working_directory.rglob("*")} == files


def test_reading_imports_neither_a_network_library_nor_snakemake():
    program = (
        "import sys, yaml, pathlib\n"
        "from ephys_deepinterpolation.configuration import read_study\n"
        "config = yaml.safe_load(pathlib.Path('config/config.yaml').read_text())\n"
        f"read_study(config, pathlib.Path({str(SCHEMAS)!r}))\n"
        "print({'keras', 'tensorflow', 'torch', 'snakemake'} & set(sys.modules))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


def properties_of(schema):
    """Yield every property of a schema with its name, however deep."""
    for name, value in schema.items():
        if name in ("properties", "$defs") and isinstance(value, dict):
            yield from value.items()
        if isinstance(value, dict):
            yield from properties_of(value)


@pytest.mark.parametrize("name", ["config.schema.yaml", "datasets.schema.yaml"])
def test_every_key_is_described_in_the_schema_and_explained_in_the_readme(name):
    schema = yaml.safe_load((SCHEMAS / name).read_text())
    definitions = schema.get("$defs", {})
    explained = README.read_text()
    for key, value in properties_of(schema):
        assert value.get("description") or "const" in value, key
        assert key in definitions or f"`{key}`" in explained, key
