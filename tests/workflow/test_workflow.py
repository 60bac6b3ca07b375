"""The workflow as a user runs it: in a copy of the project, from a shell."""

import json
import os
import signal

import numpy as np
import pandas as pd
import pytest
import yaml

from projects import (
    TABLES,
    assert_same_tables,
    job_running,
    leftovers,
    project_in,
    said,
    snakemake,
    start,
    tables_of,
    truth_files,
    wait_for,
)


def test_a_study_ends_with_tables_figures_and_one_report(finished):
    results = finished / "results"
    assert all((results / f"tables/{name}.csv").stat().st_size for name in TABLES)
    for figure in ("noise", "accuracy-di", "amplitude", "traces-tiny-synthetic-di", "effects"):
        for suffix in ("svg", "pdf", "png"):
            assert (results / f"figures/{figure}.{suffix}").stat().st_size > 1000
    assert "tiny-synthetic" in (results / "report.html").read_text()


def test_the_units_table_has_one_row_per_true_unit_condition_and_sorter(finished):
    units = tables_of(finished)["units"]
    keys = ["dataset", "replicate", "condition", "sorter", "repeat", "unit"]
    assert not units.duplicated(keys).any()
    assert len(units) == (4 + 4) * 2 * 1
    assert units.loc[~units["background"], "peak_uv"].between(40, 200).all()
    assert units.groupby("unit")["snr_raw"].nunique().eq(1).all()


def test_a_model_trained_on_the_recording_it_denoises_is_declared(finished):
    units = tables_of(finished)["units"]
    assert (units["model_saw_recording"] == (units["condition"] == "di")).all()


def test_the_verdict_has_a_sentence_for_each_endpoint_that_was_declared(finished):
    verdict = json.loads((finished / "results/verdict.json").read_text())
    declared = {endpoint["name"] for endpoint in verdict["endpoints"]}
    judged = [each["endpoint"] for each in verdict["verdicts"]]
    assert sorted(judged + verdict["not_measured"]) == sorted(declared)
    assert "accuracy-small" in verdict["not_measured"], "its units have 40 µV and more"
    for each in verdict["verdicts"]:
        assert (each["condition"], each["tuned"], each["recordings"]) == ("di", True, 1)
        assert "this recording only" in each["sentence"]


def test_di_removes_independent_noise(finished):
    passed = tables_of(finished)["noise_parts"].set_index(["condition", "part"])["passed"]
    assert passed["di", "independent"] < 0.3 < passed["di", "units"]
    assert passed["raw", "independent"] == pytest.approx(1.0, abs=0.02)


def test_the_reference_shows_that_the_rulers_read_nothing_where_nothing_was_done(finished):
    tables = {
        name: table[table["condition"] == "raw"]
        for name, table in tables_of(finished).items()
        if "condition" in table
    }
    np.testing.assert_allclose(tables["noise_transfer"]["gain"].dropna(), 1.0, atol=0.05)
    assert (tables["residual"]["removed_uv"] == 0).all()
    large = tables["attenuation"][~tables["attenuation"]["background"]]
    np.testing.assert_allclose(large["kept_peak"], 1.0, atol=0.1)
    assert (large["echo_uv"] == 0).all()
    assert tables_of(finished)["detectability"]["d_prime"].notna().all()


def test_every_condition_and_sorter_is_tried_with_noise_alone(finished):
    tables = tables_of(finished)
    crossings = tables["noise_alone"].set_index(["condition", "threshold"])
    assert sorted(crossings.index) == [(name, k) for name in ("di", "raw") for k in (4.0, 5.0, 6.0)]
    rates = crossings[["crossings_per_channel_s", "gaussian_per_channel_s"]]
    # Filtered Gaussian noise stays Gaussian: 64 channel-seconds, some 100 crossings.
    assert rates.loc["raw", 4.0].iloc[0] == pytest.approx(rates.loc["raw", 4.0].iloc[1], rel=0.4)
    sortings = tables["noise_alone_sortings"]
    assert sorted(zip(sortings["condition"], sortings["sorter"], strict=True)) == [
        ("di", "mountainsort5"),
        ("raw", "mountainsort5"),
    ]
    assert sortings["sorted_units"].notna().all()


