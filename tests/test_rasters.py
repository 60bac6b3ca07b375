import numpy as np
import pandas as pd
import spikeinterface as si

from ephys_deepinterpolation.rasters import cut_raster

FREQUENCY = 10_000.0


def sorting_of(trains):
    return si.NumpySorting.from_unit_dict([trains], FREQUENCY)


def test_spikes_of_the_middle_are_taken_with_times_from_its_start():
    sorting = sorting_of({"a": np.array([100, 9_999, 10_000, 15_000, 20_000]), "b": np.array([])})
    raster = cut_raster(sorting, num_frames=30_000)
    assert raster["unit"].tolist() == ["a", "a"]
    assert raster["time_ms"].tolist() == [0.0, 500.0]


def test_a_short_recording_is_taken_whole():
    raster = cut_raster(sorting_of({1: np.array([0, 4_999])}), num_frames=5_000)
    assert raster["unit"].tolist() == ["1", "1"]
    assert raster["true_unit"].isna().all()


def test_sorted_units_carry_the_true_unit_they_were_matched_to():
    sorting = sorting_of({1: np.array([10]), 2: np.array([20])})
    raster = cut_raster(sorting, 1_000, true_units=pd.Series({"1": "u7"}))
    assert raster.set_index("unit")["true_unit"].to_dict()["1"] == "u7"
    assert raster.loc[raster["unit"] == "2", "true_unit"].isna().all()


def test_a_sorting_without_units_gives_an_empty_table():
    raster = cut_raster(sorting_of({}), 1_000)
    assert list(raster) == ["unit", "time_ms", "true_unit"]
    assert raster.empty
