"""`iconha-tui lab`: the commands. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from iconha_tui.exit_codes import ExitCode

if TYPE_CHECKING:
    from iconha_tui.lab.lab import Lab


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `lab`. Its handlers are in `func`, and read `state_dir` where the caller has such an option."""
    lab = subparsers.add_parser("lab", help="the local lab: a small EC2 on this machine, to try everything without AWS")
    commands = lab.add_subparsers(dest="lab_command", metavar="COMMAND", required=True)

    def add(name: str, help: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=help)
        parser.add_argument("--name", default="demo", help="the lab's name (default: demo)")
        return parser

    up = add("up", "start it, empty; builds the node image the first time")
    up.add_argument("--suite", choices=["bookworm", "trixie"], default="bookworm", help="Debian of the nodes")
    up.add_argument("--image", metavar="NAME", help="boot this container image instead (it needs systemd and sshd)")
    up.set_defaults(func=guarded, lab_handler=_up)
    add("status", "what is running, and who holds which address").set_defaults(func=guarded, lab_handler=_status)
    spec = add("spec", "print a spec for it, ready for `iconha-tui run`")
    spec.add_argument("--shell", type=_shell, metavar="SHELL", help="the cluster shell (default: that of the guide)")
    spec.add_argument(
        "--credentials", choices=["keys", "role"], default="keys", help="what the nodes use for AWS (default: keys)"
    )
    spec.add_argument("--cluster", metavar="NAME", help="the cluster's name (default: the lab's)")
    spec.set_defaults(func=guarded, lab_handler=_spec)
    add("down", "stop it and remove all of it").set_defaults(func=guarded, lab_handler=_down)
    ssh = add("ssh", "log in to a node, or run a command on it")
    ssh.add_argument("node", help="Name tag or id of an instance")
    ssh.add_argument("command", nargs=argparse.REMAINDER, help="what to run there")
    ssh.set_defaults(func=guarded, lab_handler=_ssh)


def _shell(name: str) -> str:
    """The name of a cluster shell; argparse says what is wrong with any other."""
    from iconha_tui.cluster.shells import SHELLS

    if name not in SHELLS:
        raise argparse.ArgumentTypeError(f"there is no shell {name!r} (choose from {', '.join(SHELLS)})")
    return name


def _lab(args: argparse.Namespace) -> Lab:
    from iconha_tui.lab.lab import Lab

    state_dir = getattr(args, "state_dir", None)
    return Lab(args.name, Path(state_dir) if state_dir else None)


def guarded(args: argparse.Namespace) -> int:
    """Run the chosen command; what goes wrong becomes a sentence on stderr and an exit code."""
    import sys

    from iconha_tui.errors import Trouble
    from iconha_tui.lab.state import BadName, CannotRun

    try:
        code: int = args.lab_handler(args)
    except CannotRun as trouble:
        print(trouble, file=sys.stderr)
        return ExitCode.BLOCKED
    except BadName as trouble:
        print(trouble, file=sys.stderr)
        return ExitCode.USAGE
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return ExitCode.FAILED
    return code


def _up(args: argparse.Namespace) -> int:
    lab = _lab(args)
    started = lab.up(suite=args.suite, image_name=args.image, progress=lambda line: print(line, flush=True))
    if not started:
        print(f"The lab {args.name} is already running.")
    print(f"The EC2 API is at {lab.endpoint}. AWS config file, with the profile lab: {lab.aws_config_file}")
    return ExitCode.DONE


def _status(args: argparse.Namespace) -> int:
    status = _lab(args).status()
    for one in status["instances"]:
        print(
            f"{one['id']}  {one['name'] or '-':<12} {one['state']:<13} private {one['private_ip']:<15} "
            f"public {one['public_ip'] or '-'}{'  ' + one['reason'] if one['reason'] else ''}"
        )
    if not status["instances"]:
        print("No instance has been launched.")
    for one in status["elastic_ips"]:
        print(f"Elastic IP {one['address']}  {one['allocation_id']}  held by {one['instance_id'] or 'nobody'}")
    return ExitCode.DONE


def _spec(args: argparse.Namespace) -> int:
    print(_lab(args).spec(shell=args.shell, name=args.cluster, credentials=args.credentials), end="")
    return ExitCode.DONE


def _down(args: argparse.Namespace) -> int:
    gone = _lab(args).down()
    print(f"The lab {args.name} is down." if gone else f"There is no lab {args.name}.")
    return ExitCode.DONE


def _ssh(args: argparse.Namespace) -> int:
    import subprocess

    return subprocess.run(_lab(args).ssh_command(args.node, args.command), check=False).returncode