def test_another_sorter_denoises_nothing_again(finished):
    sorters = ["study:", "  sorters: [mountainsort5, spykingcircus2]"]
    (finished / "sorters.yaml").write_text("\n".join(sorters))
    run = snakemake(finished, "-n", configfiles=("study.yaml", "sorters.yaml"))
    assert run.returncode == 0, said(run)
    assert "Sort tiny-synthetic, raw, with spykingcircus2" in said(run)
    assert (
        "Sort the noise alone of tiny-synthetic, in every condition, with spykingcircus2"
        in said(run)
    )
    assert "with mountainsort5" not in said(run)
    assert "Apply the condition" not in said(run)
    assert "Try the condition" not in said(run)


def test_every_condition_is_tried_with_transients_and_rounded(finished):
    tables = tables_of(finished)
    spread = tables["transient_spread"].groupby(["condition", "transient"])["reach"].first()
    assert set(spread.index.get_level_values("condition")) == {"raw", "di"}
    assert set(spread.index.get_level_values("transient")) == {
        "saturation",
        "partial_saturation",
        "stimulation",
    }
    rounding = tables["rounding"].set_index("condition")["rounding_uv"]
    assert rounding.to_dict() == pytest.approx(
        dict.fromkeys(["raw", "di"], 0.763 / 12**0.5), rel=0.05
    )


def test_a_second_run_does_nothing(finished):
    before = {path: path.stat().st_mtime_ns for path in (finished / "results").rglob("*")}
    run = snakemake(finished, "--cores", "2")
    assert run.returncode == 0
    assert "Nothing to be done" in said(run)
    after = {path: path.stat().st_mtime_ns for path in (finished / "results").rglob("*")}
    assert before == after


def test_a_figure_is_drawn_again_without_sorting_again(finished):
    figure = finished / "results/figures/noise.svg"
    drawn = figure.read_bytes()
    figure.unlink()
    run = snakemake(finished, "--cores", "1", "results/figures/noise.svg")
    assert run.returncode == 0, said(run)
    assert figure.read_bytes() == drawn
    assert "Sort " not in said(run)


def test_snakemakes_own_report_can_be_written(finished):
    run = snakemake(finished, "--report", "snakemake-report.html")
    assert run.returncode == 0, said(run)
    assert (finished / "snakemake-report.html").stat().st_size > 10_000


def test_a_run_whose_job_and_then_itself_were_killed_ends_with_the_same_tables(finished, tmp_path):
    folder = project_in(tmp_path / "killed")
    first = start(folder, "tables", "--cores", "1")
    os.kill(wait_for(lambda: job_running(first, "train")).pid, signal.SIGKILL)
    assert first.wait(timeout=120) != 0
    assert not (folder / "results/verdict.json").exists()

    second = start(folder, "tables", "--cores", "1")
    orphan = wait_for(lambda: job_running(second, "sort"))
    second.kill()
    second.wait()
    wait_for(lambda: not orphan.is_running())

    locked = snakemake(folder, "tables", "--cores", "1")
    assert locked.returncode != 0
    assert "--unlock" in said(locked)
    assert snakemake(folder, "--unlock").returncode == 0
    # One core where the undisturbed run had two: how many must not matter either.
    last = snakemake(folder, "tables", "--cores", "1")
    assert last.returncode == 0, said(last)
    assert_same_tables(folder, finished)
    verdicts = [each / "results/verdict.json" for each in (folder, finished)]
    assert verdicts[0].read_bytes() == verdicts[1].read_bytes()
    assert truth_files(folder) == truth_files(finished)
    assert not leftovers(folder)


