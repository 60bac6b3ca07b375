"""How Sphinx builds these pages: `make docs`. Nothing is fetched."""

import re

import ephys_deepinterpolation  # noqa: F401  (the API reference reads its docstrings)

project = "ephys-deepinterpolation"
author = "The authors of ephys-deepinterpolation"
project_copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project

# Headings are linked to by the names that Git hosts give them, too.
myst_heading_anchors = 4
# Docstrings set code in single backticks.
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"


def _link_to_pages(app, page, source):
    """Let links to files outside of this folder, which a Git host follows, lead to pages."""
    source[0] = re.sub(r"\]\(\.\./config/README\.md", "](configuration.md", source[0])


def setup(app):
    """Connect what is above with Sphinx."""
    app.connect("source-read", _link_to_pages)
