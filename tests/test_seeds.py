import numpy as np

from ephys_deepinterpolation.seeds import derive_seed


def test_a_seed_is_the_same_on_every_machine_and_for_ever():
    assert derive_seed(0, "dataset", "replicate-1") == 886384181


def test_every_name_and_the_study_seed_change_the_seed():
    variants = [
        derive_seed(0, "a", "b"),
        derive_seed(1, "a", "b"),
        derive_seed(0, "b", "b"),
        derive_seed(0, "a", "c"),
        derive_seed(0, "a"),
        derive_seed(0, "a", "b", ""),
        derive_seed(0, "a", "b", 0),
    ]
    assert len(set(variants)) == len(variants)


def test_the_order_of_names_and_where_they_part_matter():
    assert derive_seed(0, "a", "b") != derive_seed(0, "b", "a")
    assert derive_seed(0, "ab", "c") != derive_seed(0, "a", "bc")
    assert derive_seed(1, "1", "x") != derive_seed(11, "x")


def test_seeds_fit_every_library_and_spread_over_their_range():
    seeds = np.array([derive_seed(7, "unit", index) for index in range(2000)])
    assert len(set(seeds.tolist())) == 2000
    assert seeds.min() >= 0
    assert seeds.max() < 2**31
    counts, _ = np.histogram(seeds, bins=10, range=(0, 2**31))
    assert counts.min() > 140
    assert counts.max() < 260
