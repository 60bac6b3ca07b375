"""What `snakemake clean` removes, and what it leaves."""

from pathlib import Path

import pytest

from ephys_deepinterpolation.cleaning import remove_large


def write(path: Path, size: int = 1_000_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


@pytest.fixture
def results(tmp_path):
    results = tmp_path / "results"
    write(results / "conditions/cortex/0/di/recording/traces.raw", 3_000_000)
    write(results / "conditions/cortex/0/di/condition.json")
    write(results / "conditions/cortex/0/raw/recording.json")
    write(results / "noise_alone/recordings/cortex/0/di/recording/traces.raw")
    write(results / "noise_alone/sortings/cortex/0/di/a/0/run.json")
    write(results / "mearec/cortex/0.h5")
    write(results / "sources/package/traces.bin")
    for kept in ("ground_truth/cortex/0/recording/traces.raw", "models/cortex/0/m/di/model", "x"):
        write(results / kept)
    return results


def conditions(results: Path) -> list[Path]:
    return [results / f"conditions/cortex/0/{name}" for name in ("raw", "di")]


def test_what_is_large_and_can_be_made_again_is_removed_and_counted(results):
    freed = remove_large(results, conditions(results))
    assert freed == pytest.approx(
        {
            "denoised recordings": 4.0,
            "recordings of noise alone": 1.0,
            "simulations": 1.0,
            "sources": 1.0,
        }
    )


def test_recipes_models_truth_sortings_and_whatever_else_stay(results):
    remove_large(results, conditions(results))
    left = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
    assert left == {
        "conditions/cortex/0/raw/recording.json",
        "noise_alone/sortings/cortex/0/di/a/0/run.json",
        "ground_truth/cortex/0/recording/traces.raw",
        "models/cortex/0/m/di/model",
        "x",
    }


def test_a_folder_is_gone_as_a_whole_even_if_its_removal_is_interrupted(results, monkeypatch):
    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remove_large(results, conditions(results))
    assert not (results / "conditions/cortex/0/di").exists()


def test_a_second_time_there_is_nothing_to_remove(results):
    remove_large(results, conditions(results))
    assert not any(remove_large(results, conditions(results)).values())
