import numpy as np
import pandas as pd
import pytest
import spikeinterface as si
from pandas.testing import assert_frame_equal

from ephys_deepinterpolation.comparisons import match_units, sorter_agreement

FREQUENCY = 30_000.0
SCORE = 0.7


def train(seed, spikes=200):
    """Spikes at least 2 ms apart, in ten seconds."""
    return np.sort(np.random.default_rng(seed).permutation(np.arange(100, 300_000, 90))[:spikes])


def sorting(trains):
    return si.NumpySorting.from_unit_dict(
        {unit: np.asarray(frames, "int64") for unit, frames in trains.items()}, FREQUENCY
    )


def quality(trains, seed):
    """A made-up signal-to-noise ratio and peak of each unit."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "unit": [str(unit) for unit in trains],
            "snr": random.uniform(5, 20, len(trains)),
            "peak_uv": random.uniform(30, 200, len(trains)),
        }
    )


def match(reference, other, score=SCORE):
    return match_units(
        sorting(reference), sorting(other), score, quality(reference, 1), quality(other, 2)
    )


@pytest.fixture
def trains():
    return {name: train(seed) for seed, name in enumerate("abcd")}


def test_a_sorting_matches_itself_unit_by_unit(trains):
    table = match(trains, trains)
    assert table["unit"].tolist() == table["other_unit"].tolist() == list("abcd")
    assert (table["agreement"] == 1.0).all()
    assert table["matched"].all()
    assert (table["spikes"] == 200).all()
    assert (table["other_spikes"] == 200).all()


def test_each_side_has_its_own_signal_to_noise_ratio_and_peak(trains):
    other = {"y": trains["b"], "x": trains["a"]}
    table = match(trains, other).set_index("unit")
    before, after = quality(trains, 1).set_index("unit"), quality(other, 2).set_index("unit")
    for measure in ("snr", "peak_uv"):
        assert table[measure]["a"] == before.loc["a", measure]
        assert table[f"other_{measure}"]["a"] == after.loc["x", measure]
        assert table[f"other_{measure}"]["b"] == after.loc["y", measure]


def test_agreement_is_the_spikes_in_common_over_the_spikes_in_either(trains):
    found = trains | {"a": np.sort(np.r_[trains["a"][:180], train(9, 20) + 45])}
    row = match(trains, found).set_index("unit").loc["a"]
    assert row["agreement"] == pytest.approx(180 / 220, abs=0.01)
    assert row["matched"]


@pytest.mark.parametrize("score", [0.5, 0.7])
def test_units_match_from_the_score_on(trains, score):
    found = trains | {"a": trains["a"][::2][: round(200 * 0.6)], "b": trains["b"][:120]}
    table = match(trains, found, score).set_index("unit")
    assert table.loc["b", "agreement"] == pytest.approx(0.6, abs=0.01)
    assert table.loc["b", "matched"] == (score < 0.6)
    assert table.loc[["c", "d"], "matched"].all()


def test_a_unit_split_in_two_matches_the_part_that_is_large_enough(trains):
    found = {name: trains[name] for name in "bcd"}
    found |= {"large": trains["a"][:160], "small": trains["a"][160:]}
    table = match(trains, found)
    assert table.set_index("unit").loc["a", "other_unit"] == "large"
    rest = table[table["unit"].isna()]
    assert rest["other_unit"].tolist() == ["small"]
    assert rest["agreement"].tolist() == pytest.approx([0.2], abs=0.01)
    assert not rest["matched"].any()
    assert rest[["spikes", "snr", "peak_uv"]].isna().all(axis=None)
    assert rest["other_spikes"].tolist() == [40]


def test_two_units_merged_are_two_unmatched_units_and_one_unmatched_other(trains):
    both = np.unique(np.r_[trains["a"], trains["b"]])
    table = match(trains, {"both": both, "c": trains["c"], "d": trains["d"]})
    assert table["matched"].sum() == 2
    assert table["unit"].isna().sum() == 1
    assert table["other_unit"].isna().sum() == 2


def test_nothing_found_leaves_every_unit_of_the_other_side_unmatched(trains):
    lost, gained = match(trains, {}), match({}, trains)
    assert lost["unit"].tolist() == gained["other_unit"].tolist() == list("abcd")
    assert lost["other_unit"].isna().all()
    assert gained["unit"].isna().all()
    assert (lost["agreement"] == 0.0).all()
    assert not pd.concat([lost, gained])["matched"].any()
    assert len(match({}, {})) == 0


@pytest.mark.parametrize("names", [[7, 0, 3, 12], ["3", "x", "-2", "unit 5"]])
def test_the_names_of_units_do_not_matter(trains, names):
    found = {
        name: frames[: 200 - 30 * index]
        for index, (name, frames) in enumerate(zip(names, trains.values(), strict=True))
    }
    lettered = dict(zip("abcd", found.values(), strict=True))
    renamed = match(trains, found)
    letters = {str(name): letter for name, letter in zip(names, "abcd", strict=True)}
    renamed["other_unit"] = renamed["other_unit"].map(letters)
    assert_frame_equal(renamed, match(trains, lettered), check_dtype=False)


def test_one_unit_matches_itself():
    assert match({"a": train(1)}, {0: train(1)})["matched"].tolist() == [True]


def agree(sortings):
    table = sorter_agreement(
        {name: trains if trains is None else sorting(trains) for name, trains in sortings.items()},
        SCORE,
    )
    return table.set_index(["sorter", "other_sorter"])


def test_sorters_that_find_the_same_share_everything(trains):
    row = agree({"one": trains, "two": trains}).loc[("one", "two")]
    assert row.tolist() == [4, 4, 4, 1.0]


def test_the_share_is_the_units_in_common_over_the_units_in_either(trains):
    other = {"a": trains["a"], "b": trains["b"], "e": train(20), "f": train(21), "g": train(22)}
    row = agree({"one": trains, "two": other}).loc[("one", "two")]
    assert row.tolist() == [4, 5, 2, pytest.approx(2 / 7)]


def test_every_pair_of_sorters_is_a_row_and_one_sorter_alone_is_none(trains):
    table = agree({"one": trains, "two": {"a": trains["a"]}, "three": {"a": trains["a"]}})
    assert table.index.tolist() == [("one", "two"), ("one", "three"), ("two", "three")]
    assert table["share"].tolist() == pytest.approx([0.25, 0.25, 1.0])
    assert len(agree({"one": trains})) == 0


def test_a_sorter_that_failed_leaves_its_pairs_open_and_one_that_found_nothing_shares_nothing(
    trains,
):
    table = agree({"one": trains, "empty": {}, "failed": None})
    assert table.loc[("one", "empty")].tolist() == [4, 0, 0, 0.0]
    assert table.loc[("one", "failed"), "units"] == 4
    assert table.loc[("one", "failed"), ["other_units", "matched", "share"]].isna().all()
    assert table.loc[("empty", "failed"), ["matched", "share"]].isna().all()
    nothing = agree({"one": {}, "two": {}}).loc[("one", "two")]
    assert nothing["matched"] == 0
    assert pd.isna(nothing["share"])
