"""One self-contained HTML file: what was compared, what came out, and how far it can be trusted."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml
from docutils.core import publish_parts
from docutils.writers.html5_polyglot import Writer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ephys_deepinterpolation.figures.effects import effect_interval
from ephys_deepinterpolation.figures.style import asked_units, counted, in_order, is_true, signed
from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.predictability import COPIES_NOISE

STAGES = {
    "datasets": "Datasets",
    "models": "Models",
    "conditions": "Conditions",
    "sortings": "Sortings",
    "comparisons": "Comparisons",
    "statistics": "Effects",
}
TABLES = {
    "datasets": ("true_units",),
    "models": ("models", "training"),
    "conditions": ("noise", "noise_parts"),
    "sortings": ("sortings",),
    "comparisons": ("units",),
    "statistics": ("effects",),
}
NOT_SHOWN = ("contacts", "excerpts", "spectra", "traces")
LONGEST_TABLE = 200
TROUBLE = {
    "empty": "found no unit",
    "failed": "failed",
    "timeout": "was stopped for its time",
    "out_of_memory": "ran out of memory",
}
MIME = {".svg": "image/svg+xml", ".png": "image/png"}


class ReportFigure(NamedTuple):
    """A figure of the report.

    Attributes
    ----------
    stage : str
        The section it stands in: a key of `STAGES`.
    name : str
        A short name, used as the text for those who cannot see the picture.
    caption : str
        The caption in reStructuredText.
    path : str or Path
        The ``.svg`` or ``.png`` file.
    """

    stage: str
    name: str
    caption: str
    path: str | Path


@dataclass(frozen=True)
class Statement:
    """One effect in words."""

    verdict: str
    kind: str
    condition: str
    sorter: str
    text: str
    tuned: bool


@dataclass(frozen=True)
class Cell:
    """One cell of an HTML table; `value` is what it is sorted by."""

    text: str
    value: str
    numeric: bool


@dataclass(frozen=True)
class HtmlTable:
    """A table as the report shows it, and the whole of it as a CSV data URI."""

    name: str
    columns: list[str]
    rows: list[list[Cell]]
    numeric: set[str]
    note: str = ""
    csv: str = ""


@dataclass(frozen=True)
class Section:
    """One stage of the flow, with what there is to see of it."""

    stage: str
    title: str
    figures: list[dict[str, Any]] = field(default_factory=list)
    tables: list[HtmlTable] = field(default_factory=list)


def write_report(
    path: str | Path,
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[ReportFigure | tuple[str, str, str, str | Path]],
    settings: Mapping[str, Any],
) -> Path:
    """Write the report as one HTML file that needs nothing else, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The HTML file to write.
    tables : mapping of str to DataFrame
        Those of docs/tables.md, by name; any of them may be missing or empty.
    figures : sequence of ReportFigure
        In the order to show them; plain tuples (stage, name, caption, path) will do.
    settings : mapping
        ``config`` (mapping or YAML text), ``versions`` (mapping); optional: ``title``,
        ``description`` (reStructuredText), ``reference``, ``created``. Without ``reference`` that
        of ``config["study"]`` is taken.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    FileNotFoundError
        When the file of a figure is missing; nothing is written.
    """
    path = Path(path)
    html = render_report(tables, figures, settings)
    with whole_file(path) as unfinished:
        unfinished.write_text(html, encoding="utf-8")
    return path


def render_report(
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[ReportFigure | tuple[str, str, str, str | Path]],
    settings: Mapping[str, Any],
) -> str:
    """Return the HTML that `write_report` writes; same arguments."""
    known = {name for names in TABLES.values() for name in names} | set(NOT_SHOWN)
    unknown = sorted(set(tables) - known)
    if unknown:
        raise ValueError(f"no such table: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    filled = {name: table for name, table in tables.items() if not table.empty}
    config = settings.get("config", {})
    reference = reference_condition(settings)
    tuned = tuned_conditions(filled)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        title=settings.get("title", "Does denoising change spike sorting?"),
        description=Markup(caption_html(settings.get("description", ""))),
        created=settings.get("created", ""),
        reference=reference,
        compared=what_was_compared(filled, reference),
        pipelines=pipelines_in_words(config),
        trouble=sortings_in_trouble(filled),
        sorted_anything="sortings" in filled,
        tuned=tuned,
        unrepeatable=unrepeatable_sorters(filled),
        statements=effects_in_words(filled, reference, tuned),
        intervals=len(filled.get("effects", ())),
        not_beaten=models_not_beaten(filled),
        copying=models_copying_noise(filled),
        copies_noise=COPIES_NOISE,
        without_truth=datasets_without_truth(filled),
        sections=_sections(filled, figures),
        config=config if isinstance(config, str) else _as_yaml(config),
        versions={str(name): str(value) for name, value in settings.get("versions", {}).items()},
    )


def reference_condition(settings: Mapping[str, Any]) -> str | None:
    """Return the name of the reference condition that the settings give, if they do."""
    if settings.get("reference"):
        return str(settings["reference"])
    config = settings.get("config", {})
    study = config.get("study", {}) if isinstance(config, Mapping) else {}
    return str(study["reference"]) if study.get("reference") else None


def caption_html(text: str) -> str:
    """Return a caption in reStructuredText as HTML; it can include no file, no raw HTML, no image.

    Parameters
    ----------
    text : str
        The caption.

    Returns
    -------
    str
        An HTML fragment.
    """
    settings = {
        "_disable_config": True,
        "doctitle_xform": False,
        "embed_stylesheet": False,
        "file_insertion_enabled": False,
        "halt_level": 2,
        "initial_header_level": 3,
        "math_output": "MathML",
        "raw_enabled": False,
        "report_level": 5,
    }
    html = str(publish_parts(text, writer=Writer(), settings_overrides=settings)["body"])
    if re.search(r"\bsrc=", html):
        raise ValueError("a caption holds no images: they would be loaded from elsewhere")
    return html.strip()


def what_was_compared(tables: Mapping[str, pd.DataFrame], reference: str | None) -> str:
    """Return a sentence that says which conditions, datasets and sorters the tables hold."""
    names = {
        column: in_order(
            name
            for table in tables.values()
            if column in table
            for name in table[column].unique().tolist()
        )
        for column in ("dataset", "condition", "sorter")
    }
    if not names["condition"]:
        return ""
    others = [name for name in names["condition"] if name != reference]
    if not others:
        sentence = f"Only the reference {reference}: there is nothing to compare it with"
    elif reference:
        sentence = f"Compared with the reference {reference}: {_listed(others)}"
    else:
        sentence = f"Conditions: {_listed(others)}"
    if names["dataset"]:
        sentence += f"; on {_listed(names['dataset'])}"
    if names["sorter"]:
        sentence += f"; sorted by {_listed(names['sorter'])}"
    return f"{sentence}."


def pipelines_in_words(config: object) -> list[tuple[str, str]]:
    """Return the name of each condition studied and its steps, as the configuration gives them."""
    if not isinstance(config, Mapping):
        return []
    studied = config.get("study", {}).get("conditions", [])
    given = config.get("conditions", {})
    return [
        (str(name), " → ".join(_step_in_words(step) for step in given[name]) or "nothing")
        for name in studied
        if name in given
    ]


def _step_in_words(step: Mapping[str, Any]) -> str:
    parameters = ", ".join(
        f"{name} {value}" for name, value in (step.get("params") or {}).items() if value is not None
    )
    return f"{step['name']} ({parameters})" if parameters else str(step["name"])


def sortings_in_trouble(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a sentence for each sorting that failed or found no unit; failures come first."""
    if "sortings" not in tables:
        return []
    sortings = tables["sortings"]
    keys = ["dataset", "condition", "sorter", "status", "error"]
    bad = sortings[sortings["status"] != "ok"].assign(
        error=lambda table: table["error"].astype("object").where(table["error"].notna(), "")
    )
    runs = sortings.groupby(["dataset", "condition", "sorter"]).size()
    repeated = "repeat" in sortings and sortings["repeat"].max() > 0
    sentences: list[tuple[int, str]] = []
    for key, rows in bad.groupby(keys, sort=False):
        dataset, condition, sorter, status, error = (str(part) for part in key)
        total = int(runs[(dataset, condition, sorter)])
        several = "runs" if repeated else "replicates"
        share = f", in {len(rows)} of {total} {several}" if total > 1 else ""
        words = TROUBLE.get(status, status)
        because = f": {error}" if error else ""
        text = f"{sorter} {words} on {condition} of {dataset}{share}{because}"
        sentences.append((int(status == "empty"), text))
    return [text for _, text in sorted(sentences, key=lambda sentence: sentence[0])]


