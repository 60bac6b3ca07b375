import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.noise import plot_noise
from ephys_deepinterpolation.report import (
    ReportFigure,
    caption_html,
    effects_in_words,
    write_report,
)
from example_tables import CONDITIONS, example_tables

CAPTIONS = Path(__file__).parents[1] / "workflow" / "report"
ORDER = [
    "Summary",
    "How to read this",
    "Datasets",
    "Models",
    "Conditions",
    "Sortings",
    "Comparisons",
    "Effects",
    "Provenance",
]
SETTINGS = {
    "config": {"study": {"reference": "raw", "conditions": CONDITIONS}, "conditions": {}},
    "versions": {"spikeinterface": "0.105.3"},
}


class Reader(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.resources, self.headings, self.boxes = [], [], [], []
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.resources += [given[name] for name in ("src", "href", "srcset") if name in given]
        self._open = tag
        if tag == "div" and "box" in given.get("class", ""):
            self.boxes.append("")

    def handle_data(self, data):
        if self._open == "h2":
            self.headings.append(data.strip())
        if self.boxes:
            self.boxes[-1] += data

    def handle_endtag(self, tag):
        self._open = ""


@pytest.fixture(scope="module")
def tables():
    return example_tables(failed=("di-after-bandpass", "mountainsort5"))


@pytest.fixture(scope="module")
def figure(tmp_path_factory, tables):
    path = tmp_path_factory.mktemp("figures") / "noise.svg"
    style.save(plot_noise(tables["noise"], "raw", CONDITIONS), path)
    return ReportFigure("conditions", "noise", "Noise of *every* channel.", path)


@pytest.fixture(scope="module")
def html(tmp_path_factory, tables, figure):
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(path, tables, [figure], SETTINGS).read_text(encoding="utf-8")


def test_sections_stand_in_the_order_of_the_flow(html):
    assert [text for text in Reader(html).headings if text] == ORDER


def test_nothing_is_loaded_from_elsewhere(html):
    for resource in Reader(html).resources:
        assert resource.startswith(("#", "data:"))
    assert not re.search(r"url\(|@import|https?://", html)


def test_the_first_box_lists_the_sorters_that_failed(html):
    first = Reader(html).boxes[0]
    assert "mountainsort5 failed on di-after-bandpass of np2-synthetic" in first
    assert "ValueError: too few spikes" in first
    assert "spykingcircus2 found no unit on raw of np2-real" in first


def test_figures_are_embedded_with_their_caption(html, figure):
    encoded = base64.b64encode(Path(figure.path).read_bytes()).decode()
    assert f'src="data:image/svg+xml;base64,{encoded}"' in html
    assert "Noise of <em>every</em> channel." in html


def test_notes_on_models_and_tuning_are_loud(html):
    assert "the network did not beat linear interpolation" in html
    assert "Conditions that copy their noise" in html
    assert "Tuned on the recording it is judged on" in html
    assert "Not repeatable: spykingcircus2." in html


def test_effects_come_with_their_intervals(html, tables):
    for _, row in tables["effects"].dropna(subset=["effect"]).iterrows():
        bounds = f"{style.signed(row['low'])} to {style.signed(row['high'])}"
        assert f"accuracy {style.signed(row['effect'])} against raw (95 % interval {bounds}" in html


@pytest.mark.parametrize(
    ("low", "effect", "high", "units", "verdict"),
    [
        (0.01, 0.02, 0.03, 10, "Higher"),
        (-0.03, -0.02, -0.01, 10, "Lower"),
        (-0.01, 0.02, 0.05, 10, "Cannot tell"),
        (0.0, 0.02, 0.05, 10, "Cannot tell"),
        (0.0, 0.0, 0.0, 10, "No difference"),
        (0.02, 0.02, 0.02, 1, "Cannot tell"),
        (None, None, None, 0, "Cannot tell"),
    ],
)
def test_verdicts(low, effect, high, units, verdict):
    row = {
        "dataset": "a",
        "kind": "synthetic",
        "condition": "di",
        "sorter": "s",
        "endpoint": "accuracy",
        "effect": effect,
        "low": low,
        "high": high,
        "units": units,
        "recordings": 1,
    }
    (statement,) = effects_in_words({"effects": pd.DataFrame([row])}, "raw")["a"]
    assert statement.verdict == verdict


def test_comparisons_without_an_effect_are_said(tables):
    without = {"units": tables["units"], "effects": tables["effects"].iloc[:1]}
    statements = effects_in_words(without, "raw")["np2-synthetic"]
    assert len(statements) == 6
    assert sum("no true unit has an accuracy" in statement.text for statement in statements) == 5


def test_long_tables_are_shortened_but_saved_whole(html, tables):
    assert "the CSV file holds all" in html
    address = re.search(r'download="units.csv" href="data:text/csv;base64,([^"]+)"', html)
    saved = pd.read_csv(io.BytesIO(base64.b64decode(address.group(1))))
    assert len(saved) == len(tables["units"])
    assert saved["accuracy"].notna().sum() == tables["units"]["accuracy"].notna().sum()
    assert "traces.csv" not in html
    assert html.count("<tr>") < 400


def test_names_are_escaped(tmp_path, tables, figure):
    bad = "<script>alert(1)</script>"
    renamed = {
        name: table.replace({"np2-synthetic": bad, "di": bad, "mountainsort5": bad})
        for name, table in tables.items()
    }
    settings = {
        "config": {"study": {"reference": bad}, "note": bad},
        "versions": {bad: bad},
        "title": bad,
        "created": bad,
    }
    path = write_report(tmp_path / "r.html", renamed, [figure._replace(name=bad)], settings)
    html = path.read_text(encoding="utf-8")
    assert bad not in html
    assert Reader(html).tags.count("script") == 1


def test_a_missing_figure_leaves_nothing_behind(tmp_path, tables):
    gone = ReportFigure("statistics", "effects", "", tmp_path / "gone.svg")
    with pytest.raises(FileNotFoundError, match=r"gone\.svg"):
        write_report(tmp_path / "report.html", tables, [gone], SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_report_leaves_the_last_one(tmp_path, tables):
    (tmp_path / "report.html").write_text("the last one")
    with pytest.raises(ValueError, match="no such stage"):
        write_report(tmp_path / "report.html", tables, [("x", "y", "", "z.svg")], SETTINGS)
    assert (tmp_path / "report.html").read_text() == "the last one"


def test_the_same_input_gives_the_same_bytes(tmp_path, tables, figure):
    first = write_report(tmp_path / "a.html", tables, [figure], SETTINGS).read_bytes()
    assert first == write_report(tmp_path / "b.html", tables, [figure], SETTINGS).read_bytes()


@pytest.mark.parametrize("conditions", [["raw"], CONDITIONS])
def test_small_studies_are_reported(tmp_path, conditions):
    small = example_tables(replicates=1, true_units=1, conditions=conditions)
    html = write_report(tmp_path / "report.html", small, [], SETTINGS).read_text(encoding="utf-8")
    assert ("Nothing to compare" in html) == (conditions == ["raw"])
    assert "this dataset has no ground truth" in html


def test_no_tables_at_all_is_reported(tmp_path):
    html = write_report(tmp_path / "report.html", {}, [], {}).read_text(encoding="utf-8")
    assert "Nothing to compare" in html


def test_an_unknown_table_is_refused(tmp_path, tables):
    with pytest.raises(ValueError, match="no such table: unitz"):
        write_report(tmp_path / "report.html", {"unitz": tables["units"]}, [], SETTINGS)


@pytest.mark.parametrize("path", sorted(CAPTIONS.glob("*.rst")), ids=lambda path: path.stem)
def test_captions_of_the_workflow_are_plain(path):
    html = caption_html(path.read_text(encoding="utf-8"))
    assert html.count("<p>") == 1
    assert "http" not in html


@pytest.mark.parametrize(
    "text",
    [
        ".. include:: /etc/hostname",
        ".. raw:: html\n\n   <script>alert(1)</script>",
        ".. image:: https://example.org/a.png",
    ],
)
def test_captions_load_and_inject_nothing(text):
    with pytest.raises(Exception, match=r"disabled|no images"):
        caption_html(text)
