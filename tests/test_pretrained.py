"""Models that come with this package: each suits the probe it is named after, and has a card."""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from spikeinterface.preprocessing import highpass_filter

from ephys_deepinterpolation import assess, deepinterpolate, load_model
from ephys_deepinterpolation.assessment import FINE_TUNE, SUITS
from ephys_deepinterpolation.ground_truth import generate_synthetic
from ephys_deepinterpolation.pretrained import packaged_models

PROJECT = Path(__file__).parents[1]
PARTS = {"np1": "NP1000", "np2": "NP2003"}
MOST_BYTES = 5_000_000


@pytest.fixture(params=PARTS)
def name(request):
    return request.param


def test_there_is_one_for_each_probe_that_the_documentation_names():
    page = (PROJECT / "docs/models.md").read_text()
    assert set(packaged_models()) == set(PARTS)
    assert set(re.findall(r'`load_model\("(\w+)"\)`', page)) == set(PARTS)


def test_it_is_small_and_better_than_linear_interpolation(name):
    assert packaged_models()[name].stat().st_size < MOST_BYTES
    summary = load_model(name).summary
    assert summary["noise_floor"] < summary["validation_loss"] < summary["linear_loss"]


def test_its_card_names_the_file_and_shows_figures_that_are_there(name):
    path = packaged_models()[name]
    card = ModelCard.load(path.with_name("README.md"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card.text
    assert card.data.model_name == name
    losses = {each.metric_name: each.metric_value for each in card.data.eval_results}
    assert losses["validation loss"] == load_model(name).summary["validation_loss"]
    figures = re.findall(r"!\[.*?\]\((.*?)\)", card.text)
    assert set(figures) == {each.name for each in path.parent.glob("*.png")} != set()


def highpassed(part, seed):
    """A recording after the zoo's, of other units and noise."""
    zoo = yaml.safe_load((PROJECT / "config/zoo.yaml").read_text())["ground_truth"]
    parameters = zoo["np2-independent"] | {"probe": part, "channels": 48, "duration_s": 6.0}
    del parameters["training_duration_s"]
    fewer = {name: parameters[name] | {"number": 15} for name in ("units", "background")}
    return highpass_filter(
        generate_synthetic(**parameters | fewer, seed=seed).recording, freq_min=300.0
    )


def test_it_suits_a_recording_that_it_never_saw_and_takes_noise_away(name):
    recording = highpassed(PARTS[name], seed=77)
    found = assess(recording, name)
    assert found.verdict == SUITS, found
    denoised = deepinterpolate(recording, name)
    before, after = (
        each.get_traces(start_frame=30_000, end_frame=60_000, return_in_uV=True)
        for each in (recording, denoised)
    )
    assert np.isfinite(after).all()
    assert np.median(after.std(axis=0)) < 0.9 * np.median(before.std(axis=0))


def test_it_wants_to_be_tuned_for_the_rows_of_another_probe(name):
    (other,) = set(PARTS) - {name}
    recording = highpassed(PARTS[other], seed=78)
    assert assess(recording, name).verdict == FINE_TUNE


def test_a_wheel_of_this_package_holds_the_models_and_their_cards(tmp_path):
    for each in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / each, tmp_path)
    ignored = shutil.ignore_patterns("*.egg-info", "__pycache__")
    shutil.copytree(PROJECT / "src", tmp_path / "src", ignore=ignored)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "wheels", "."]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options], check=True, cwd=tmp_path)
    (wheel,) = (tmp_path / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    for path in packaged_models().values():
        for each in (path, path.with_name("README.md")):
            assert each.relative_to(PROJECT / "src").as_posix() in packed
