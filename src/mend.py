"""Mend what DVC cannot: python src/mend.py

Removes a lock that a killed DVC left, and damaged files from DVC's cache and from the outputs of
stages; brings back what the cache or git has, and says what is left to do.
"""

from fusebench import cli


def main() -> None:
    """Mend, and say what was done."""
    cli.parser(__doc__).parse_args()

    from fusebench.mend import mend

    mend(cli.show)


if __name__ == "__main__":
    cli.run(main)
