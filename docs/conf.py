"""How `make docs` builds the site: Markdown by MyST, docstrings by numpydoc, notebooks run by sphinx-gallery.

See docs/decisions/0707.  The build is `sphinx-build -W`: a warning is an error.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.helpers.small_run import make, write_config  # noqa: E402  # after the path

RUN = "CME_RUN"
"""The environment variable by which a reader names a run of their own."""

project = "cme-perps"
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
copyright = "the authors of cme-perps"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["notebooks/*", "simulations/*", "**/sg_execution_times.rst"]
root_doc = "index"

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "cme-perps"
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}

# Headings of three levels can be linked to, as on the pages of a repository.
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the sections of numpydoc state types, shapes and units
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "notebooks",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 10**6,
    "remove_config_comments": True,
}


def _make_run() -> None:
    """Make the run that the notebook `plot_reading_a_run` reads, of the smallest synthetic market, unless given one."""
    if RUN not in os.environ:
        folder = ROOT / "build" / "docs-run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.environ[RUN] = str(make(write_config(folder), folder / "runs").folder)


def _list_in_the_index(_app: object, name: str, source: list[str]) -> None:
    """Mark a decision as listed elsewhere: decisions/README.md, which `docs/decisions.py` writes, is their index."""
    if name.startswith("decisions/0"):
        source[0] = f"---\norphan: true\n---\n\n{source[0]}"


def setup(app: Any) -> None:
    """Make the run, and register what Sphinx calls while it reads."""
    _make_run()
    app.connect("source-read", _list_in_the_index)
