import base64
import gzip
import hashlib
import io
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.noise import plot_noise
from ephys_deepinterpolation.report import ReportFigure, caption_html, write_report
from ephys_deepinterpolation.report.tables import LONGEST_CSV, html_table
from ephys_deepinterpolation.report.verdict import verdict_in_cells
from ephys_deepinterpolation.report.words import (
    models_not_beaten,
    sorters_stopped_by_noise,
    sortings_in_trouble,
)
from example_tables import CONDITIONS, example_tables, example_verdict

CAPTIONS = Path(__file__).parents[1] / "workflow" / "report"
ORDER = [
    "Verdict",
    "How to read this",
    "Datasets",
    "Models",
    "Conditions",
    "Artifacts",
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
    settings = SETTINGS | {"verdict": example_verdict(tables)}
    return write_report(path, tables, [figure], settings).read_text(encoding="utf-8")


def test_sections_stand_in_the_order_of_the_flow(html):
    assert [text for text in Reader(html).headings if text] == ORDER


def test_nothing_is_loaded_from_elsewhere(html):
    for resource in Reader(html).resources:
        assert resource.startswith(("#", "data:"))
    assert not re.search(r"url\(|@import|https?://", html)


def test_a_browser_may_run_the_reports_own_script_and_no_other(html):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")


def test_the_first_box_lists_the_sorters_that_failed(html):
    first = Reader(html).boxes[0]
    assert "mountainsort5 failed on di-after-bandpass of np2-synthetic" in first
    assert "ValueError: too few spikes" in first
    assert "spykingcircus2 found no unit on raw of np2-real" in first


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("timeout", "lupin was stopped for its time on raw of tissue"),
        ("out_of_memory", "lupin ran out of memory on raw of tissue"),
        ("failed", "lupin failed on raw of tissue"),
    ],
)
def test_a_sorting_without_result_is_told_in_words_with_how_many_of_its_runs(status, words):
    runs = pd.DataFrame({"replicate": [0, 0, 0], "repeat": [0, 1, 2], "error": ["", "no", "no"]})
    runs["status"] = ["ok", status, status]
    sortings = runs.assign(dataset="tissue", condition="raw", sorter="lupin")
    assert sortings_in_trouble({"sortings": sortings}) == [f"{words}, in 2 of 3 runs: no"]


def test_sorters_that_fail_on_noise_alone_are_told_and_those_that_find_nothing_there_are_not(html):
    runs = pd.DataFrame({"condition": ["raw", "di", "oracle"], "error": ["no", "no", None]})
    runs["status"] = ["failed", "failed", "empty"]
    sortings = runs.assign(dataset="tissue", sorter="lupin")
    sentence = "lupin failed on the noise alone of tissue, after raw and di: no"
    assert sorters_stopped_by_noise({"noise_alone_sortings": sortings}) == [sentence]
    assert sorters_stopped_by_noise({"noise_alone_sortings": sortings.iloc[2:]}) == []
    assert "mountainsort5 failed on the noise alone of np2-synthetic" in Reader(html).boxes[0]


def test_linear_interpolation_is_not_held_against_itself(tables):
    models = tables["models"].assign(linear_loss=np.nan)
    assert "no linear baseline" in models_not_beaten({"models": models})[0]
    assert models_not_beaten({"models": models.assign(steps=0)}) == []


def test_figures_are_embedded_with_their_caption(html, figure):
    encoded = base64.b64encode(Path(figure.path).read_bytes()).decode()
    assert f'src="data:image/svg+xml;base64,{encoded}"' in html
    assert "Noise of <em>every</em> channel." in html


def test_notes_on_models_and_tuning_are_loud(html):
    assert "the network did not beat linear interpolation" in html
    assert "Conditions that copy their noise" in html
    assert "Tuned on the recording it is judged on" in html
    assert "Not repeatable: spykingcircus2." in html


def test_the_verdict_comes_first_and_every_sentence_of_it_stands_there(html, tables):
    verdict = example_verdict(tables)
    for entry in verdict["verdicts"]:
        assert entry["sentence"] in unescape(html)
        for each in entry["by_sorter"]:
            assert each["sentence"] in unescape(html)
    assert html.index('class="verdicts"') < html.index('id="trouble"') < html.index("<figure")


