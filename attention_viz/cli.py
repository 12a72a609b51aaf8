"""The command line: `python main.py [serve]` and the measuring commands.

A measuring command makes the same `workbench.measure(request)` call as the page. What a person
can put right is one line on stderr and exit code 2, never a traceback; Ctrl-C is 130.
"""

import argparse
import contextlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attention_viz import __version__
from attention_viz.commands import (
    ablate,
    circuit,
    circuits,
    lens,
    look,
    models,
    options,
    search,
    serve,
    sweep,
)
from attention_viz.commands import tokens as tokens_command
from attention_viz.commands.command import Asker, Command, Show
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.workbench import Workbench

MEASURING: tuple[Command, ...] = (
    sweep.COMMAND,
    ablate.COMMAND,
    search.COMMAND,
    look.COMMAND,
    lens.COMMAND,
    circuit.COMMAND,
    tokens_command.COMMAND,
)

MakeWorkbench = Callable[..., Bench]


def main(argv: Sequence[str] | None = None, make_workbench: MakeWorkbench = Workbench) -> int:
    """Run one command and return its exit code.

    `make_workbench(catalogue, device, threads, memory=…, padding=…)` is an argument for tests,
    which share models.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        args = make_parser().parse_args(_with_command(given))
        _prepare()
        if isinstance(args.run, Command):
            code = _measure(args.run, args, make_workbench)
        else:
            code = args.run(args)
        sys.stdout.flush()
        return code
    except AttentionVizError as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `… | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)


class _PlainHelp(argparse.HelpFormatter):
    """Help as it is written: a "%" in it is a percent sign."""

    def _get_help_string(self, action: argparse.Action) -> str:
        return action.help.replace("%", "%%")


class _Parser(argparse.ArgumentParser):
    """Raises its complaints instead of printing the usage and leaving."""

    def __init__(self, **settings: Any):
        super().__init__(formatter_class=_PlainHelp, **settings)

    def error(self, message: str) -> None:
        first = message[:1].upper() + message[1:]
        raise BadInput(f"{first}.", f"See: {self.prog} --help")


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python main.py",
        description="Find, ablate and draw the attention heads that cause a prediction. "
        "Without a command, the page is served.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="command", required=True, parser_class=_Parser)
    _add(commands, "serve", "serve the page (default)", [options.machine], serve)
    for command in MEASURING:
        parents = [make() for make in command.parents]
        sub = commands.add_parser(
            command.name,
            help=command.about,
            description=command.about,
            parents=parents,
            allow_abbrev=False,
        )
        command.add_options(sub)
        sub.set_defaults(run=command)
    _add(commands, "circuits", "list the built-in prompt pairs", [options.output], circuits)
    _add(commands, "models", "list the models on offer", [options.output], models)
    return parser


def _add(commands: Any, name: str, about: str, parents: list, module: Any) -> None:
    sub = commands.add_parser(
        name,
        help=about,
        description=about,
        parents=[make() for make in parents],
        allow_abbrev=False,
    )
    module.add_options(sub)
    sub.set_defaults(run=module.run)


def _with_command(argv: list[str]) -> list[str]:
    """`main.py --port 8051` serves, as `main.py serve --port 8051` does."""
    is_about_itself = bool(argv) and argv[0] in ("-h", "--help", "--version")
    if not argv or (argv[0].startswith("-") and not is_about_itself):
        return ["serve", *argv]
    return argv


def _measure(command: Command, args: argparse.Namespace, make_workbench: MakeWorkbench) -> int:
    catalogue = Catalogue.standard([args.model])
    workbench = make_workbench(
        catalogue,
        args.device,
        args.threads,
        memory=options.in_bytes(args.memory),
        padding=args.padding,
    )
    # Whatever a library prints must not end up between a program and our JSON.
    with contextlib.redirect_stdout(sys.stderr), _progress() as show:
        asker = Asker(workbench, _chosen(catalogue, args.model), show)
        record = command.ask(asker, args)
        command.finish(record, args)
    if args.json:
        print(json.dumps(command.to_json(record), allow_nan=False))
    else:
        print(command.to_text(record))
    return 0


def _chosen(catalogue: Catalogue, given: str) -> str:
    """The catalogue's name for what was given: a folder's is its last part."""
    names = [entry.name for entry in catalogue.entries]
    return given if given in names else names[-1]


@contextlib.contextmanager
def _progress() -> Iterator[Show | None]:
    """A line that says how far things are, where a person is looking; it leaves no trace."""
    if not sys.stderr.isatty():
        yield None
        return

    def show(text: str) -> None:
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        show("")


def _prepare() -> None:
    """Quieten libraries, before they are imported: their advice is for their developers."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    # A terminal without "␣" shows "?" rather than a traceback.
    sys.stdout.reconfigure(errors="replace")
