"""How Sphinx builds these pages: `make docs`. Nothing is fetched."""

import os
import re
import shutil
from pathlib import Path

import ephys_deepinterpolation  # noqa: F401  (the API reference reads its docstrings)

project = "ephys-deepinterpolation"
author = "The authors of ephys-deepinterpolation"
project_copyright = author
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
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

# Notebooks are stored without outputs: every build runs those it reads anew, and ends where one
# fails. A cache of outputs would not notice that the package has changed.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
# Keras and its backend tell there what hardware they found.
nb_output_stderr = "remove"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
RULES = Path(__file__).parents[1] / "workflow/rules"


def _copy_notebooks(app):
    """Put the notebooks where Sphinx finds pages.

    What earlier runs of the notebooks wrote there goes; times are kept, so that what has not
    changed is not run again.
    """
    copies = Path(app.srcdir) / "notebooks"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy2(notebook, copies)


def _link_to_pages(app, page, source):
    """Let links to files outside of this folder, which a Git host follows, lead to pages.

    A notebook that reads the published study finds it from its copy, too.
    """
    source[0] = re.sub(r"\]\(\.\./config/README\.md", "](configuration.md", source[0])
    source[0] = source[0].replace("](../notebooks/", "](notebooks/")
    if page.startswith("notebooks/"):
        source[0] = source[0].replace("../docs/", "../")


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
    app.connect("builder-inited", _copy_notebooks)
    app.connect("source-read", _link_to_pages)
    app.connect("source-read", _list_rules)
