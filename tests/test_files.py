import os
import re
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ephys_deepinterpolation.conditions import load_condition, save_condition
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.files import (
    DamagedResultError,
    DiskFullError,
    check_sizes,
    gather_tables,
    note_sizes,
    read_measure,
    read_table,
    whole_file,
    whole_folder,
    write_measures,
    write_table,
)
from ephys_deepinterpolation.ground_truth import GroundTruth, load_ground_truth
from ephys_deepinterpolation.network import NetworkParameters
from fixtures import noise_recording, untrained_model

TABLE = pd.DataFrame({"unit": ["a", "b"], "accuracy": [0.25, 1 / 3], "spikes": [10, 20]})


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_folder_appears_when_its_block_ends_and_not_before(tmp_path):
    with whole_folder(tmp_path / "made" / "result") as unfinished:
        (unfinished / "part").write_text("1")
        assert not (tmp_path / "made" / "result").exists()
    assert (tmp_path / "made" / "result" / "part").read_text() == "1"
    assert names_in(tmp_path / "made") == ["result"]


def test_a_folder_replaces_all_of_what_was_there(tmp_path):
    for name in ("old", "new"):
        with whole_folder(tmp_path / "result") as unfinished:
            (unfinished / name).write_text(name)
    assert names_in(tmp_path / "result") == ["new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_whose_block_raises_leaves_no_trace(tmp_path, error):
    with pytest.raises(error), whole_folder(tmp_path / "result") as unfinished:
        (unfinished / "part").write_text("1")
        raise error
    assert names_in(tmp_path) == []


def test_a_folder_whose_block_raises_keeps_its_old_content(tmp_path):
    with whole_folder(tmp_path / "result") as unfinished:
        (unfinished / "part").write_text("old")
    with pytest.raises(ValueError), whole_folder(tmp_path / "result") as unfinished:
        (unfinished / "part").write_text("new")
        raise ValueError
    assert names_in(tmp_path) == ["result"]
    assert (tmp_path / "result" / "part").read_text() == "old"


def test_a_folder_can_be_read_by_others_as_any_new_folder(tmp_path):
    with whole_folder(tmp_path / "result"):
        pass
    assert (tmp_path / "result").stat().st_mode & 0o055 == 0o055


def test_a_file_appears_when_its_block_ends_and_not_before(tmp_path):
    with whole_file(tmp_path / "made" / "file.txt") as unfinished:
        unfinished.write_text("1")
        assert unfinished.suffix == ".txt"
        assert not (tmp_path / "made" / "file.txt").exists()
    assert (tmp_path / "made" / "file.txt").read_text() == "1"
    assert names_in(tmp_path / "made") == ["file.txt"]


def test_a_file_whose_block_raises_keeps_its_old_content(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ValueError), whole_file(path) as unfinished:
        unfinished.write_text("new")
        raise ValueError
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_is_read_back_as_it_was_written(tmp_path, suffix):
    path = tmp_path / f"table.{suffix}"
    write_table(TABLE, path)
    pd.testing.assert_frame_equal(read_table(path), TABLE, check_exact=True)


def test_a_table_is_written_in_every_format_asked_for(tmp_path):
    write_table(TABLE, tmp_path / "table.parquet", tmp_path / "table.csv")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "table.parquet"), pd.read_csv(tmp_path / "table.csv")
    )


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "table.parquet"
    write_table(TABLE, path)
    with pytest.raises(Exception, match="mixed"):
        write_table(pd.DataFrame({"mixed": [1, "a", object()]}), path)
    pd.testing.assert_frame_equal(pd.read_parquet(path), TABLE)
    assert names_in(tmp_path) == ["table.parquet"]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for suffix in ("parquet", "csv"):
        paths = [tmp_path / f"{name}.{suffix}" for name in ("one", "two")]
        write_table(TABLE, *paths)
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_each_row_of_a_measure_says_what_it_was_measured_of(tmp_path):
    measures = {"noise": pd.DataFrame({"noise_uv": [7.0, 8.0]}), "rounding": pd.DataFrame()}
    keys = {"dataset": "tissue", "kind": "synthetic", "replicate": 2}
    keys |= {"condition": "raw", "model_saw_recording": False}
    write_measures(measures, tmp_path / "raw", **keys)
    assert read_measure(tmp_path / "raw", "noise").to_dict("records") == [
        {"noise_uv": 7.0, **keys},
        {"noise_uv": 8.0, **keys},
    ]
    assert read_measure(tmp_path / "raw", "rounding").empty


def test_tables_are_gathered_in_order_with_every_row_numbered_anew():
    gathered = gather_tables([TABLE, TABLE.assign(unit=["c", "d"])])
    assert gathered["unit"].tolist() == ["a", "b", "c", "d"]
    assert gathered.index.tolist() == [0, 1, 2, 3]


def test_tables_without_rows_add_none_and_leave_types_alone():
    empty = TABLE.astype(object).iloc[:0]
    pd.testing.assert_frame_equal(gather_tables([empty, TABLE]), TABLE)


def test_tables_without_any_row_gather_to_an_empty_one():
    assert gather_tables([TABLE.iloc[:0]]).empty
    assert gather_tables([]).empty


@pytest.fixture
def small_files():
    """No file may grow beyond 64 kB: what a writer meets on a full disk."""
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, allowed[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, allowed)


