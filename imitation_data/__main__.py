"""`python -m imitation_data` is `imitation-data`."""

from imitation_data.cli.app import main

if __name__ == "__main__":
    main()
