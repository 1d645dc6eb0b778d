"""The commands. Imports nothing heavy: `--help` must be instant. Exit codes: exit_codes."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from iconha_tui import __version__
from iconha_tui.error_codes import Code
from iconha_tui.errors import Cancelled, SpecTrouble, Trouble, UsageTrouble
from iconha_tui.exit_codes import RUN_WORDS, STATUS_WORDS, ExitCode, told
from iconha_tui.lab.cli import add_parser as add_lab_parser
from iconha_tui.text import sentence

if TYPE_CHECKING:
    from iconha_tui.spec import Spec
    from iconha_tui.store import Store

STAGE_NAMES = ("credentials", "instances", "packages", "authkey", "corosync", "pacemaker", "awscli", "elastic_ip")
"""The names of stages.STAGES, here again so that `--help` need not import them; a test holds the two together."""


class _Parser(argparse.ArgumentParser):
    """argparse repeats what was typed."""

    def error(self, message: str) -> NoReturn:
        super().error(sentence(message))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top: argparse.ArgumentParser = _Parser(
        prog="iconha-tui",
        description="Builds an active/passive ICON P-Rep pair on AWS EC2: Corosync, Pacemaker and a floating Elastic IP. "
        "Without a command: the wizard.",
        epilog=told(RUN_WORDS, ", "),
    )
    top.add_argument("--version", action="version", version=f"iconha-tui {__version__}")
    top.add_argument("--state-dir", type=Path, metavar="DIR", help="where specs, journals and transcripts live")
    top.add_argument("--cluster", metavar="NAME", help="open the wizard on this cluster")
    top.add_argument("--spec", type=Path, metavar="FILE", help="open the wizard filled in from this spec")
    top.set_defaults(func=wizard)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")

    run_p = commands.add_parser(
        "run",
        help="carry a spec out, line by line",
        description="Carries a spec out, line by line. Ctrl+C stops it: a long command on a node (apt) is left running there, "
        "and found again by the next run; a second Ctrl+C within 5 seconds stops it on the node too. SIGTERM and a lost terminal "
        "leave it running. The last line says what became of it on each node.",
    )
    run_p.add_argument("spec", type=Path, metavar="SPEC", help="a spec file (TOML), or the name of a saved cluster")
    run_p.add_argument("--yes", action="store_true", help="ask nothing: accept unknown host keys, start at once")
    run_p.add_argument(
        "--until", choices=STAGE_NAMES, metavar="STAGE", help=f"stop after this stage: {', '.join(STAGE_NAMES)}"
    )
    run_p.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="STEP",
        help="go on without this step where it is not done; may be repeated. A failure says which step, and what stays open",
    )
    run_p.add_argument("--json", action="store_true", help="one event a line, as JSON")
    run_p.add_argument(
        "--no-check",
        action="store_true",
        help="begin without the check of all that a run needs, which is made before the first change of a cluster",
    )
    run_p.add_argument(
        "--allow-disruption",
        action="store_true",
        help="in a pair that serves, also do what may stop a daemon or move the address; without it such a run ends with code 3",
    )
    run_p.set_defaults(func=run)

    preflight_p = commands.add_parser("check", help="look at all that a run needs, before it; nothing is changed")
    preflight_p.add_argument(
        "spec", type=Path, metavar="SPEC", help="a spec file (TOML), or the name of a saved cluster"
    )
    preflight_p.add_argument("--json", action="store_true", help="one finding a line, as JSON")
    preflight_p.set_defaults(func=preflight)

    plan_p = commands.add_parser("plan", help="show what a run would do; nothing is touched")
    plan_p.add_argument("spec", type=Path, metavar="SPEC", help="a spec file (TOML), or the name of a saved cluster")
    form = plan_p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--script", action="store_true", help="as a shell script")
    plan_p.add_argument(
        "--look", action="store_true", help="look first at what is there, and show what a run would do to it"
    )
    plan_p.set_defaults(func=plan)

    status_p = commands.add_parser(
        "status",
        help="whether the standby would take over now, live on a terminal; read-only",
        description="Tells whether the standby would take over now, and why not. It only reads; on the standby it tries awseip's "
        "calls of AWS, as dry runs.",
        epilog=f"{told(STATUS_WORDS, '; ')} Of several clusters the gravest counts: split, down, not ready, unknown, not built.",
    )
    status_p.add_argument(
        "name", nargs="?", metavar="NAME", help="a saved cluster; all of them, as a table, when left out"
    )
    how = status_p.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="one look, in plain text; as it is without a terminal")
    how.add_argument(
        "--watch", action="store_true", help="again every 5 seconds, in plain text: at first all, then what changes"
    )
    status_p.add_argument("--json", action="store_true", help="as JSON")
    status_p.set_defaults(func=status)

    corosync_p = commands.add_parser("corosync", help="judge a corosync.conf")
    verbs = corosync_p.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check_p = verbs.add_parser("check", help="line, column, reason; exit code 1 where corosync would refuse it")
    check_p.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    check_p.set_defaults(func=corosync_check)

    add_lab_parser(commands)

    report_p = commands.add_parser("report", help="pack what tells what is wrong, without secrets, to send to somebody")
    report_p.add_argument(
        "name", nargs="?", metavar="NAME", help="a saved cluster; the last one worked on when left out"
    )
    report_p.add_argument("-o", "--output", type=Path, metavar="FILE", help="the archive (tar.gz); here when left out")
    report_p.set_defaults(func=report)

    where_p = commands.add_parser("where", help="where the program keeps its files")
    where_p.set_defaults(func=where)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that has no • or ⟪ is no reason to stop
    args = parser().parse_args(argv)
    if args.state_dir:
        os.environ["ICONHA_STATE_DIR"] = str(args.state_dir.expanduser().absolute())
    try:
        code: int = args.func(args)
        return code
    except UsageTrouble as trouble:
        return _say(trouble, ExitCode.USAGE)
    except Cancelled as trouble:
        return _say(trouble, ExitCode.INTERRUPTED)
    except Trouble as trouble:
        return _say(trouble, ExitCode.LOCKED if trouble.code is Code.CLUSTER_LOCKED else ExitCode.FAILED)
    except (KeyboardInterrupt, EOFError):  # ctrl+c, or ctrl+d at a question
        print("Interrupted. Start it again: it goes on where things stand.", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except OSError as error:
        place = str(error.filename or "")[:200]
        remedy = "Mend its permissions or make room, or name another folder with --state-dir."
        return _say(
            Trouble(f"{error.strerror or error}.", code=Code.FILE_UNUSABLE, where=place, remedy=remedy), ExitCode.FAILED
        )
    except Exception as error:
        return _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    """The traceback goes to the log file, without secrets; the operator gets a sentence."""
    from iconha_tui import log

    logging.getLogger(__name__).critical("An error that was not foreseen", exc_info=error)
    said = log.fit(f"{type(error).__name__}: {error}")
    remedy = "The log file (`iconha-tui where`) has the details; `iconha-tui report` packs them for whoever mends it."
    return _say(
        Trouble(f"An error that this program did not foresee: {said}.", code=Code.UNFORESEEN, remedy=remedy),
        ExitCode.FAILED,
    )


def _say(trouble: Trouble, code: int) -> int:
    from iconha_tui import log

    print(f"iconha-tui: {log.fit(str(trouble))}", file=sys.stderr)
    return code


def _store() -> Store:
    """The store, with the log file opened: tracebacks go there, sentences to the operator."""
    from iconha_tui import disk, log
    from iconha_tui.store import Store

    disk.close_to_others()
    store = Store()
    disk.make_folder(store.root.resolve())
    log.open_log(store.log_file)
    return store


def wizard(args: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(
            "iconha-tui: The wizard needs a terminal. Without one, use `iconha-tui run SPEC --yes`; "
            "`iconha-tui plan SPEC` shows first what it would do.",
            file=sys.stderr,
        )
        return ExitCode.USAGE
    from iconha_tui.app import IconhaApp
    from iconha_tui.config import Config, standard_file

    store = _store()
    spec = None
    if args.spec:
        from iconha_tui import spec as specs  # pydantic: not before the first paint where nothing is to be read

        spec = specs.load(args.spec)
    if args.cluster and not args.spec and args.cluster not in store.names():
        print(
            f"iconha-tui: There is no saved cluster {sentence(args.cluster)}; the wizard starts a new one.",
            file=sys.stderr,
        )
    app = IconhaApp(store, args.cluster, spec=spec, config=Config(standard_file()))
    app.run()
    if app.farewell:
        print(app.farewell, end="")
    return app.return_code or ExitCode.DONE


def run(args: argparse.Namespace) -> int:
    from iconha_tui.lines import run_lines

    return run_lines(
        _store(),
        _spec(args.spec),
        yes=args.yes,
        until=args.until,
        as_json=args.json,
        skip=args.skip,
        check=not args.no_check,
        allow_disruption=args.allow_disruption,
    )


def preflight(args: argparse.Namespace) -> int:
    from iconha_tui.lines import show_preflight

    return show_preflight(_store(), _spec(args.spec), as_json=args.json)


def plan(args: argparse.Namespace) -> int:
    from iconha_tui.lines import look_and_show_plan, show_plan

    form = "json" if args.json else "script" if args.script else "text"
    return look_and_show_plan(_store(), _spec(args.spec), form) if args.look else show_plan(_spec(args.spec), form)


def status(args: argparse.Namespace) -> int:
    store = _store()
    store.known(args.name)
    names = [args.name] if args.name else store.names()
    if not (args.once or args.watch or args.json) and sys.stdin.isatty() and sys.stdout.isatty():
        from iconha_tui.app import IconhaApp
        from iconha_tui.config import Config, standard_file

        app = IconhaApp(store, args.name, start="status", config=Config(standard_file()))
        app.run()
        return app.return_code or ExitCode.DONE
    from iconha_tui.lines import show_status

    return show_status(store, names, watch=args.watch, as_json=args.json)


def corosync_check(args: argparse.Namespace) -> int:
    from iconha_tui.cluster.corosync_conf import MAX_CHARACTERS, check, has_errors

    name = sentence(args.file)
    try:
        with sys.stdin.buffer if args.file == "-" else Path(args.file).open("rb") as file:
            content = file.read(4 * MAX_CHARACTERS + 1)
    except OSError as error:
        raise SpecTrouble(
            f"Cannot be read: {error.strerror}.",
            code=Code.FILE_UNUSABLE,
            where=args.file,
            remedy="Name a corosync.conf.",
        ) from error
    found = check(content.decode(errors="replace"))
    for finding in found:
        print(f"{name}:{finding.line}:{finding.column}: {finding.severity}: {finding.message}")
    if not found:
        print(f"{name}: nothing to object to")
    return ExitCode.FAILED if has_errors(found) else ExitCode.DONE


def report(args: argparse.Namespace) -> int:
    from iconha_tui import report as reports

    store = _store()
    name = store.known(args.name)
    print(f"Asking AWS and the nodes of {name}. Nothing is changed.", file=sys.stderr)
    path, manifest = reports.make(store, name, args.output)
    print(manifest)
    print(f"Written to {sentence(str(path))}, for your eyes alone until you send it.")
    return ExitCode.DONE


def where(args: argparse.Namespace) -> int:
    from iconha_tui.config import standard_file
    from iconha_tui.store import Store

    store = Store()
    print(f"state     {sentence(str(store.root))}")
    print(f"config    {sentence(str(standard_file()))}")
    for name in store.names():
        print(f"cluster   {sentence(str(store.folder(name)))}")
    print(f"log       {sentence(str(store.log_file))}")
    return ExitCode.DONE


def _spec(named: Path) -> Spec:
    """A spec file, or the saved spec of a cluster of that name."""
    from iconha_tui import spec as specs
    from iconha_tui.store import Store

    if named.name == str(named) and str(named) in (store := Store()).names() and not named.exists():
        return store.spec(str(named))
    return specs.load(named)