def tuned_conditions(tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Return (dataset, condition) whose model was trained on the recording it is judged on."""
    found: dict[tuple[str, str], None] = {}
    for name in ("models", "sortings", "units"):
        table = tables.get(name)
        if table is None or "model_saw_recording" not in table:
            continue
        seen = table[table["model_saw_recording"].map(is_true).astype(bool)]
        for pair in seen[["dataset", "condition"]].drop_duplicates().itertuples(index=False):
            found[(str(pair.dataset), str(pair.condition))] = None
    return list(found)


def unrepeatable_sorters(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the sorters that give other spikes when they run again with the same seed."""
    if "sortings" not in tables:
        return []
    sortings = tables["sortings"].dropna(subset=["deterministic"])
    return in_order(sortings.loc[~sortings["deterministic"].map(is_true).astype(bool), "sorter"])


def effects_in_words(
    tables: Mapping[str, pd.DataFrame],
    reference: str | None,
    tuned: Sequence[tuple[str, str]] = (),
) -> dict[str, list[Statement]]:
    """Return the effects of each dataset in words.

    A difference is called higher or lower only where its 95 % interval leaves out 0.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        `effects`, and `units` to find comparisons that have no effect.
    reference : str or None
        The reference condition.
    tuned : sequence of (dataset, condition)
        Those whose model was trained on the recording it is judged on.

    Returns
    -------
    dict
        Dataset to its statements.
    """
    found: dict[str, list[Statement]] = {}
    seen: set[tuple[str, str, str]] = set()
    effects = tables.get("effects")
    for _, row in effects.iterrows() if effects is not None else ():
        key = (str(row["dataset"]), str(row["condition"]), str(row["sorter"]))
        seen.add(key)
        found.setdefault(key[0], []).append(_effect_in_words(row, reference, key[:2] in tuned))
    for key in _expected_comparisons(tables, reference):
        if key not in seen:
            found.setdefault(key[0], []).append(_nothing_to_compare(*key[1:], key[:2] in tuned))
    return found


def _effect_in_words(row: pd.Series, reference: str | None, tuned: bool) -> Statement:
    condition, sorter = str(row["condition"]), str(row["sorter"])
    if pd.isna(row["effect"]):
        return _nothing_to_compare(condition, sorter, tuned)
    interval = effect_interval(row)
    resting = _rests_on(row)
    effect = float(row["effect"])
    than = reference or "the reference"
    endpoint = row["endpoint"]
    if interval is None:
        text = f"{endpoint} {signed(effect)}, without an interval; {resting}"
        return Statement("Cannot tell", "unknown", condition, sorter, text, tuned)
    bounds = f"95 % interval {signed(interval[0])} to {signed(interval[1])}; {resting}"
    text = f"{endpoint} {signed(effect)} against {than} ({bounds})"
    if effect == interval[0] == interval[1] == 0.0:
        return Statement("No difference", "unknown", condition, sorter, text, tuned)
    if interval[0] <= 0.0 <= interval[1]:
        return Statement("Cannot tell", "unknown", condition, sorter, text, tuned)
    verdict, kind = ("Higher", "higher") if interval[0] > 0 else ("Lower", "lower")
    return Statement(verdict, kind, condition, sorter, text, tuned)


def _nothing_to_compare(condition: str, sorter: str, tuned: bool) -> Statement:
    text = "no true unit has an accuracy in both conditions"
    return Statement("Cannot tell", "unknown", condition, sorter, text, tuned)


def _rests_on(row: pd.Series) -> str:
    units = (
        counted(int(row["units"]), "true unit") if not pd.isna(row["units"]) else "units unknown"
    )
    if pd.isna(row["recordings"]):
        return units
    return f"{units} of {counted(int(row['recordings']), 'recording')}"


def _expected_comparisons(
    tables: Mapping[str, pd.DataFrame], reference: str | None
) -> list[tuple[str, str, str]]:
    if reference is None or "units" not in tables:
        return []
    columns = ["dataset", "condition", "sorter"]
    rows = tables["units"][columns].drop_duplicates()
    rows = rows[rows["condition"] != reference]
    return [(str(a), str(b), str(c)) for a, b, c in rows.itertuples(index=False, name=None)]


def models_not_beaten(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a sentence for each model that is no better than linear interpolation."""
    notes = []
    for where, rows in _trained_models(tables):
        judged = rows.dropna(subset=["validation_loss", "linear_loss"])
        worse = judged[judged["validation_loss"] >= judged["linear_loss"]]
        if judged.empty:
            notes.append(f"{where}: there is no linear baseline to judge it by")
        elif len(worse):
            replicates = f" in {len(worse)} of {len(judged)} replicates" if len(judged) > 1 else ""
            losses = worse.iloc[0]
            notes.append(
                f"{where}: the network did not beat linear interpolation{replicates} "
                f"(validation loss {losses['validation_loss']:.4g}, "
                f"linear {losses['linear_loss']:.4g})"
            )
    return notes


def models_copying_noise(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return a sentence for each model whose input is too predictable to be denoised."""
    return [
        f"{where}: {rows['noise_foretold'].max():.1%} foretold"
        for where, rows in _trained_models(tables)
        if (rows["noise_foretold"] > COPIES_NOISE).any()
    ]


def _trained_models(tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, pd.DataFrame]]:
    """Return the words for each model, and its rows (one per replicate)."""
    if "models" not in tables:
        return []
    groups = tables["models"].groupby(["dataset", "condition", "model"], sort=False)
    return [
        (f"{model} for {condition} on {dataset}", rows)
        for (dataset, condition, model), rows in groups
    ]


def datasets_without_truth(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the datasets that were sorted but have no true unit."""
    if "sortings" not in tables:
        return []
    units = tables.get("units")
    known = set() if units is None else set(units["dataset"])
    return [name for name in in_order(tables["sortings"]["dataset"]) if name not in known]


def _sections(
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[ReportFigure | tuple[str, str, str, str | Path]],
) -> list[Section]:
    sections = {stage: Section(stage, title) for stage, title in STAGES.items()}
    for number, given in enumerate(figures):
        figure = ReportFigure(*given)
        if figure.stage not in sections:
            raise ValueError(f"no such stage: {figure.stage}; known: {', '.join(sections)}")
        sections[figure.stage].figures.append(
            {
                "id": f"figure-{number + 1}",
                "name": figure.name,
                "caption": Markup(caption_html(figure.caption)),
                "source": _image_uri(Path(figure.path)),
            }
        )
    for section in sections.values():
        for number, figure_context in enumerate(section.figures):
            figure_context["label"] = f"{section.title} {number + 1}"
    overview = datasets_overview(tables)
    if not overview.empty:
        sections["datasets"].tables.append(_html_table("datasets", overview))
    for stage, names in TABLES.items():
        for name in names:
            if name in tables:
                sections[stage].tables.append(_html_table(name, tables[name]))
    return list(sections.values())


def _image_uri(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"the figure {path} does not exist")
    if path.suffix not in MIME:
        raise ValueError(f"{path.name}: the report shows {' and '.join(MIME)} only")
    return _data_uri(MIME[path.suffix], path.read_bytes())


def _data_uri(mime: str, content: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def datasets_overview(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per dataset: its kind, replicates, channels and true units.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The tables; `noise` counts the channels and `units` the true units, means per replicate.

    Returns
    -------
    DataFrame
        `dataset`, `kind`, `replicates`, `channels`, `true_units`, `background_units`,
        `median_peak_uv`; empty where a table is missing.
    """
    rows: dict[str, dict[str, Any]] = {}
    for table in tables.values():
        for (dataset, kind), part in table.groupby(["dataset", "kind"], sort=False):
            row = rows.setdefault(str(dataset), {"dataset": dataset, "kind": kind, "replicates": 0})
            row["replicates"] = (
                max(row["replicates"], part["replicate"].nunique())
                if ("replicate" in part)
                else row["replicates"]
            )
    for dataset, row in rows.items():
        noise = tables.get("noise")
        if noise is not None and (noise["dataset"] == dataset).any():
            row["channels"] = noise.loc[noise["dataset"] == dataset, "channel"].nunique()
        units = tables.get("units")
        if units is not None and (units["dataset"] == dataset).any():
            distinct = units[units["dataset"] == dataset].drop_duplicates(["replicate", "unit"])
            asked = asked_units(distinct)
            replicates = distinct["replicate"].nunique()
            row["true_units"] = len(asked) / replicates
            row["background_units"] = (len(distinct) - len(asked)) / replicates
            row["median_peak_uv"] = asked["peak_uv"].median()
    columns = ["dataset", "kind", "replicates", "channels", "true_units", "background_units"]
    return pd.DataFrame(list(rows.values())).reindex(columns=[*columns, "median_peak_uv"])


def _html_table(name: str, table: pd.DataFrame) -> HtmlTable:
    shown, note = _shortened(name, table)
    columns = [str(column) for column in shown]
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False, name=None)]
    return HtmlTable(
        name=name,
        columns=columns,
        rows=rows,
        numeric={columns[place] for row in rows for place, cell in enumerate(row) if cell.numeric},
        note=note,
        csv=_data_uri("text/csv", table.to_csv(index=False, lineterminator="\n").encode()),
    )


