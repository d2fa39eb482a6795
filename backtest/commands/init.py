"""`cme init`: a short plan of one's own, from a template.  [interface]"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Final

import click

from backtest.commands.journals import leaves_journal
from backtest.environment import ROOT
from backtest.terminal import echo
from engine.errors import UsageError, WriteError

TEMPLATES: Final = {
    "spot-perp": "a perp against the spot (C1)",
    "options": "the options of one coin (C3, C4, C7)",
    "full": "all seven relations at three venues",
}
"""Name of a file in configs/templates -> what it is for."""

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)


@click.command(epilog="Example: cme init eth-carry --from spot-perp")
@click.argument("name")
@click.option("--from", "template", required=True, type=click.Choice(list(TEMPLATES)),
              help="; ".join(f"{name}: {what}" for name, what in TEMPLATES.items()) + ".")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="Write the file and print nothing.")
@leaves_journal()
def init(name: str, template: str, as_json: bool, quiet: bool) -> None:
    """Write NAME.toml: a short plan of your own, with comments on what to fill in.

    It extends configs/demo.toml, so that every number it does not hold is the registered one. Nothing is overwritten.
    \f

    Raises ``UsageError`` (2) for a NAME that is no name of a study, or that exists; ``WriteError`` (5).
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"NAME: expected small letters, digits and hyphens, such as eth-carry, was {name!r:.200}")
    path = Path(f"{name}.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(plan_text(name, template, path.resolve().parent))
    except FileExistsError as error:
        raise UsageError(f"{path}: expected no such file, it exists: give another NAME, or remove it") from error
    except OSError as error:
        raise WriteError(f"expected to write {path}, was: {error}; free space or give permission") from error
    steps = {
        "edit": f"words, dates, instruments and files of {path}; `cme data sources` explains the adapters",
        "build": f"cme data build {path} --data DIR --out build/{name}",
        "check": f"cme data check build/{name}",
        "power": f"cme power {path}",
        "run": f"cme run {path} --data DIR",
    }
    if as_json:
        echo(json.dumps({"plan": str(path), "template": template, "steps": steps}, indent=1))
        return
    if quiet:
        return
    echo(f"wrote {path}. What to do next:")
    for step, what in steps.items():
        echo(f"  {step:<6} {what}")


def plan_text(name: str, template: str, folder: Path) -> str:
    """Return the text of a plan called ``name`` that stands in ``folder``: the template with its own words.

    Parameters
    ----------
    name : str
        Name of the study and of its data set.
    template : str
        A key of ``TEMPLATES``.
    folder : Path
        Where the plan will stand: the plan it extends is named from there.

    Returns
    -------
    str
        A plan that `load_registration` accepts.
    """
    text = (ROOT / "configs" / "templates" / f"{template}.toml").read_text(encoding="utf-8")
    base = Path(os.path.relpath(ROOT / "configs" / "demo.toml", folder)).as_posix()
    for old, new in (
        ('extends = "../demo.toml"', f"extends = {json.dumps(base)}"),
        (f'study = "{template}"', f'study = "{name}"'),
        (f'name = "{template}"', f'name = "{name}"'),
    ):
        text = text.replace(old, new, 1)
    return text
