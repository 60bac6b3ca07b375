"""One self-contained HTML file: what was compared, what came out, and how far it can be trusted."""

from ephys_deepinterpolation.report.rendering import (
    ReportFigure,
    caption_html,
    render_report,
    write_report,
)

__all__ = ["ReportFigure", "caption_html", "render_report", "write_report"]
