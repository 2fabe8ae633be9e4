"""Stage check: python src/check.py checked

Refuses a params.yaml with a wrong value before any other stage works. Writes the settings that
each fusion is trained with (`train` with its override, and `lidar`) to checked/settings/, features
that are off left out. So a key that is new in params.yaml, off, trains nothing again.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, check all params, write what other stages depend on."""
    parser = cli.parser(__doc__)
    parser.add_argument("folder", type=Path, help="folder to write")
    arguments = parser.parse_args()

    from fusebench.config import PARAMS_FILE, load
    from fusebench.files import replace_folder, write_json
    from fusebench.models import registry
    from fusebench.params import Params

    params = load(PARAMS_FILE, Params)
    effective = {name: params.effective_train(name) for name in registry.names()}
    with replace_folder(arguments.folder) as aside:
        write_json(aside / "params.json", {"params.yaml": "every value is allowed"})
        write_json(aside / "seeds.json", {"seeds": list(params.train.seeds)})
        for name, train in effective.items():
            settings = {"train": train.settings(), "lidar": params.lidar.settings()}
            write_json(aside / "settings" / f"{name}.json", settings)


if __name__ == "__main__":
    cli.run(main)
