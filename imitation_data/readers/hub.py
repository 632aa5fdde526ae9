"""Datasets of the Hugging Face Hub, fetched into the Hub client's own cache.

Nothing here touches the network until `fetch` is called. The client is told by its usual variables
where to look: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE`.
"""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from imitation_data.errors import SourceError
from imitation_data.readers.files import matches


def fetch(repo: str, revision: str, files: Sequence[str] = ()) -> tuple[Path, str]:
    """Fetch a dataset at a revision, or find it in the cache.

    Args:
        repo: `org/name`.
        revision: a tag, branch or commit.
        files: patterns of the files wanted (`data/*.parquet`); none for all. The folder may hold
            files of earlier calls too: pass the same patterns to `find_files`.

    Returns:
        The folder with the files, and the commit that the revision stands for, 40 hex digits.

    Raises:
        SourceError: there is no such dataset, revision or file, or it cannot be reached.
    """
    # Importing the client takes longer than most commands need in all.
    from huggingface_hub import errors, snapshot_download  # noqa: PLC0415
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    if sys.stderr is None or not sys.stderr.isatty():
        disable_progress_bars()

    name = f"{repo}@{revision}"
    patterns = list(files) or None
    # The client's errors and those of the HTTP library beneath it have these bases.
    bases = cast("tuple[type[Exception], ...]", errors.HfHubHTTPError.__bases__)
    network: tuple[type[Exception], ...] = (*bases, errors.RevisionResolutionError)
    try:
        found = snapshot_download(
            repo, repo_type="dataset", revision=revision, allow_patterns=patterns
        )
    except errors.RevisionNotFoundError as error:
        mark = f"; did you mean 'v{revision}'?" if revision[:1].isdecimal() else ""
        raise SourceError(
            f"{name}: the dataset has no revision {revision!r}{mark}; its tags and branches "
            f"stand on its page, {_endpoint()}/datasets/{repo}/tree/main"
        ) from error
    except errors.GatedRepoError as error:
        raise SourceError(
            f"{name}: access must be asked for; accept the terms on {_endpoint()}/datasets/{repo} "
            "and log in with `hf auth login` (or set HF_TOKEN)"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(
            f"{name}: the Hub has no such dataset, or it is private; check the name, or log in "
            "with `hf auth login` (or set HF_TOKEN)"
        ) from error
    except errors.HFValidationError as error:
        raise SourceError(f"{name}: {repo!r} is no name of a dataset; expected org/name") from error
    except errors.EntryNotFoundError as error:
        raise SourceError(f"{name}: {_why_missing()}") from error
    except network as error:
        raise SourceError(f"{name}: cannot be fetched ({_first_line(error)}); try again") from error
    folder = Path(found)
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if not any(not files or matches(name, files) for name in names):
        wanted = f" that matches {', '.join(files)}" if files else ""
        raise SourceError(f"{name}: the dataset has no file{wanted}")
    return folder, folder.name


def _why_missing() -> str:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return (
            "not (wholly) in the local cache, and HF_HUB_OFFLINE forbids to fetch it; "
            "unset HF_HUB_OFFLINE, or fetch it once where there is a network"
        )
    return (
        f"{_endpoint()} cannot be reached, and the local cache does not have it (whole); check "
        "the network, or HF_ENDPOINT, and try again"
    )


def _endpoint() -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return re.sub(r"//[^/@]*@", "//", endpoint)  # a password is nobody's to read


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
