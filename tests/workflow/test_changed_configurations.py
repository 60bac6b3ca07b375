"""Which jobs run again after a change of the configuration: those that it concerns, and no other.

The study ran to its end with scripts that make their outputs empty: what Snakemake compares are
inputs, parameters and code.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from projects import project_in, said, small_study_with, snakemake

SORTED_RAW = {"sortings/raw", "comparisons/raw"}
SORTED_DI = {"sortings/di", "comparisons/di"}
NOISE_ALONE = {"artifacts", "noise_alone/sortings"}
DI = {"conditions/di", "artifacts/di", "trials/di", *SORTED_DI, *NOISE_ALONE, "comparisons"}
RAW = {"conditions/raw", "artifacts/raw", "trials/raw", *SORTED_RAW, *NOISE_ALONE, "comparisons"}
ALL = {"ground_truth", "ground_truth_checks", "models/compact/di", *RAW, *DI}
SORTED = {*SORTED_RAW, *SORTED_DI, *NOISE_ALONE, "comparisons"}
BANDPASS = {"name": "bandpass_filter", "params": {"freq_min": 400.0, "freq_max": 6000.0}}
DENOISE = {"name": "deepinterpolate", "params": {"model": "compact"}}
OTHER = {"sorter": "simple", "parameters": {}}
TINY = "study__datasets__tiny-synthetic__"

CHANGES = {
    "nothing": ({}, set()),
    "the seed": ({"study__seed": 8}, ALL),
    "a parameter of a dataset": ({f"{TINY}parameters__duration_s": 9.0}, ALL),
    "the description of a dataset": ({f"{TINY}description": "other words"}, set()),
    "a sorter that is not asked for": ({"sorters__other": OTHER}, set()),
    "a parameter of a sorter": ({"sorters__mountainsort5__parameters": {"scheme": "1"}}, SORTED),
    "the threads of a sorter": ({"sorters__mountainsort5__threads": 2}, SORTED),
    "the memory that a sorter may take": ({"sorters__mountainsort5__memory_mb": 3000}, set()),
    "the time that a sorter may take": ({"sorters__mountainsort5__timeout_s": 900}, set()),
    "a condition that is not asked for": ({"conditions__new": [BANDPASS]}, set()),
    "a step after the denoising": ({"conditions__di": [DENOISE, BANDPASS]}, DI),
    "a step before the denoising": (
        {"conditions__di": [BANDPASS, DENOISE]},
        DI | {"models/compact/di"},
    ),
    "the training of a model": ({"models__compact__max_steps": 500}, DI | {"models/compact/di"}),
    "a model that no condition uses": (
        {"models__other": {"network": {"family": "linear", "rows": 3}, "context_ms": 1.0}},
        set(),
    ),
    "how well a unit has to match": (
        {"study__match_score": 0.6},
        {"comparisons/raw", "comparisons/di", "comparisons"},
    ),
    "an endpoint": ({"endpoints__new": {"measure": "recall"}}, set()),
    "the seconds of noise alone": (
        {"artifacts__noise_alone_s": 3.0},
        {"trials/raw", "trials/di", *NOISE_ALONE},
    ),
    "the thresholds for noise alone": (
        {"artifacts__thresholds": [4.0, 5.0]},
        {"trials/raw", "trials/di", *NOISE_ALONE},
    ),
    # What follows is new; what is there stays as it is, but for what counts all.
    "another sorter": (
        {"study__sorters": ["mountainsort5", "spykingcircus2"]},
        SORTED,
    ),
    "another condition": (
        {"study__conditions": ["raw", "di", "gaussian"]},
        {
            "conditions/gaussian",
            "artifacts/gaussian",
            "trials/gaussian",
            "sortings/gaussian",
            "comparisons/gaussian",
            *NOISE_ALONE,
            "comparisons",
        },
    ),
    "another repeat": (
        {"study__repeats": 2},
        {*SORTED_RAW, *SORTED_DI, "comparisons"},
    ),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = project_in(tmp_path_factory.mktemp("finished"))
    stub = Path(__file__).with_name("stub.py")
    for script in (folder / "workflow/scripts").glob("*.py"):
        shutil.copy(stub, script)
    run = snakemake(folder, "--cores", "2", "--quiet", "all")
    assert run.returncode == 0, said(run)
    return folder


def reversed_keys(value):
    if not isinstance(value, dict):
        return value
    return {
        key: value[key] if key == "noise" else reversed_keys(value[key]) for key in [*value][::-1]
    }


@pytest.fixture(scope="module")
def summaries(finished) -> dict[str, list[dict[str, str]]]:
    """What Snakemake would do after each change, a row for each output."""
    studies = {name: small_study_with(changes) for name, (changes, _) in CHANGES.items()}
    studies["another order of keys"] = reversed_keys(studies["nothing"])
    files = {name: finished / f"{name.replace(' ', '-')}.yaml" for name in studies}
    for name, file in files.items():
        file.write_text(yaml.safe_dump(studies[name], sort_keys=False))
    files["comments"] = finished / "comments.yaml"
    files["comments"].write_text("# Another comment.\n" + files["nothing"].read_text())
    driver = Path(__file__).with_name("summaries.py")
    names = [file.name for file in files.values()]
    subprocess.run([sys.executable, str(driver), *names], cwd=finished, check=True)
    found = {}
    for name, file in files.items():
        lines = file.with_suffix(".yaml.summary").read_text().splitlines()
        rows = [line.split("\t") for line in lines if line.count("\t") >= 5]
        assert rows, f"no summary of {name}"
        found[name] = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    return found


def redone(summary: list[dict[str, str]], stages_only: bool = True) -> set[str]:
    """The places of what would be made: stage, condition or model; of a table its name."""
    places = set()
    for row in summary:
        path = Path(row["output_file"]).relative_to("results")
        if row["plan"] == "no update":
            continue
        if path.parts[0] in ("tables", "figures") or len(path.parts) == 1:
            if not stages_only:
                places.add(path.with_suffix("").as_posix())
            continue
        parts = [part for part in path.parts if part not in ("tiny-synthetic", "0")]
        if path.suffix:
            parts = parts[:-1]
        kept = 3 if parts[0] == "models" else 2
        places.add("/".join(parts[:kept]))
    # Only a sorter asks for it again, and has it.
    return {place for place in places if place != "noise_alone/recordings"}


@pytest.mark.parametrize("name", CHANGES)
def test_exactly_what_a_change_concerns_is_made_again(summaries, name):
    assert redone(summaries[name]) == CHANGES[name][1]


@pytest.mark.parametrize("name", ["nothing", "comments"])
def test_where_nothing_is_other_nothing_is_made_again(summaries, name):
    assert redone(summaries[name], stages_only=False) == set()


def test_another_order_of_keys_writes_the_report_again_which_shows_them(summaries):
    assert redone(summaries["another order of keys"], stages_only=False) == {"report"}


@pytest.mark.parametrize(
    "name", ["an endpoint", "the description of a dataset", "the memory that a sorter may take"]
)
def test_what_only_the_verdict_names_redoes_the_verdict_and_what_shows_it(summaries, name):
    places = redone(summaries[name], stages_only=False)
    assert {"verdict", "tables/effects", "report"} <= places
    assert "tables/units" not in places


def test_another_sorter_sorts_only_what_it_has_not_sorted(summaries):
    made = [row for row in summaries["another sorter"] if row["plan"] != "no update"]
    sorted_again = [row["output_file"] for row in made if "/sortings/" in row["output_file"]]
    assert sorted_again
    assert all("spykingcircus2" in path for path in sorted_again)
