"""`imitation-data`: one command a verb, and the one place that turns errors into exit codes."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn, TextIO

import orjson
import typer

from imitation_data.cli import (
    dataset,
    dedup,
    diff,
    diversity,
    evalset,
    export,
    generate,
    journal,
    leakage,
    publish,
    recipe,
    versions,
)
from imitation_data.errors import ImitationDataError, RecipeError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Build, check, version and publish imitation datasets.",
)
app.command("build")(recipe.build)
app.command("generate")(generate.generate)
app.command("check")(recipe.check)
app.command("show")(dataset.show)
app.command("sample")(dataset.sample)
app.command("explain")(dataset.explain)
app.command("diff")(diff.diff)
app.command("export")(export.export)
app.command("publish")(publish.publish)
app.command("pull")(publish.pull)
app.command("rebuild")(publish.rebuild)
app.command("remove")(publish.remove)
app.command("retract")(publish.retract)
app.command("versions")(versions.versions)
app.command("verify")(versions.verify)
app.command("gc")(versions.gc)
app.command("dedup")(dedup.dedup)
app.add_typer(dedup.index, name="index")
app.command("diversity")(diversity.diversity)
app.command("leakage")(leakage.leakage)
app.command("evalset")(evalset.evalset)
app.add_typer(journal.journal, name="journal")


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not a KeyboardInterrupt, which typer turns into exit code 1."""


_SIGNALS: list[int] = []
"""The signal that told us to end: what is raised for it may come back as something else."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 input wrong, 2 usage, 3 refused, 130 interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app()
        code = 0
    except BaseException as error:
        if _SIGNALS:  # Python makes a RuntimeError of anything raised while a class is made
            code = _interrupted()
        elif isinstance(error, SystemExit):
            raise
        else:
            code = _failed(error)
    sys.exit(code)


def _interrupted() -> int:
    code = 128 + _SIGNALS[0]
    resumes = " to resume" if sys.argv[1:2] in (["build"], ["generate"]) else ""
    return _tell("Interrupted", [], f"interrupted; run the same command again{resumes}", code)


def _failed(error: BaseException) -> int:
    """Say what went wrong in words; return the exit code."""
    if isinstance(error, ImitationDataError):
        problems = list(error.problems) if isinstance(error, RecipeError) else [str(error)]
        return _tell(type(error).__name__, problems, str(error), error.exit_code)
    if isinstance(error, BrokenPipeError):
        return _tell("", [], "", 1)  # nobody reads on
    if isinstance(error, OSError):
        full = f"standard output cannot be written ({error.strerror}); send it elsewhere"
        words = str(error) if error.filename else full  # only streams have no name
        return _tell("OSError", [words], words, 1)
    if os.environ.get("IMITATION_TRACEBACK"):
        raise error
    words = (
        f"{type(error).__name__}: {error}\nThis is a fault of imitation-data, "
        "please report it; IMITATION_TRACEBACK=1 shows where it happened"
    )
    return _tell(type(error).__name__, [words], words, 1)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    for each in (signal.SIGINT, signal.SIGTERM):  # the first is enough; a second would hurt
        signal.signal(each, signal.SIG_IGN)
    _SIGNALS.append(number)
    raise _Interrupted


def _tell(name: str, problems: list[str], words: str, code: int) -> int:
    """Say what went wrong, wherever somebody listens still; return the exit code."""
    from imitation_data.display import terminal  # noqa: PLC0415 - only needed here

    try:
        if name and "--json" in sys.argv:
            print(orjson.dumps({"error": name, "problems": problems}).decode())
        sys.stdout.flush()
    except (OSError, AttributeError):  # closed, or full
        _silence(sys.stdout)
    try:
        if words:
            prefix = "" if name == "Interrupted" else "error: "
            print(f"{prefix}{terminal(words)}", file=sys.stderr, flush=True)
    except (OSError, AttributeError):
        _silence(sys.stderr)
    return code


def _silence(stream: TextIO | None) -> None:
    """Lead a stream that cannot be written to nowhere, or Python tells of it on closing it."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
