"""``python -m workings`` is the command ``workings``."""

from workings.cli.main import run

if __name__ == "__main__":
    run()