def large_table(path):
    write_table(pd.DataFrame({"value": np.random.default_rng(0).random(30_000)}), path)


def large_figure(path):
    figure = Figure()
    figure.subplots().imshow(np.random.default_rng(0).random((400, 400)))
    save(figure, path)


def large_recording(folder):
    GroundTruth(noise_recording(3_000, seed=1)).save(folder)


def large_condition(folder):
    save_condition(noise_recording(3_000, seed=1), {"denoised": True}, folder)


def large_model(path):
    network = NetworkParameters(rows=3, width=64, depth=3)
    untrained_model(noise_recording(100, seed=1), network=network).save(path)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (large_table, "table.parquet"),
        (large_table, "table.csv"),
        (large_figure, "figure.png"),
        (large_figure, "figure.svg"),
        (large_figure, "figure.pdf"),
        (large_recording, "truth"),
        (large_condition, "condition"),
        (large_model, "model.safetensors"),
    ],
)
def test_what_does_not_fit_is_told_with_numbers_and_what_was_there_stays(
    tmp_path, small_files, write, name
):
    (tmp_path / name).write_text("old")
    with pytest.raises(DiskFullError) as told:
        write(tmp_path / name)
    assert re.fullmatch(
        r"File larger .* allows: \d+\.\d MB of .* were written, \d+\.\d MB are free",
        str(told.value),
    )
    assert name in str(told.value)
    assert (tmp_path / name).read_text() == "old"
    assert names_in(tmp_path) == [name]


def test_a_full_disk_is_known_through_the_errors_that_libraries_make_of_it(tmp_path):
    with pytest.raises(DiskFullError, match=r"Disk full: 0\.0 MB"), whole_file(tmp_path / "file"):
        try:
            Path("/dev/full").write_text("more than fits")
        except OSError:
            raise RuntimeError("cannot write") from None
    with pytest.raises(DiskFullError, match="Disk full"), whole_folder(tmp_path / "folder"):
        raise RuntimeError("of a compressor: No space left on device")


def test_everything_is_on_the_disk_before_it_is_moved(tmp_path, monkeypatch):
    """What a power cut leaves is whole: every file was flushed before its folder had its name."""
    flushed = []
    flush = os.fsync

    def note(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        flushed.append((path.name, (tmp_path / "result").exists()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with whole_folder(tmp_path / "result") as unfinished:
        (unfinished / "inner").mkdir()
        (unfinished / "inner" / "part").write_text("1")
    before = {name for name, moved in flushed if not moved}
    assert {"part", "inner"} < before
    assert flushed[-1] == (tmp_path.name, True), "the move itself"
    flushed.clear()
    write_table(TABLE, tmp_path / "table.csv")
    assert [name for name, _ in flushed] == ["table.csv", tmp_path.name]


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_file_of_a_folder_that_was_cut_off_or_lost_is_named(tmp_path, damage):
    with whole_folder(tmp_path / "result") as unfinished:
        (unfinished / "inner").mkdir()
        (unfinished / "inner" / "traces.raw").write_bytes(bytes(100))
        note_sizes(unfinished)
    check_sizes(tmp_path / "result")
    damage(tmp_path / "result/inner/traces.raw")
    with pytest.raises(DamagedResultError) as told:
        check_sizes(tmp_path / "result")
    how = "90 of 100 bytes" if damage is cut else "it is missing"
    assert str(told.value) == (
        f"{tmp_path}/result/inner/traces.raw is damaged ({how}): "
        f"delete {tmp_path}/result and give the same command again"
    )


def test_a_folder_whose_sizes_nobody_noted_is_taken_as_it_is(tmp_path):
    check_sizes(tmp_path)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_that_was_cut_off_is_named(tmp_path, suffix):
    path = tmp_path / f"table.{suffix}"
    write_table(TABLE, path)
    cut(path)
    with pytest.raises(DamagedResultError, match=re.escape(f"{path} is damaged (")):
        read_table(path)


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_of_a_damaged_measure_the_whole_folder_is_to_go(tmp_path, damage):
    keys = {"dataset": "tissue", "kind": "synthetic", "replicate": 2}
    keys |= {"condition": "raw", "model_saw_recording": False}
    write_measures({"noise": TABLE}, tmp_path / "raw", **keys)
    damage(tmp_path / "raw/noise.parquet")
    with pytest.raises(DamagedResultError, match=rf"\): delete {tmp_path}/raw and give"):
        read_measure(tmp_path / "raw", "noise")


def test_a_recording_that_was_cut_off_is_not_read_as_a_shorter_one(tmp_path):
    GroundTruth(noise_recording(1_000, seed=1)).save(tmp_path / "truth")
    cut(tmp_path / "truth/recording/traces_cached_seg0.raw")
    with pytest.raises(DamagedResultError, match=r"63990 of 64000 bytes"):
        load_ground_truth(tmp_path / "truth")


def test_the_output_of_a_condition_that_was_cut_off_is_not_read_as_a_shorter_one(tmp_path):
    save_condition(noise_recording(1_000, seed=1), {"denoised": True}, tmp_path / "condition")
    cut(tmp_path / "condition/recording/traces_cached_seg0.raw")
    with pytest.raises(DamagedResultError, match=r"63990 of 64000 bytes"):
        load_condition(tmp_path / "condition")
