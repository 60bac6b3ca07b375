"""The documentation builds, and what it tells readers to write and to type works.

Of README.md, config/README.md and the pages of docs/:

- a block ```python is run, all blocks of a page in one namespace;
- a block ```yaml is a study's configuration, laid over config/config.yaml; what it names under
  /data exists;
- a command of Snakemake, make or Python names options, targets and files that exist;
- `<!-- file: NAME -->` right above a block makes it a file, used by a test of that page;
- `<!-- not run: WHY -->` right above a block exempts it.
"""

import functools
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import spikeinterface.full as si
import yaml
from snakemake.cli import get_argument_parser
from snakemake.utils import update_config
from spikeinterface.preprocessing.pipeline import pp_names_to_functions
from spikeinterface.sorters import sorter_dict

import ephys_deepinterpolation
from ephys_deepinterpolation.conditions import apply_condition
from ephys_deepinterpolation.configuration import read_study
from ephys_deepinterpolation.hub import publish_model
from ephys_deepinterpolation.offers import offers
from example_ground_truth import synthetic
from example_legacy import LegacyFile
from example_packages import install_examples
from example_tables import CONDITIONS, example_tables
from fixtures import SMALL_NETWORK, noise_recording, untrained_model
from hub_server import OWNER, TOKEN
from pages import PAGES, PROJECT, commands, files_of, name_of, to_run

DOCS = PROJECT / "docs"
SCHEMAS = PROJECT / "workflow/schemas"
# Names that stand for a reader's own.
OWN = {"mine.yaml", "profiles/mine"}


def run(module, *arguments, folder):
    """Run a program to its end, which must be a good one; what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_documentation_builds_without_a_warning(tmp_path):
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", tmp_path / "doctrees"]
    run("sphinx", *options, DOCS, tmp_path / "html", folder=PROJECT)
    pages = {page.stem for page in DOCS.glob("*.md")}
    assert pages <= {page.stem for page in (tmp_path / "html").glob("*.html")}
    # Building runs every notebook, once in the whole suite, and fails where one does.
    for notebook in (PROJECT / "notebooks").glob("*.ipynb"):
        page = (tmp_path / f"html/notebooks/{notebook.stem}.html").read_text()
        assert "cell_output" in page and "<img" in page, notebook.name
        assert not re.search(r'<(?:script|link)[^>]+(?:src|href)="https?:', page), notebook.name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a reader works: the shipped configuration, some results, data of their own."""
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_results(folder):
    """The few files of a finished study that pages read."""
    truth = synthetic()
    truth.save(folder / "results/ground_truth/np2-synthetic/0")
    sorting = folder / "results/sortings/np2-synthetic/0/raw/mountainsort5/0/sorting"
    truth.sorting.save(folder=sorting, format="numpy_folder")
    (folder / "results/tables").mkdir()
    for name, table in example_tables().items():
        table.to_parquet(folder / f"results/tables/{name}.parquet")
    verdicts = [dict.fromkeys(("endpoint", "condition", "verdict", "sentence"), "-")]
    (folder / "results/verdict.json").write_text(json.dumps({"verdicts": verdicts}))


def put_data(folder):
    """A reader's own recordings and models."""
    np.zeros((3000, 16), np.int16).tofile(folder / "data/traces.bin")
    LegacyFile(rows=16).write(folder / "unet_of_the_original_package.h5")


def reader_like(real):
    """A reader that takes what the real one takes, and finds a small recording."""

    def read(*arguments, **options):
        inspect.signature(real).bind(*arguments, **options)
        return noise_recording(12_000, seed=1, frequency=30_000.0)

    return read


def put_model(hub, folder, monkeypatch):
    """The model that pages fetch."""
    card = folder / "card"
    card.mkdir()
    (card / "README.md").write_text("# A model\n")
    model = untrained_model(noise_recording(100, seed=1, frequency=30_000.0))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    publish_model(model.save(folder / "model.safetensors").path, card, f"{OWNER}/np2", "v1")
    monkeypatch.delenv("HF_TOKEN")


@pytest.fixture
def quick(monkeypatch):
    """Recordings need not be there, and networks are small."""
    monkeypatch.setattr(si, "read_spikeglx", reader_like(si.read_spikeglx))
    train = functools.partial(
        ephys_deepinterpolation.train_deepinterpolation, network=SMALL_NETWORK, max_steps=250
    )
    monkeypatch.setattr(ephys_deepinterpolation, "train_deepinterpolation", train, raising=False)


PAGES_WITH_PYTHON = list(dict.fromkeys(block.page for block in to_run("python")))


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=name_of)
def test_the_python_of_a_page_runs(page, folder, quick, hub, monkeypatch):
    code = "\n".join(block.text for block in to_run("python") if block.page == page)
    if "hf://" in code:
        put_model(hub, folder, monkeypatch)
    if "results/" in code:
        put_results(folder)
    put_data(folder)
    exec(compile(code.replace('"/data', f'"{folder}/data'), name_of(page), "exec"), {})


def settings_of(*files):
    """Configurations laid one over the other, as Snakemake does it."""
    settings = yaml.safe_load(Path("config/config.yaml").read_text())
    for file in files:
        update_config(settings, yaml.safe_load(file))
    return settings


