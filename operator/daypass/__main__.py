"""``python -m daypass``."""

from daypass.cli.main import main

if __name__ == "__main__":
    main()
