"""``cme report RUN``: the page and its Markdown twin, again."""

from __future__ import annotations

import os
from pathlib import Path

import click

from engine.errors import WriteError
from reports.load import load
from reports.render import render


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
def report(run: Path) -> tuple[dict[str, str], str]:
    """Render the report of the run directory RUN again: report.html and report.md.

    \b
    Example:  cme report runs/demo-1f2e3d4c5b6a
    """
    pages = write(run)
    return {name: str(path) for name, path in pages.items()}, f"report   {pages['html']}"


def write(run: Path) -> dict[str, Path]:
    """Write both pages of ``run``, each whole or not at all, and return their paths."""
    html, markdown = render(load(run))
    pages = {"html": run / "report.html", "markdown": run / "report.md"}
    for path, text in zip(pages.values(), (html, markdown), strict=True):
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise WriteError(
                f"{path}: expected to write the report, was: {error}; free space or choose --out"
            ) from error
    return pages
