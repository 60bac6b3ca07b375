"""One self-contained HTML file: what was compared, what came out, and how far it can be trusted."""

from ephys_deepinterpolation.report.rendering import (
    ReportFigure,
    caption_html,
    render_report,
    write_report,
)
from ephys_deepinterpolation.report.summary import effects_in_markdown

__all__ = ["ReportFigure", "caption_html", "effects_in_markdown", "render_report", "write_report"]
