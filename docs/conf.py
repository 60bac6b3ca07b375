"""How Sphinx builds these pages: `make docs`. Nothing is fetched."""

import re
from pathlib import Path

import ephys_deepinterpolation  # noqa: F401  (the API reference reads its docstrings)

project = "ephys-deepinterpolation"
author = "The authors of ephys-deepinterpolation"
project_copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
html_static_path = ["style.css"]
html_css_files = ["style.css"]

# Headings are linked to by the names that Git hosts give them, too.
myst_heading_anchors = 4
# Docstrings set code in single backticks.
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"


RULES = Path(__file__).parents[1] / "workflow/rules"


def _link_to_pages(app, page, source):
    """Let links to files outside of this folder, which a Git host follows, lead to pages."""
    source[0] = re.sub(r"\]\(\.\./config/README\.md", "](configuration.md", source[0])


def _list_rules(app, page, source):
    """Add what each rule says when it runs, by the file it stands in."""
    if page == "workflow":
        source[0] += "".join(map(_rules_of, sorted(RULES.glob("*.smk"))))


def _rules_of(file):
    rows = ""
    for rule in re.split(r"\n *(?:use )?rule\b", file.read_text())[1:]:
        name = re.match(r" (?:\w+ as )?(\w+)", rule) or re.search(r'name:\s+f?"(.+)"', rule)
        message = re.search(r'message:\s+f?"(.+)"', rule)
        if name and message:
            rows += f"| `{name[1]}` | {message[1].replace('wildcards.', '')} |\n"
    return rows and f"\n### `{file.name}`\n\n| rule | says |\n| --- | --- |\n{rows}"


def setup(app):
    """Connect what is above with Sphinx."""
    app.connect("source-read", _link_to_pages)
    app.connect("source-read", _list_rules)