def test_the_verdict_has_a_cell_for_each_condition_and_endpoint(tables):
    verdict = example_verdict(tables)
    shown = verdict_in_cells(verdict)
    entries = {(one["condition"], one["endpoint"]): one for one in verdict["verdicts"]}
    names = [endpoint["name"] for endpoint in shown.endpoints]
    assert len(entries) == len(shown.rows) * len(names)
    for row in shown.rows:
        for name, cell in zip(names, row.cells, strict=True):
            entry = entries[row.condition, name]
            assert cell.kind == entry["verdict"].replace(" ", "-")
            assert cell.sentence == entry["sentence"]
    assert [row.condition for row in shown.rows if row.calibrates] == ["gaussian"]


def test_the_headline_names_what_is_better_and_leaves_out_what_only_calibrates(tables):
    better, rest = verdict_in_cells(example_verdict(tables)).headline
    assert better.startswith("di: better in accuracy-small")
    assert rest == "Cannot tell, in any primary endpoint: di-after-bandpass."


@pytest.mark.parametrize(
    ("found", "line"),
    [("no difference", "No difference, in any"), ("cannot tell", "Cannot tell, in any")],
)
def test_no_difference_and_cannot_tell_are_two_things(tables, found, line):
    verdict = example_verdict(tables)
    for entry in verdict["verdicts"]:
        entry["verdict"] = found
    names = "di, di-after-bandpass."
    assert verdict_in_cells(verdict).headline == [f"{line} primary endpoint: {names}"]


def test_a_study_without_a_verdict_says_so():
    assert verdict_in_cells({}).rows == []
    assert verdict_in_cells({"verdicts": [], "calibration": []}).headline == []


def test_long_tables_are_shortened_but_saved_whole(html, tables):
    assert f"the whole table has {len(tables['units'])} rows" in html
    address = re.search(r'download="units.csv" href="data:text/csv;base64,([^"]+)"', html)
    saved = pd.read_csv(io.BytesIO(base64.b64decode(address.group(1))))
    assert len(saved) == len(tables["units"])
    assert saved["accuracy"].notna().sum() == tables["units"]["accuracy"].notna().sum()
    assert "traces.csv" not in html
    assert html.count("<tr>") < 3000


def test_large_tables_are_compressed_and_the_largest_left_beside():
    generator = np.random.default_rng(0)
    long = pd.DataFrame({"dataset": "a", "value": generator.integers(0, 9, LONGEST_CSV // 4)})
    shown = html_table("quality", long)
    assert shown.file == "quality.csv.gz"
    content = gzip.decompress(base64.b64decode(shown.address.split(",")[1]))
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(content)), long)
    assert len(shown.rows) == 1
    longest = pd.DataFrame({"dataset": "a", "value": generator.random(200_000)})
    left_out = html_table("quality", longest)
    assert not left_out.file
    assert "results/tables/quality.csv" in left_out.note


def test_dense_figures_are_embedded_as_pictures(tmp_path, tables):
    with style.applied():
        dense = Figure()
        dense.subplots().scatter(np.arange(4000), np.arange(4000) % 71)
    for suffix in (".svg", ".png"):
        style.save(dense, tmp_path / f"dense{suffix}", dpi=50)
    given = ReportFigure("conditions", "dense", "", tmp_path / "dense.svg")
    path = write_report(tmp_path / "report.html", tables, [given], SETTINGS)
    assert 'src="data:image/webp;base64,' in path.read_text(encoding="utf-8")
    assert path.stat().st_size < 2e6


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


def test_no_token_of_the_configuration_stands_in_the_report(tmp_path, tables):
    source = {"url": "https://me:hunter2@a.org/b.zip?token=hunter2", "sha256": "0" * 64}
    settings = {"config": SETTINGS["config"] | {"sources": {"a": source}}}
    html = write_report(tmp_path / "r.html", tables, [], settings).read_text(encoding="utf-8")
    assert "hunter2" not in html
    assert "https://a.org/b.zip?…" in html


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
    settings = SETTINGS | {"verdict": example_verdict(small)}
    html = write_report(tmp_path / "report.html", small, [], settings).read_text(encoding="utf-8")
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
