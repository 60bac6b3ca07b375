"""Entries of the section `sorters`: names of one's own, modes, containers."""

from pathlib import Path

import pytest
import yaml
from spikeinterface.sorters import sorter_dict

from ephys_deepinterpolation.configuration import ConfigurationError, read_study
from ephys_deepinterpolation.sortings import NO_PREPROCESSING

REPOSITORY = Path(__file__).parents[1]
PRESETS = [REPOSITORY / "config/presets" / name for name in ("sorters.yaml", "kilosort2_5.yaml")]


def study_of(entries, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    config = yaml.safe_load(Path("config/config.yaml").read_text())
    config["sorters"] = entries
    config["study"]["sorters"] = list(entries)
    return read_study(config, REPOSITORY / "workflow/schemas")


def test_two_entries_may_run_the_same_sorter(monkeypatch):
    entries = {
        "lupin": {},
        "lupin-plain": {"sorter": "lupin", "mode": "no-preprocessing", "threads": 2},
    }
    study = study_of(entries, monkeypatch)
    assert study.sorters == ("lupin", "lupin-plain")
    assert [study.sorter_settings[name]["sorter"] for name in study.sorters] == ["lupin"] * 2
    assert study.sorter_settings["lupin-plain"]["mode"] == "no-preprocessing"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"sorter": "lupine"}, ["sorters.mine.sorter", '"lupine"', 'did you mean "lupin"']),
        ({}, ["sorters.mine", '"mine"', "a sorter of SpikeInterface"]),
        (
            {"sorter": "kilosort2_5", "mode": "no-preprocessing"},
            ["sorters.mine.mode", "default for kilosort2_5"],
        ),
        ({"sorter": "lupin", "mode": "raw"}, ["sorters.mine.mode", '"raw"', "no-preprocessing"]),
        (
            {
                "sorter": "mountainsort5",
                "mode": "no-preprocessing",
                "parameters": {"whiten": True},
            },
            ["sorters.mine.parameters.whiten", "found true", "which sets it"],
        ),
        (
            {"sorter": "kilosort2_5", "container": "a/b:1", "environment": "kilosort4"},
            ["sorters.mine.environment", '"kilosort4"', "null in a container"],
        ),
        ({"sorter": "lupin", "engine": "podman"}, ["sorters.mine.engine", '"podman"']),
        ({"sorter": "lupin", "timeout_s": 0}, ["sorters.mine.timeout_s", "greater than 0"]),
        ({"sorter": "lupin", "gpus": -1}, ["sorters.mine.gpus", "at least 0"]),
        ({"sorter": "lupin", "environment": "../x"}, ["sorters.mine.environment", "../x"]),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(entry, words, monkeypatch):
    with pytest.raises(ConfigurationError) as refused:
        study_of({"mine": entry}, monkeypatch)
    assert len(refused.value.problems) == 1
    assert all(word in str(refused.value) for word in words)


def test_the_repeats_of_a_sorting_are_one_when_nothing_is_said(monkeypatch):
    assert study_of({"lupin": {}}, monkeypatch).repeats == 1


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_the_entries_of_a_preset_are_valid(preset, monkeypatch):
    entries = yaml.safe_load(preset.read_text())["sorters"]
    study = study_of(entries, monkeypatch)
    assert {settings["sorter"] for settings in study.sorter_settings.values()} <= set(sorter_dict)


def test_the_preset_has_every_sorter_in_every_mode_it_has(monkeypatch):
    entries = yaml.safe_load(PRESETS[0].read_text())["sorters"]
    settings = study_of(entries, monkeypatch).sorter_settings.values()
    for mode in ("default", "no-preprocessing"):
        assert {each["sorter"] for each in settings if each["mode"] == mode} == set(
            NO_PREPROCESSING
        )
