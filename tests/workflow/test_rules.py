"""Each rule by itself, from the inputs of a finished study: it makes again what is there."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from projects import MEASURED, PROJECT, said, snakemake

# Each takes seconds.
QUICK = (
    *("check_ground_truth", "gather_trials", "gather_table", "list_model_uses"),
    *("estimate_effects", "draw_models"),
)
# Figures of seconds.
OF_CLOCKS = ("run_time", "cost")
# Made of recordings that another kind of dataset has, of models tuned from others, or beside the
# study.
OTHERS = {
    *("fetch_source", "read_recorded", "read_paired", "read_mearec"),
    *("generate_surrogate", "compare_surrogate", "draw_surrogate", "generate_hybrid"),
    *("simulate_templates", "simulate_recording", "install_environment", "try_condition"),
    *("fetch_model", "publish_model"),
    *("tabulate_transfer", "clean", "environments", "write_card"),
    *("draw_paper", "draw_paper_accuracy", "tabulate_paper", "tabulate_paper_rulers"),
}


def outputs_by_rule(folder: Path) -> dict[str, list[str]]:
    """What a study consists of, by the rule that makes it."""
    summary = snakemake(folder, "--summary")
    assert summary.returncode == 0, said(summary)
    outputs: dict[str, list[str]] = {}
    for row in summary.stdout.splitlines()[1:]:
        path, _, rule, *_ = row.split("\t")
        outputs.setdefault(rule, []).append(path)
    return outputs


def contents(folder: Path) -> dict[str, Any]:
    """Every file of the results but logs, without what a clock or a machine decides."""
    results = folder / "results"
    files = (path for path in results.rglob("*") if path.is_file() and path.stem not in OF_CLOCKS)
    return {
        str(path.relative_to(results)): content(path)
        for path in files
        if not path.is_relative_to(results / "logs")
    }


def content(path: Path) -> Any:
    if path.suffix in (".parquet", ".csv") and path.read_bytes().strip():
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        return table.drop(columns=MEASURED, errors="ignore")
    if path.name == "run.json":
        run = json.loads(path.read_text())
        return {key: value for key, value in run.items() if key not in MEASURED}
    if path.name == ".sizes.json":
        # Seconds are written with more digits or fewer.
        return {**json.loads(path.read_text()), "run.json": None}
    return path.read_bytes()


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [
        name
        for name in sorted(one.keys() | other.keys())
        if name not in one or name not in other or not same(one[name], other[name])
    ]


def same(one: Any, other: Any) -> bool:
    return one.equals(other) if isinstance(one, pd.DataFrame) else one == other


def run_alone(folder: Path, rule: str, target: str) -> list[str]:
    """Run one job of a rule and no other one; the names of results that it changed."""
    before, when = contents(folder), (folder / target).stat().st_mtime_ns
    run = snakemake(folder, "--cores", "2", "--force", target, "--allowed-rules", rule)
    assert run.returncode == 0, said(run)
    assert (folder / target).stat().st_mtime_ns != when, f"{rule} did not run"
    return differences(before, contents(folder))


@pytest.fixture(scope="module")
def outputs(finished: Path) -> dict[str, list[str]]:
    return outputs_by_rule(finished)


@pytest.mark.parametrize("rule", QUICK)
def test_a_rule_alone_makes_the_same_again(finished, outputs, rule):
    assert run_alone(finished, rule, outputs[rule][0]) == []


@pytest.mark.long
def test_every_rule_alone_makes_the_same_again(finished, outputs):
    kept = {
        rule: next((path for path in paths if (finished / path).exists()), None)
        for rule, paths in outputs.items()
        if rule not in QUICK
    }
    changed = {rule: run_alone(finished, rule, path) for rule, path in kept.items() if path}
    assert {rule: names for rule, names in changed.items() if names} == {}
    assert len(changed) > 15


def test_the_study_of_these_tests_holds_every_rule_but_those_of_other_datasets(outputs):
    text = "\n".join(file.read_text() for file in (PROJECT / "workflow/rules").glob("*.smk"))
    rules = set(re.findall(r"^ *(?:use rule \w+ as|rule) (\w+)(?: with)?:", text, re.MULTILINE))
    assert rules - OTHERS <= set(outputs)
    assert not OTHERS & set(outputs)


def test_a_cleaned_study_is_still_up_to_date(finished):
    """The last test of this file: what is removed would be made again by other ones."""
    denoised = finished / "results/conditions/tiny-synthetic/0/di"
    cleaned = snakemake(finished, "--cores", "1", "clean")
    assert cleaned.returncode == 0, said(cleaned)
    assert re.search(r"Freed \d+ MB of denoised recordings, \d+ MB of", said(cleaned))
    assert not denoised.exists()
    assert (finished / "results/conditions/tiny-synthetic/0/raw").exists()
    again = snakemake(finished, "--cores", "1", "--dry-run")
    assert "Nothing to be done" in said(again)


def test_an_unfinished_study_is_not_cleaned(finished):
    (finished / "results/figures/noise.svg").unlink()
    kept = finished / "results/models/tiny-synthetic/0/compact/di/model.safetensors"
    cleaned = snakemake(finished, "--cores", "1", "clean")
    assert cleaned.returncode != 0
    assert "The study is not finished: results/figures/noise.svg is missing" in said(cleaned)
    assert kept.exists()