def _shortened(name: str, table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return what is shown of a long table, and the words that say so."""
    if len(table) <= LONGEST_TABLE:
        return table, ""
    whole = f"the CSV file holds all {len(table)} rows"
    if name == "noise":
        return _noise_summary(table), f"Summed up by dataset and condition; {whole}."
    if name == "units":
        return _units_summary(table), f"Summed up by dataset, condition and sorter; {whole}."
    if name == "training":
        keys = ["dataset", "replicate", "condition", "model"]
        last = table.sort_values("step", kind="stable").groupby(keys, sort=False).tail(1)
        return last.head(LONGEST_TABLE), f"The last evaluation of each model; {whole}."
    return table.head(LONGEST_TABLE), f"The first {LONGEST_TABLE} rows; {whole}."


def _noise_summary(noise: pd.DataFrame) -> pd.DataFrame:
    groups = noise.groupby(["dataset", "condition"], sort=False)["noise_uv"]
    return groups.agg(
        values="count",
        median_uv="median",
        lower_quartile_uv=lambda values: values.quantile(0.25),
        upper_quartile_uv=lambda values: values.quantile(0.75),
    ).reset_index()


def _units_summary(units: pd.DataFrame) -> pd.DataFrame:
    asked = asked_units(units)
    asked = asked.assign(
        well_detected=asked["well_detected"].map(is_true).where(asked["accuracy"].notna()),
    ).astype({"well_detected": float})
    return (
        asked.groupby(["dataset", "condition", "sorter"], sort=False)
        .agg(
            true_units=("unit", "size"),
            with_accuracy=("accuracy", "count"),
            mean_accuracy=("accuracy", "mean"),
            mean_precision=("precision", "mean"),
            mean_recall=("recall", "mean"),
            well_detected=("well_detected", lambda values: values.sum(min_count=1)),
        )
        .reset_index()
    )


def _cell(value: Any) -> Cell:
    if value is None or pd.isna(value):
        return Cell("–", "", False)
    if isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}:
        return Cell("yes" if value else "no", str(int(value)), False)
    if isinstance(value, str):
        return Cell(value, value, False)
    number = float(value)
    text = f"{int(number)}" if number.is_integer() else f"{number:.4g}"
    return Cell(text.replace("-", "−"), repr(number), True)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _as_yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True, width=90)


def _plain(value: Any) -> Any:
    """Return a copy without shared parts, so that YAML needs no anchors."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
