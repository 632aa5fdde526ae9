"""`imitation-data`: one command a verb, and the one place that turns errors into exit codes."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import orjson
import typer

from imitation_data.cli import dataset, recipe
from imitation_data.errors import ImitationDataError, RecipeError

INTERRUPTED = 130

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


class _Interrupted(BaseException):
    """Ctrl-C; not a KeyboardInterrupt, which typer turns into exit code 1."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 input wrong, 2 usage, 3 refused, 130 interrupted."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except ImitationDataError as error:
        sys.exit(_report(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if os.environ.get("IMITATION_TRACEBACK"):
            raise
        print(
            f"error: {type(error).__name__}: {error}\nThis is a fault of imitation-data, please "
            "report it; IMITATION_TRACEBACK=1 shows where it happened",
            file=sys.stderr,
        )
        sys.exit(1)
    except _Interrupted:
        print("interrupted; run the same command again to resume", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise _Interrupted


def _report(error: ImitationDataError) -> int:
    from imitation_data.display import terminal  # noqa: PLC0415 - only needed here

    if "--json" in sys.argv:
        problems = list(error.problems) if isinstance(error, RecipeError) else [str(error)]
        sys.stdout.buffer.write(orjson.dumps({"error": type(error).__name__, "problems": problems}))
        print()
    print(f"error: {terminal(str(error))}", file=sys.stderr)
    return error.exit_code
