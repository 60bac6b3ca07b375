"""Effects as a table for a text."""

import pytest

from ephys_deepinterpolation.report import effects_in_markdown
from example_tables import example_tables, example_verdict

TABLES = example_tables()
EFFECTS, VERDICT = TABLES["effects"], example_verdict(TABLES)
CONDITIONS = list(dict.fromkeys(TABLES["units"]["condition"]))


def rows_of(text):
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
    ]
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("by", [None, "dataset", "sorter"])
def test_each_effect_stands_in_its_row_and_column(by):
    rows = rows_of(effects_in_markdown(EFFECTS, VERDICT, CONDITIONS, by))
    words = {endpoint["words"]: endpoint["name"] for endpoint in VERDICT["endpoints"]}
    assert rows
    for row in rows:
        found = EFFECTS[EFFECTS["endpoint"] == words[row["endpoint"]]]
        for column, whole in (("dataset", "all"), ("sorter", "all")):
            found = found[found[column].replace("", whole) == (row[by] if column == by else whole)]
        for _, effect in found.iterrows():
            text = row[f"`{effect['condition']}`"].strip("*").replace("−", "-")
            shown = text.split()[0]
            assert float(shown) == pytest.approx(effect["effect"], rel=0.05, abs=5e-4)
            last_digit = 10.0 ** -len(shown.partition(".")[2])
            assert float(shown) == pytest.approx(effect["effect"], rel=0, abs=0.501 * last_digit)


def test_columns_are_in_the_order_of_the_study():
    backwards = CONDITIONS[::-1]
    header = effects_in_markdown(EFFECTS, VERDICT, backwards).splitlines()[0]
    places = [header.index(f"`{name}`") for name in backwards if f"`{name}`" in header]
    assert len(places) > 1
    assert places == sorted(places)


def test_bold_is_what_is_beyond_doubt_after_the_correction():
    unclear = EFFECTS.assign(p_holm=0.2)
    assert "**" in effects_in_markdown(EFFECTS.assign(p_holm=0.01), VERDICT, CONDITIONS)
    assert "**" not in effects_in_markdown(unclear, VERDICT, CONDITIONS)


def test_an_effect_without_an_interval_is_shown_without_one():
    alone = EFFECTS.assign(low=float("nan"), high=float("nan"))
    assert " to " not in "".join(
        cell
        for row in rows_of(effects_in_markdown(alone, VERDICT, CONDITIONS))
        for name, cell in row.items()
        if name != "endpoint"
    )
