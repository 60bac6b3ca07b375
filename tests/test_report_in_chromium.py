"""The report as a reader sees it: opened in a browser."""

import io
import time

import numpy as np
import pandas as pd
import pytest

from chromium import Page, find_chromium
from ephys_deepinterpolation.figures import style
from ephys_deepinterpolation.figures.noise import plot_noise
from ephys_deepinterpolation.figures.sortings import plot_sortings
from ephys_deepinterpolation.report import rendering, write_report
from example_tables import CONDITIONS, example_tables, example_verdict

PROGRAM = find_chromium()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")
SETTINGS = {"config": {"study": {"reference": "raw", "conditions": CONDITIONS}, "conditions": {}}}


@pytest.fixture(scope="module")
def tables():
    return example_tables(failed=("di-after-bandpass", "mountainsort5"))


@pytest.fixture(scope="module")
def page(tmp_path_factory, tables):
    """Open a report with a vector figure and a dense one in Chromium."""
    folder = tmp_path_factory.mktemp("report")
    drawn = {
        "noise": plot_noise(tables["noise"], "raw"),
        "sortings": plot_sortings(tables["sortings"]),
    }
    for name, figure in drawn.items():
        for suffix in (".svg", ".png"):
            style.save(figure, folder / f"{name}{suffix}", dpi=60)
    figures = [
        ("conditions", "noise", "", folder / "noise.svg"),
        ("sortings", "sortings", "", folder / "sortings.svg"),
    ]
    settings = SETTINGS | {"verdict": example_verdict(tables)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "LARGEST_SVG", (folder / "sortings.svg").stat().st_size - 1)
        path = write_report(folder / "report.html", tables, figures, settings)
    yield from opened(path, tmp_path_factory.mktemp("profile"))


def opened(path, profile):
    """Open a page of its own."""
    assert PROGRAM is not None
    with Page(PROGRAM, profile) as page:
        page.call("Page.navigate", url=path.as_uri())
        page.wait_for("Page.loadEventFired")
        yield page


PAYLOADS = [
    "<script>window.hacked = 1</script>",
    '"><img src="x" onerror="window.hacked = 1">',
    "'><svg onload='window.hacked = 1'>",
    "</pre></script><script>window.hacked = 1</script>",
]


@pytest.fixture(scope="module")
def evil(tmp_path_factory, tables):
    """Open a report whose names and errors are payloads, and another past whose escape one got."""
    folder = tmp_path_factory.mktemp("evil")
    names = dict(zip(["np2-synthetic", "di", "mountainsort5", "raw"], PAYLOADS, strict=True))
    renamed = {name: table.replace(names) for name, table in tables.items()}
    renamed["sortings"] = renamed["sortings"].assign(error="".join(PAYLOADS))
    settings = {
        "config": {"study": {"reference": PAYLOADS[3]}, "note": "".join(PAYLOADS)},
        "title": "".join(PAYLOADS),
        "versions": {payload: payload for payload in PAYLOADS},
        "verdict": example_verdict(tables),
    }
    path = write_report(folder / "evil.html", renamed, [], settings)
    yield from opened(path, tmp_path_factory.mktemp("profile"))


def test_names_and_errors_that_are_scripts_are_shown_and_do_not_run(evil):
    assert evil.evaluate("typeof window.hacked") == "undefined"
    assert evil.evaluate("document.scripts.length") == 1
    assert PAYLOADS[0] in evil.evaluate("document.body.textContent")


def test_a_script_that_got_into_the_report_does_not_run_either(evil):
    evil.evaluate(
        "document.body.insertAdjacentHTML('beforeend', `"
        '<img src="x" onerror="window.hacked = 1">'
        '<a id="link" href="javascript:window.hacked = 1">a</a>`);'
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.hacked = 1'}));"
        "document.getElementById('link').click(); 0"
    )
    waited = "new Promise(done => setTimeout(() => done(typeof window.hacked), 500))"
    assert evil.evaluate(waited) == "undefined"
    # The report's own script does.
    evil.evaluate("document.querySelector('th button').click(); 0")
    assert evil.evaluate("document.querySelector('th[aria-sort]') !== null")


def test_every_image_loads(page):
    widths = page.evaluate(
        "Promise.all([...document.images].map(image =>"
        " image.decode().then(() => image.naturalWidth)))"
    )
    assert len(widths) == 2
    assert min(widths) > 100


def test_a_click_sorts_a_table_by_a_column_and_another_click_turns_it_round(page):
    page.evaluate(
        "window.cells = () => [...document.querySelector('#sortings table').tBodies[0].rows]"
        ".map(row => row.cells[column]).map(cell => cell.dataset.value ?? cell.textContent);"
        "window.heads = [...document.querySelectorAll('#sortings th')];"
        "window.column = heads.findIndex(head => head.textContent == 'seconds'); 0"
    )
    click = "heads[column].firstElementChild.click(); cells()"
    before = [float(text) for text in page.evaluate("cells()")]
    up = [float(text) for text in page.evaluate(click)]
    down = [float(text) for text in page.evaluate(click)]
    assert before != up
    assert up == sorted(before)
    assert down == up[::-1]


def test_the_empty_cells_of_a_failed_sorter_stay_below_either_way(page):
    page.evaluate("window.column = heads.findIndex(head => head.textContent == 'sorted_units'); 0")
    for _ in range(2):
        cells = page.evaluate("heads[column].firstElementChild.click(); cells()")
        empty = [not text for text in cells]
        assert any(empty)
        assert empty == sorted(empty)


def test_a_table_is_saved_as_the_csv_it_was_made_from(page, tables, tmp_path):
    page.call(
        "Browser.setDownloadBehavior",
        behavior="allow",
        downloadPath=str(tmp_path),
        eventsEnabled=True,
    )
    page.evaluate("document.querySelector('#statistics a.download').click(); 0")
    page.wait_for("Browser.downloadProgress", state="completed")
    deadline = time.monotonic() + 10
    while not (tmp_path / "effects.csv").exists() and time.monotonic() < deadline:
        page.evaluate("0")
    saved = pd.read_csv(io.StringIO((tmp_path / "effects.csv").read_text()))
    assert list(saved) == list(tables["effects"])
    np.testing.assert_allclose(saved["effect"], tables["effects"]["effect"].astype(float))


def test_nothing_is_asked_of_any_other_place(page):
    addresses = [event["request"]["url"] for event in page.of("Network.requestWillBeSent")]
    assert addresses
    outside = [url for url in addresses if not url.startswith(("data:", "file:"))]
    assert outside == []
    assert len({url for url in addresses if url.startswith("file:")}) == 1


def test_the_console_holds_no_error(page):
    assert page.of("Runtime.exceptionThrown") == []
    assert [
        entry for entry in page.of("Log.entryAdded") if entry["entry"]["level"] == "error"
    ] == []
    said = [event for event in page.of("Runtime.consoleAPICalled") if event["type"] == "error"]
    assert said == []


def test_the_console_is_listened_to(page):
    """An error that is planted last is seen, so that the test above can fail."""
    page.evaluate("console.error('planted'); setTimeout(() => { throw new Error('planted') }); 0")
    page.wait_for("Runtime.exceptionThrown")
    assert page.of("Runtime.consoleAPICalled")[-1]["args"][0]["value"] == "planted"


def test_the_verdict_is_on_the_first_screen(page):
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=1200,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    bottom = page.evaluate("document.querySelector('.verdicts').getBoundingClientRect().bottom")
    assert bottom < 900


@pytest.mark.parametrize("width", [1200, 400])
def test_the_page_is_no_wider_than_the_window(page, width):
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