def own_paths(text, folder):
    """Make what a configuration names under /data, and let it name that."""
    for path in re.findall(r"/data/[\w./-]+", text):
        place = Path(f"{folder}{path}")
        if path.endswith("datasets.tsv"):
            shutil.copy(PROJECT / "config/datasets.tsv", place)
        else:
            place.mkdir(exist_ok=True)
    return text.replace("/data/", f"{folder}/data/")


@pytest.fixture(scope="module")
def installed_examples(tmp_path_factory):
    target = tmp_path_factory.mktemp("installed")
    install_examples(target, tmp_path_factory.mktemp("source"))
    return target


@pytest.fixture
def examples(installed_examples, monkeypatch):
    """The denoiser and the sorter of the pages on them are known to this process."""
    monkeypatch.syspath_prepend(installed_examples)
    offers.cache_clear()
    yield
    sorter_dict.pop("mysorter", None)
    pp_names_to_functions.pop("temporal_median", None)
    offers.cache_clear()


@pytest.mark.parametrize("block", to_run("yaml"), ids=lambda block: name_of(block.page))
def test_the_yaml_of_a_page_is_a_valid_configuration(block, folder, examples):
    (folder / "models").mkdir()
    LegacyFile(rows=16).write(folder / "models/np2.safetensors")
    read_study(settings_of(own_paths(block.text, folder)), SCHEMAS)


def test_the_example_of_a_denoiser_does_not_depend_on_chunks(examples):
    recording = noise_recording([3000, 500], seed=1)
    denoised = apply_condition(
        recording, [{"name": "temporal_median", "params": {"width_ms": 0.5}}]
    )
    for segment, frames in enumerate([3000, 500]):
        whole = denoised.get_traces(segment)
        assert whole.shape == (frames, recording.get_num_channels())
        for start, end in [(0, 7), (3, 4), (frames - 5, frames), (100, 400)]:
            np.testing.assert_array_equal(
                denoised.get_traces(segment, start, end), whole[start:end]
            )
    assert np.abs(whole).mean() < np.abs(recording.get_traces(1)).mean()


SNAKEMAKE = sorted({text for _, text in commands("snakemake")} - {"snakemake --version"})


def parsed(command):
    """What Snakemake understands of a command."""
    return get_argument_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("command", SNAKEMAKE)
def test_a_command_of_snakemake_names_options_and_files_that_exist(command, folder):
    asked = parsed(command)
    files = [str(file) for file in asked.configfile or ()]
    for file in [*files, *(asked.profile or ())]:
        assert file in OWN or (PROJECT / file).exists()
    (folder / "mine.yaml").write_text(own_paths(to_run("yaml")[0].text, folder))
    read_study(settings_of(*(Path(file).read_text() for file in files)), SCHEMAS)


def test_what_pages_ask_snakemake_for_can_be_made(tmp_path):
    asked = [parsed(text) for text in SNAKEMAKE]
    targets = {target for each in asked if not each.configfile for target in each.targets}
    assert "results/figures/noise.svg" in targets
    for part in ("Snakefile", "workflow", "config", "envs", "profiles"):
        (tmp_path / part).symlink_to(PROJECT / part)
    run("snakemake", "--dry-run", "--quiet", "all", "--", *sorted(targets), folder=tmp_path)


def test_the_example_of_a_module_is_a_workflow(tmp_path):
    example = files_of(DOCS / "workflow.md")["Snakefile"]
    (tmp_path / "Snakefile").write_text(
        example.replace("/path/to/ephys-deepinterpolation", str(PROJECT))
    )
    (tmp_path / "config.yaml").write_text("ephys: {study: {seed: 5}}")
    said = run("snakemake", "--summary", folder=tmp_path)
    assert "ephys/results/report.html" in said


def test_every_target_is_in_the_documentation():
    files = ("workflow/Snakefile", "workflow/rules/clean.smk")
    rules = "\n".join((PROJECT / file).read_text() for file in files)
    targets = re.findall(r"^rule (\w+):", rules, re.MULTILINE)
    page = (DOCS / "workflow.md").read_text()
    assert "all" in targets
    assert [target for target in targets if f"| `{target}`" not in page] == []


def test_commands_of_make_and_python_name_what_exists():
    targets = re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    for page, command in commands("make"):
        for word in command.split()[1:]:
            assert "=" in word or word in targets, (name_of(page), command)
    for page, command in commands("python"):
        _, first, *others = shlex.split(command)
        exists = find_spec(others[0]) if first == "-m" else (PROJECT / first).exists()
        assert exists, (name_of(page), command)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_of_the_project_that_a_page_names_exist(page):
    text = page.read_text()
    parts = "benchmarks|config|docs|envs|profiles|src|tests|workflow"
    named = re.findall(rf"`((?:{parts})/[\w./-]+)`", text)
    linked = [page.parent / path for path in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text)]
    for path in [*(PROJECT / name for name in named if name not in OWN), *linked]:
        assert path.exists() or path.stem in files_to_add(page), path


def files_to_add(page):
    """What a page tells its reader to write."""
    return {Path(name).stem for name in files_of(page)} | {Path(name).stem for name in OWN}


def test_the_example_of_a_figure_is_drawn_from_a_table():
    namespace = {}
    exec(files_of(DOCS / "extending.md")["sorted_units.py"], namespace)
    sortings = example_tables()["sortings"]
    figure = namespace["plot_sorted_units"](sortings, reference="raw", conditions=CONDITIONS)
    (axis,) = figure.axes
    drawn = {label.get_text() for label in axis.get_xticklabels()}
    assert drawn == set(sortings["condition"])
