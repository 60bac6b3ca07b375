from pathlib import Path

import pandas as pd
import pytest

from ephys_deepinterpolation.files import gather_tables, whole_file, whole_folder, write_table

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
    pd.testing.assert_frame_equal(gather_tables([path]), TABLE, check_exact=True)


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


def test_tables_are_gathered_in_order_with_every_row_numbered_anew(tmp_path):
    paths = [tmp_path / "second.csv", tmp_path / "first.parquet"]
    write_table(TABLE, paths[0])
    write_table(TABLE.assign(unit=["c", "d"]), paths[1])
    gathered = gather_tables(paths)
    assert gathered["unit"].tolist() == ["a", "b", "c", "d"]
    assert gathered.index.tolist() == [0, 1, 2, 3]


def test_tables_without_rows_add_none_and_leave_types_alone(tmp_path):
    empty = tmp_path / "empty.parquet"
    full = tmp_path / "full.parquet"
    write_table(TABLE.astype(object).iloc[:0], empty)
    write_table(TABLE, full)
    pd.testing.assert_frame_equal(gather_tables([empty, full]), TABLE)


def test_tables_without_any_row_gather_to_an_empty_one(tmp_path):
    write_table(TABLE.iloc[:0], tmp_path / "empty.parquet")
    assert gather_tables([tmp_path / "empty.parquet"]).empty
    assert gather_tables([]).empty
