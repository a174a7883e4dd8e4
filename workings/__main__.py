"""Entry point of ``python -m workings``, which is the same as the command ``workings``."""

from workings.cli.main import run

if __name__ == "__main__":
    run()
