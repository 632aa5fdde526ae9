"""Options that commands share."""

from typing import Annotated

import typer

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Folder of versions, or s3://bucket/prefix.",
        envvar="IMITATION_STORE",
        show_default="./store",
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Worker processes.", show_default="all cores")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print no progress.")]
SourceOption = Annotated[
    list[str] | None, typer.Option("--source", help="NAME=PATH: read this source from elsewhere.")
]


def paths_of(source: list[str] | None) -> dict[str, str]:
    """Paths by source, out of NAME=PATH."""
    paths = {}
    for pair in source or []:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise typer.BadParameter(f"found {pair!r}; expected NAME=PATH", param_hint="--source")
        paths[name] = path
    return paths
