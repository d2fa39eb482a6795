"""The front door: one command line, `cme`, composed of the commands of the four floors.

A command is imported when it is used, so that ``cme --help`` answers at once.  A command returns ``(document, text)``: what
``--json`` prints on stdout, and what a person reads there instead.  Progress and log lines go to stderr.  Exit codes
are those of `engine.errors`; an error is one paragraph on stderr, with a traceback only under ``--debug``.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, NoReturn

import click

from engine.errors import CmeError

COMMANDS = {
    "run": ("cme:run", "the main job, end to end: data, folds, verdicts, report, MLflow"),
    "data": ("backtest.commands.data:data", "build, check or synthesise a canonical data set"),
    "detect": ("backtest.commands.detect:detect", "the engine alone: every package that violates a relation"),
    "judge": ("hypotheses.commands:judge", "recompute the three verdicts of a run"),
    "report": ("reports.commands:report", "render a run's page and its Markdown twin again"),
    "leaks": ("backtest.commands.leaks:leaks", "the leak battery on a data set"),
    "track": ("backtest.commands.track:track", "bring MLflow up to the journals; list what differs"),
}
"""Name -> (module:attribute, the line `cme --help` shows), in the order of a day's work."""


class Door(click.Group):
    """The group that imports a command only when it is called, and gives each the options all share."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        _share_options(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _share_options(command: click.Command) -> None:
    """Give ``command``, and every command below it, ``--json``, ``--quiet`` and ``--debug`` (once)."""
    if isinstance(command, click.Group):
        for sub in command.commands.values():
            _share_options(sub)
        return
    if any(option.name == "as_json" for option in command.params):
        return
    for name, flag, line in (
        ("as_json", "--json", "Print one JSON document on stdout and nothing else there."),
        ("quiet", "--quiet", "No progress and no remarks on stderr."),
        ("debug", "--debug", "Show the traceback of an error."),
    ):
        command.params.append(
            click.Option([flag, name], is_flag=True, help=line, expose_value=False, callback=_remember, is_eager=True)
        )


def _remember(ctx: click.Context, option: click.Parameter, value: bool) -> bool:
    ctx.find_root().meta[f"cme.{option.name}"] = value
    return value


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cme-perps", prog_name="cme")
def cme() -> None:
    """Pre-registered backtests of the Coherent Markets Engine (AsPredicted #288615).

    \b
    cme run configs/demo.toml          a synthetic market, end to end, in about a minute
    cme run CONFIG --data DIR          a study of real market data
    cme report runs/ID                 the page again

    Exit codes: 0 done, whatever the verdicts; 2 usage or configuration; 3 missing; 4 data out of schema; 5 could not
    write; 10-18 ledger; 20-26 gate; 30-32 reproduction; 40-42 append; 50 tracking; 70 a defect of ours; 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with cme.make_context("cme", list(arguments)) as ctx:
            outcome = cme.invoke(ctx)
            _print(outcome, as_json=ctx.meta.get("cme.as_json", False))
        code = int(ctx.meta.get("cme.exit_code", 0))
    except (click.exceptions.Exit, click.Abort, KeyboardInterrupt) as stop:
        code = stop.exit_code if isinstance(stop, click.exceptions.Exit) else 130
        if code == 130:
            click.echo("interrupted: what was finished is kept; the same command takes it up again", err=True)
    except click.ClickException as error:
        error.show()
        code = 2
    except CmeError as error:
        code = _complain(str(error), error.exit_code, arguments)
    except Exception as error:  # a defect of ours has its own code, and asks to be reported
        code = _complain(f"a defect of ours, please report it with --debug: {error!r}", 70, arguments)
    sys.exit(code)


def _print(outcome: Any, *, as_json: bool) -> None:
    if outcome is None:
        return
    document, text = outcome
    if as_json:
        click.echo(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(text)


def _complain(message: str, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        import traceback

        traceback.print_exc()
    click.echo(f"cme: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