def test_sorters_that_go_wrong_are_rows_and_stop_nobody(tmp_path):
    sorters = {
        "raising": {"parameters": {"scheme": "9"}},
        "late": {"timeout_s": 0.5},
        "large": {"memory_mb": 50},
        "blind": {"parameters": {"detect_threshold": 10_000}},
        "plain": {"mode": "no-preprocessing"},
    }
    folder = project_in(
        tmp_path / "failing",
        study__conditions=["raw"],
        study__sorters=list(sorters),
        sorters={name: {"sorter": "mountainsort5", **entry} for name, entry in sorters.items()},
    )
    targets = [f"results/tables/{name}.parquet" for name in ("sortings", "units")]
    run = snakemake(folder, "--cores", "2", *targets)
    assert run.returncode == 0, said(run)
    sortings, units = (pd.read_parquet(folder / target) for target in targets)
    sortings = sortings.set_index("sorter")
    assert sortings["status"].to_dict() == {
        "raising": "failed",
        "late": "timeout",
        "large": "out_of_memory",
        "blind": "empty",
        "plain": "ok",
    }
    assert sortings["mode"].to_dict() == {
        name: sorters[name].get("mode", "default") for name in sortings.index
    }
    assert sortings["sorted_units"].isna().to_dict() == {
        "raising": True,
        "late": True,
        "large": True,
        "blind": False,
        "plain": False,
    }
    run_json = folder / "results/sortings/tiny-synthetic/0/raw/late/0/run.json"
    assert json.loads(run_json.read_text())["status"] == "timeout"
    scored = units.groupby("sorter")["accuracy"].apply(lambda scores: scores.notna().all())
    assert scored.to_dict() == sortings["sorted_units"].notna().to_dict()
    words = {"raising": "scheme", "late": "still running after 0.5 s", "large": "more than 50 MB"}
    assert all(text in sortings.loc[name, "error"] for name, text in words.items())
    assert "" == sortings.loc["blind", "error"] == sortings.loc["plain", "error"]


def test_a_recording_of_ones_own_needs_five_lines_and_no_truth(tmp_path, finished):
    recording = finished / "results/ground_truth/tiny-synthetic/0/recording"
    folder = project_in(tmp_path / "own")
    lines = [
        "study:",
        "  datasets:",
        "    my-recording:",
        "      kind: recorded",
        f"      parameters: {{reader: load, path: {recording}}}",
    ]
    (folder / "mine.yaml").write_text("\n".join(lines))
    quick = {
        "study": {"conditions": ["raw", "oracle", "di"], "sorters": ["mountainsort5"]},
        "models": {"compact": {"max_steps": 250}},
    }
    (folder / "quick.yaml").write_text(yaml.safe_dump(quick))
    run = snakemake(folder, "--cores", "2", configfiles=("mine.yaml", "quick.yaml"))
    assert run.returncode == 0, said(run)
    tables = tables_of(folder)
    # Nobody knows the parts of this recording, so that there is no oracle.
    assert set(tables["noise"]["condition"]) == {"raw", "di"}
    assert len(tables["noise"]) == 16 * 2
    assert tables["units"].empty
    assert tables["sortings"]["true_units"].isna().all()
    assert "my-recording" in (folder / "results/report.html").read_text()


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("study__sorters", ["mountainsort55"], ["study.sorters[0]", "mountainsort5"]),
        ("study__conditions", ["raw", "nothing"], ["study.conditions[1]", "nothing"]),
        ("study__replicates", -1, ["study.replicates", "-1"]),
    ],
)
def test_a_wrong_configuration_stops_before_any_job(tmp_path, key, value, expected):
    folder = project_in(tmp_path / "wrong", **{key: value})
    run = snakemake(folder, "--cores", "1")
    assert run.returncode != 0
    assert all(fragment in said(run) for fragment in expected)
    assert "Traceback" not in said(run)
    assert not (folder / "results").exists()


def test_each_stage_is_a_target(tmp_path):
    stages = {"ground_truth", "models", "conditions", "sortings", "tables", "figures"}
    folder = project_in(tmp_path / "dry")
    listed = snakemake(folder, "--list-target-rules")
    assert stages | {"all", "environments", "clean"} <= set(listed.stdout.split())
    run = snakemake(folder, *stages, "--dry-run", "--quiet", "rules")
    assert run.returncode == 0, said(run)


def test_the_demo_itself_can_be_planned(tmp_path):
    run = snakemake(project_in(tmp_path / "demo"), "-n", configfiles=())
    assert run.returncode == 0, said(run)
    assert "np2-real" in said(run)


def test_a_profile_is_read(tmp_path):
    folder = project_in(tmp_path / "profile")
    profile = folder / "profiles/mine"
    profile.mkdir()
    (profile / "config.yaml").write_text("cores: 3\ndry-run: true\n")
    run = snakemake(folder, "--profile", "profiles/mine")
    assert run.returncode == 0, said(run)
    assert "This was a dry-run" in said(run)
