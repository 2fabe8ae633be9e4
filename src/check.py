"""Stage check: python src/check.py checked

Refuses a params.yaml or a file of sensors with a wrong value before any other stage works, a file
of weights that is not of the stem, and a tracker that is not installed. What becomes of the samples
under them, stage check_inputs says. Writes the settings that each fusion is trained with (`train`
with its override, `lidar`, and `model` with the digest of the weights) to checked/settings/,
features that are off left out. So a key that is new in params.yaml, off, trains nothing again.
"""

from pathlib import Path

from fusebench import cli


def main() -> None:
    """Read the arguments, check all params, write what other stages depend on."""
    parser = cli.parser(__doc__)
    parser.add_argument("folder", type=Path, help="folder to write")
    arguments = parser.parse_args()

    from fusebench.aside import replace_folder
    from fusebench.config import PARAMS_FILE, load
    from fusebench.files import write_json
    from fusebench.models.registry import FUSIONS
    from fusebench.params import Params
    from fusebench.samples.sensors import Sensors
    from fusebench.tracking.tracker import check_tracker

    params = load(PARAMS_FILE, Params)
    check_tracker(params.runtime.tracker)
    sensors = load(Path(params.data.sensors), Sensors)
    params.model.check_size(sensors.camera.image_size, params.data.sensors)
    files = params.checked_files()
    if params.model.weights is not None:
        # It imports torch.
        from fusebench.models.encoders import check_weights

        check_weights(params.model.with_digest())
    for name in params.without_override(FUSIONS.names()):
        print(
            f"note: params.yaml: override has no '{name}'; add '{name}:' with an empty 'lr:', so "
            f"that -S override.{name}.lr=… works"
        )
    if params.runtime.tracker != "none":
        # DVC takes what is here from its cache: no other stage may run, and say so.
        print(
            f"tracker {params.runtime.tracker}: is told of what is trained from now on; "
            "'python src/track.py' tells it of what is here"
        )
    with replace_folder(arguments.folder) as aside:
        for name, content in files.items():
            write_json(aside / name, content)


if __name__ == "__main__":
    cli.run(main)
