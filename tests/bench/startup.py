"""Start-up: `imitation-data --help` in a fresh process. Target: under 0.5 s.

make bench NAME=startup
"""

import subprocess
import sys
from pathlib import Path

from tests.bench.machine import best_of, calibration

COMMAND = Path(sys.executable).with_name("imitation-data")


def main() -> None:
    """Print the best and the target."""
    seconds = best_of(
        5, lambda: subprocess.run([COMMAND, "--help"], check=True, capture_output=True)
    )
    print(f"imitation-data --help: {seconds:.2f} s, best of 5 (calibration {calibration():.2f} s)")


if __name__ == "__main__":
    main()
