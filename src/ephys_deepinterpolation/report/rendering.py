"""One self-contained HTML file: what was compared, what came out, and how far it can be trusted."""

from __future__ import annotations

import base64
import hashlib
import io
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
from PIL import Image

from ephys_deepinterpolation.addresses import without_secrets
from ephys_deepinterpolation.files import whole_file
from ephys_deepinterpolation.predictability import COPIES_NOISE
from ephys_deepinterpolation.report import words
from ephys_deepinterpolation.report.tables import (
    HtmlTable,
    data_uri,
    datasets_overview,
    html_table,
)
from ephys_deepinterpolation.report.verdict import verdict_in_cells

STAGES = {
    "datasets": "Datasets",
    "models": "Models",
    "conditions": "Conditions",
    "artifacts": "Artifacts",
    "sortings": "Sortings",
    "comparisons": "Comparisons",
    "statistics": "Effects",
}
TABLES = {
    "datasets": ("recordings", "true_units"),
    "models": ("models", "model_uses", "training"),
    "conditions": ("noise", "noise_parts"),
    "artifacts": (
        "noise_transfer",
        "residual",
        "residual_spectra",
        "residual_covariance",
        "attenuation",
        "detectability",
        "noise_alone",
        "noise_alone_sortings",
        "transient_spread",
        "rounding",
    ),
    "sortings": ("sortings",),
    "comparisons": ("units", "collisions", "correlograms", "matches", "quality", "agreement"),
    "statistics": ("effects", "transfer"),
}
NOT_SHOWN = ("contacts", "excerpts", "spectra", "traces", "rasters")
LARGEST_SVG = 100_000
"""Bytes of a figure that is embedded as it is; a larger one becomes a picture, if it has a PNG."""
PICTURE_QUALITY = 72
PICTURE_WIDTH = 1150
"""Of WebP, and pixels across: a third more than the widest column of the report."""
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
        ``config`` (mapping or YAML text), ``versions`` (mapping); optional: ``verdict`` (what
        `give_verdict` returned), ``title``, ``description`` (reStructuredText), ``reference``,
        ``created``. Without ``reference`` that of ``config["study"]`` is taken.

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
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["digest"] = _digest
    return environment.get_template("report.html.jinja").render(
        title=settings.get("title", "Does denoising change spike sorting?"),
        description=Markup(caption_html(settings.get("description", ""))),
        created=settings.get("created", ""),
        reference=reference,
        compared=words.what_was_compared(filled, reference),
        pipelines=words.pipelines_in_words(config),
        trouble=words.sortings_in_trouble(filled),
        stopped_by_noise=words.sorters_stopped_by_noise(filled),
        sorted_anything="sortings" in filled,
        tuned=words.tuned_conditions(filled),
        unrepeatable=words.unrepeatable_sorters(filled),
        verdict=verdict_in_cells(settings.get("verdict") or {}),
        not_beaten=words.models_not_beaten(filled),
        copying=words.models_copying_noise(filled),
        copies_noise=COPIES_NOISE,
        without_truth=words.datasets_without_truth(filled),
        sections=_sections(filled, figures),
        config=without_secrets(config) if isinstance(config, str) else _as_yaml(config),
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
        sections["datasets"].tables.append(html_table("datasets", overview))
    for stage, names in TABLES.items():
        for name in names:
            if name in tables:
                sections[stage].tables.append(html_table(name, tables[name]))
    return list(sections.values())


def _image_uri(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"the figure {path} does not exist")
    if path.suffix not in MIME:
        raise ValueError(f"{path.name}: the report shows {' and '.join(MIME)} only")
    picture = path.with_suffix(".png")
    if path.suffix == ".svg" and path.stat().st_size > LARGEST_SVG and picture.is_file():
        return data_uri("image/webp", _compressed(picture))
    return data_uri(MIME[path.suffix], path.read_bytes())


def _compressed(path: Path) -> bytes:
    """Return a picture as WebP, a tenth of the size of a dense figure in any other format."""
    content = io.BytesIO()
    with Image.open(path) as image:
        picture = image.convert("RGB")
        picture.thumbnail((PICTURE_WIDTH, 10 * PICTURE_WIDTH))
        picture.save(content, "WEBP", quality=PICTURE_QUALITY, method=4)
    return content.getvalue()


def _digest(script: str) -> str:
    """Name the one script that a browser may run in the report."""
    return base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()


def _as_yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True, width=90)


def _plain(value: Any) -> Any:
    """Return a copy without shared parts, so that YAML needs no anchors, and without secrets."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, str | Path):
        return without_secrets(str(value))
    return value
