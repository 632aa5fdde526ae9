"""`python -m imitation_data` is `imitation-data`; workers load this module, so it is light."""

import os
import signal


def main() -> None:
    """Run the command line; Ctrl-C while it loads ends it without a word."""
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    from imitation_data.cli.app import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
