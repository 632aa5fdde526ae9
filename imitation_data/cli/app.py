"""`imitation-data`: one command a verb, and the one place that turns errors into exit codes."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn, TextIO

import orjson
import typer

from imitation_data.cli import dataset, dedup, recipe
from imitation_data.errors import ImitationDataError, RecipeError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Build, check and look into imitation datasets.",
)
app.command("build")(recipe.build)
app.command("check")(recipe.check)
app.command("show")(dataset.show)
app.command("sample")(dataset.sample)
app.command("explain")(dataset.explain)
app.command("dedup")(dedup.dedup)
app.add_typer(dedup.index, name="index")


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not a KeyboardInterrupt, which typer turns into exit code 1."""

    def __init__(self, number: int) -> None:
        self.number = number


def main() -> None:
    """Run the command line and exit: 0 done, 1 input wrong, 2 usage, 3 refused, 130 interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app()
    except ImitationDataError as error:
        problems = list(error.problems) if isinstance(error, RecipeError) else [str(error)]
        code = _tell(type(error).__name__, problems, str(error), error.exit_code)
    except BrokenPipeError:
        code = _tell("", [], "", 1)  # nobody reads on
    except OSError as error:
        full = f"standard output cannot be written ({error.strerror}); send it elsewhere"
        words = str(error) if error.filename else full  # only streams have no name
        code = _tell("OSError", [words], words, 1)
    except Exception as error:
        if os.environ.get("IMITATION_TRACEBACK"):
            raise
        words = (
            f"{type(error).__name__}: {error}\nThis is a fault of imitation-data, "
            "please report it; IMITATION_TRACEBACK=1 shows where it happened"
        )
        code = _tell(type(error).__name__, [words], words, 1)
    except _Interrupted as stop:
        code = 128 + stop.number
        resumes = " to resume" if sys.argv[1:2] == ["build"] else ""
        _tell("Interrupted", [], f"interrupted; run the same command again{resumes}", code)
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    for each in (signal.SIGINT, signal.SIGTERM):  # the first is enough; a second would hurt
        signal.signal(each, signal.SIG_IGN)
    raise _Interrupted(number)


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
