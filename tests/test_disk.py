"""The disk that a run will fill, predicted."""

from dataclasses import replace
from pathlib import Path, PurePath

import pytest
import yaml

from ephys_deepinterpolation.configuration import keeps_traces, read_study
from ephys_deepinterpolation.disk import Output, amount, describe_disk, megabytes
from ephys_deepinterpolation.sizes import Size

PROJECT = Path(__file__).parents[1]
HOUR = Size(channels=384, frames=30_000 * 3600)


@pytest.fixture(scope="module")
def study():
    """The demo, two of whose conditions run no network, nor anything else that is slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        config = yaml.safe_load(Path("config/config.yaml").read_text())
        return read_study(config, Path("workflow/schemas"))


def output(path: str, size: Size | None = HOUR, **wildcards: str) -> Output:
    return Output(PurePath(path), {"dataset": "np2-synthetic", **wildcards}, size)


def test_a_recording_takes_two_bytes_a_sample_and_denoised_four(study):
    samples = 384 * 30_000 * 3600
    truth = output("ground_truth/np2-synthetic/0")
    denoised = output("conditions/np2-synthetic/0/di", condition="di")
    assert megabytes(truth, study) == pytest.approx(2 * samples / 1e6)
    assert megabytes(denoised, study) == pytest.approx(4 * samples / 1e6)


def test_a_tissue_that_is_recorded_twice_takes_both(study):
    dataset = study.datasets["np2-synthetic"]
    longer = {"training_duration_s": 3 * dataset.parameters["duration_s"]}
    twice = replace(
        study,
        datasets={"np2-synthetic": replace(dataset, parameters=dataset.parameters | longer)},
    )
    truth = output("ground_truth/np2-synthetic/0")
    assert megabytes(truth, twice) == pytest.approx(4 * megabytes(truth, study))
    denoised = output("conditions/np2-synthetic/0/di", condition="di")
    assert megabytes(denoised, twice) == megabytes(denoised, study)


def test_a_condition_that_is_kept_as_a_recipe_takes_nothing(study):
    assert megabytes(output("conditions/np2-synthetic/0/raw", condition="raw"), study) == 0
    assert [name for name in study.conditions if keeps_traces(study.pipelines[name])] == [
        "oracle",
        "linear",
        "di",
        "di-after-bandpass",
    ]


def test_noise_alone_is_as_long_as_the_configuration_says(study):
    alone = output("noise_alone/recordings/np2-synthetic/0/raw", condition="raw")
    assert megabytes(alone, study) == pytest.approx(4 * 384 * 30_000 * 5.0 / 1e6)
    short = output("noise_alone/recordings/np2-synthetic/0/raw", Size(384, 30_000))
    assert megabytes(short, study) == pytest.approx(4 * 384 * 30_000 / 1e6)


def test_sortings_are_small_beside_the_recording(study):
    sorting = megabytes(output("sortings/np2-synthetic/0/di/a/0"), study)
    assert 10 < sorting < 0.01 * HOUR.megabytes


def test_a_run_is_told_by_stage_with_what_is_free(study, tmp_path):
    text = describe_disk(
        [
            output("ground_truth/np2-synthetic/0", Size(384, 300_000)),
            output("conditions/np2-synthetic/0/di", Size(384, 300_000), condition="di"),
            output("noise_alone/recordings/np2-synthetic/0/di", Size(384, 300_000)),
        ],
        study,
        tmp_path / "not/there/yet",
    )
    lines = text.splitlines()
    assert lines[1:5] == [
        "  ground truth   230 MB",
        "  conditions     461 MB",
        "  artifacts      230 MB",
        "  in all         922 MB",
    ]
    assert lines[5].startswith("  free ")
    assert len(lines) == 6


def test_what_is_removed_again_during_the_run_is_told(study, tmp_path):
    simulated = output("mearec/np2-synthetic/0.h5", Size(384, 300_000))
    text = describe_disk([simulated], study, tmp_path)
    assert text.splitlines()[-1] == "Of that, 922 MB are removed again during the run."


def test_a_run_that_does_not_fit_is_warned_of(study, tmp_path):
    endless = Size(channels=384, frames=10**15)
    text = describe_disk([output("ground_truth/np2-synthetic/0", endless)], study, tmp_path)
    assert "This does not fit: " in text
    assert f"where {tmp_path} lies" in text


def test_recordings_that_are_not_there_yet_are_named_not_guessed(study, tmp_path):
    guess = Size(channels=384, frames=10**15, known=False)
    text = describe_disk([output("ground_truth/np2-synthetic/0", guess)], study, tmp_path)
    assert "Not counted, as their recordings are not there yet: np2-synthetic." in text
    assert "does not fit" not in text


def test_what_writes_next_to_nothing_is_not_worth_a_word(study, tmp_path):
    assert describe_disk([], study, tmp_path) == ""
    assert describe_disk([output("figures/noise.svg", None)], study, tmp_path) == ""


@pytest.mark.parametrize(
    ("filled", "text"), [(0.2, "0 MB"), (999, "999 MB"), (12_345, "12.3 GB"), (4.2e6, "4.2 TB")]
)
def test_amounts_have_a_unit_that_fits(filled, text):
    assert amount(filled) == text
