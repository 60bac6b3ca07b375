import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import style


def simple_figure() -> Figure:
    with style.applied():
        figure = Figure()
        figure.subplots().plot([0, 1], [1, 0], marker="o", label="line")
    return figure


def test_the_reference_is_grey_and_takes_no_colour_from_the_others():
    colours = style.condition_colours(["raw", "di", "gaussian"], "raw")
    assert colours["raw"] == style.REFERENCE_COLOUR
    assert colours["di"] == style.condition_colours(["di", "gaussian"])["di"]
    assert len(set(colours.values())) == 3


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_saving_twice_gives_the_same_bytes(tmp_path, suffix):
    first = style.save(simple_figure(), tmp_path / f"first{suffix}")
    second = style.save(simple_figure(), tmp_path / f"second{suffix}")
    assert first.read_bytes() == second.read_bytes()
    assert b"date" not in first.read_bytes().lower()


def test_an_error_of_the_layout_in_the_last_digit_changes_no_byte(tmp_path):
    def drawn(nudged):
        figure, axes = style.panels(3, 3, 2.0)
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
        for axis in axes:
            axis.plot([0, 1], [0, 1])
            bounds = axis.get_position().bounds
            axis.set_position([np.nextafter(bound, 1) if nudged else bound for bound in bounds])
        return style.save(figure, tmp_path / f"{nudged}.svg").read_bytes()

    assert drawn(nudged=True) == drawn(nudged=False)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.bmp"):
        style.save(simple_figure(), tmp_path / "a.bmp")


def test_the_style_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    simple_figure()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("value", "text"), [(0.0314, "+0.031"), (-0.02, "−0.020"), (0.0, "0.000"), (-0.0001, "0.000")]
)
def test_signed_numbers(value, text):
    assert style.signed(value) == text


def test_order_follows_the_study_and_then_the_table():
    assert style.in_order(["b", "c", None, "a", "b"], ["a", "x", "b"]) == ["a", "b", "c"]
