"""Names and paths of any kind: those of a study are refused, those of folders are borne."""

import re

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, read_study
from fixtures import noise_recording
from projects import PROJECT, project_in, said, snakemake

FOLDER = "été; $(touch HACKED) \"q\" 's' & | < > * ? [a] `touch HACKED` 日本"
NAMES = [
    "a b",
    " a",
    "a;touch HACKED",
    "$(touch HACKED)",
    "`touch HACKED`",
    "'a'",
    '"a"',
    "a|b",
    "a&b",
    "a>b",
    "a*",
    "{a}",
    "<script>alert(1)</script>",
    "..",
    "../a",
    "a..b",
    "/a",
    "a/b",
    "a\\b",
    "-a",
    ".a",
    "a\nb",
    "a\0b",
    "été",
    "日本",
    "",
]


def config_of_demo():
    config = yaml.safe_load((PROJECT / "config/config.yaml").read_text())
    config["study"]["datasets"] = {
        "mine": {"kind": "synthetic", "parameters": "np2-synthetic"},
    }
    return config


def renamed(config, section, name):
    """A name of one's own, wherever a study takes one."""
    if section == "datasets":
        config["study"]["datasets"] = {name: config["study"]["datasets"]["mine"]}
    elif section == "sources":
        config["sources"] = {name: {"package": "a==1", "sha256": "0" * 64}}
    else:
        entries = config.setdefault(section, {})
        new = {"endpoints": {"measure": "accuracy"}, "sorters": {"sorter": "simple"}}
        entries[name] = new.get(section) or next(iter(entries.values()))
        if section in ("conditions", "sorters"):
            config["study"][section] = [*config["study"][section], name]
    return config


@pytest.mark.parametrize(
    "section",
    ["datasets", "ground_truth", "sources", "conditions", "models", "sorters", "endpoints"],
)
def test_names_of_a_study_are_plain(section):
    read_study(renamed(config_of_demo(), section, "Mine_2.a-b"), PROJECT / "workflow/schemas")
    for name in NAMES:
        with pytest.raises(ConfigurationError) as caught:
            read_study(renamed(config_of_demo(), section, name), PROJECT / "workflow/schemas")
        assert any(section in problem for problem in caught.value.problems), name


@pytest.mark.parametrize("name", [name for name in NAMES if name.strip() == name != ""])
def test_names_in_a_table_of_datasets_are_plain(name, tmp_path):
    config = config_of_demo()
    config["study"]["datasets"] = str(tmp_path / "datasets.tsv")
    row = f"{name}\tsynthetic\tnp2-synthetic\n"
    (tmp_path / "datasets.tsv").write_text(f"dataset\tkind\tparameters\n{row}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"datasets\.tsv, line 2"):
        read_study(config, PROJECT / "workflow/schemas")


def test_names_of_modules_and_environments_reach_a_shell_only_if_plain():
    """Snakemake loads modules by a line of shell."""
    for name in (*NAMES, "a\n", "a/../../tmp/evil"):
        if name == "a/b":
            continue
        config = config_of_demo()
        config["environments"] = {"modules": {"sorters": ["Python/3.11.5-GCC", name]}}
        config["sorters"]["mountainsort5"] = {"environment": name}
        with pytest.raises(ConfigurationError) as caught:
            read_study(config, PROJECT / "workflow/schemas")
        told = "\n".join(caught.value.problems)
        assert "environments.modules.sorters[1]" in told, name
        assert "sorters.mountainsort5.environment" in told, name


@pytest.mark.parametrize("name", ["docker_image", "singularity_image", "folder"])
@pytest.mark.parametrize("sorter", ["mountainsort5", "kilosort4"])
def test_a_container_is_no_parameter_of_a_sorter(sorter, name):
    config = config_of_demo()
    config["study"]["sorters"] = [sorter]
    config["sorters"][sorter] = {"parameters": {name: "evil/image"}}
    with pytest.raises(ConfigurationError, match=rf"sorters\.{sorter}\.parameters\.{name}"):
        read_study(config, PROJECT / "workflow/schemas")


def test_nothing_reaches_a_shell_unquoted():
    """But for numbers, whose rules are known."""
    commands = [
        command
        for path in (PROJECT / "workflow/rules").glob("*.smk")
        for block in re.findall(r"\n    shell:\n((?:        .*\n)+)", path.read_text())
        for command in re.findall(r"\{[^}]*\}", block)
    ]
    assert len(commands) > 10
    unquoted = {command for command in commands if not command.endswith(":q}")}
    assert unquoted <= {"{threads}", "{params.seed}"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A study of a recording, its project, and all of their folders with such a name."""
    folder = tmp_path_factory.mktemp("names") / FOLDER
    recording = folder.parent / f"recording {FOLDER}"
    noise_recording(3000, seed=4, frequency=30_000.0).save(folder=recording, progress_bar=False)
    recorded = {
        "kind": "recorded",
        "description": '$(touch HACKED) {wildcards} <script>alert("1")</script>',
        "parameters": {"reader": "load", "path": str(recording)},
    }
    project = project_in(
        folder,
        study__datasets={"mine": recorded},
        study__sorters=["mine"],
        sorters__mine={"sorter": "simple", "environment": "own"},
    )
    for file in ("own.lock", "own.yaml"):
        (project / "envs" / file).write_text("")
    return project


def hacked(project):
    return list(project.parent.rglob("HACKED*"))


def test_a_study_is_planned_in_a_folder_of_any_name(project):
    run = snakemake(project, "--dry-run")
    assert run.returncode == 0, said(run)
    assert hacked(project) == []


def test_jobs_run_in_a_folder_of_any_name(project):
    """Scripts, and the shell that builds an environment."""
    targets = ["results/conditions/mine/0/raw", "results/environments/own"]
    run = snakemake(project, "--cores", "1", *targets)
    assert run.returncode == 0, said(run)
    assert (project / targets[0] / "condition.json").exists()
    assert (project / targets[1] / "bin/python").exists()
    assert hacked(project) == []


def test_braces_are_refused_in_one_sentence(project, tmp_path):
    run = snakemake(project_in(tmp_path / "a {b}"), "--dry-run")
    assert run.returncode != 0
    assert "Snakemake takes braces for wildcards: move it to a folder without them." in said(run)
    assert "Traceback" not in said(run)


def test_a_path_with_braces_is_refused(tmp_path):
    config = config_of_demo()
    (tmp_path / "{a}").mkdir()
    parameters = {"reader": "load", "path": str(tmp_path / "{a}")}
    config["study"]["datasets"] = {"mine": {"kind": "recorded", "parameters": parameters}}
    with pytest.raises(ConfigurationError, match="a path without braces"):
        read_study(config, PROJECT / "workflow/schemas")


def test_a_template_is_refused_in_one_sentence(project):
    (project / "template.yaml").write_text("__use_yte__: true\nstudy: {seed: 1}\n")
    run = snakemake(project, "--dry-run", configfiles=("study.yaml", "template.yaml"))
    assert run.returncode != 0
    assert "template.yaml is a template (__use_yte__), which runs Python" in said(run)
    assert "Traceback" not in said(run)
