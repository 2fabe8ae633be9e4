"""Stage check: python src/check.py checked

Refuses a params.yaml with a wrong value before any other stage works. What it writes changes only
with `override`, so the stages after it do not run again when another value changes.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, check all params, write the constant that other stages depend on."""
    parser = cli.parser(__doc__)
    parser.add_argument("folder", type=Path, help="folder to write")
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load
    from fusebench.files import replace_folder, write_json
    from fusebench.models import registry
    from fusebench.params import Params

    params = load(PARAMS_FILE, Params)
    with replace_folder(arguments.folder) as aside:
        write_json(aside / "params.json", {"params.yaml": "every value is allowed"})
        (aside / "override").mkdir()
        for name in registry.names():
            override = params.override.get(name)
            changes = override.changes() if override is not None else {}
            write_json(aside / "override" / f"{name}.json", changes)


if __name__ == "__main__":
    cli.run(main)
