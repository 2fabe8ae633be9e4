"""Train every fusion of params.yaml with every seed: python src/train_all.py --engine local

What comes of each seed is kept in .work/seeds, so that 'dvc repro' takes it and trains nothing.
--engine local trains as many seeds at a time as runtime.workers says; --engine ray trains on a Ray
cluster, or starts Ray here. docs/machines.md has more.
"""

from functools import partial

from fusebench import cli


def main() -> None:
    """Read the arguments and settings, train what is not kept yet."""
    parser = cli.parser(__doc__)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--address", help="a Ray cluster's, host:port; this machine is in it")
    arguments = parser.parse_args()
    if arguments.address is not None and arguments.engine != "ray":
        parser.error("--address is for --engine ray")

    from fusebench.config import PARAMS_FILE, load_section
    from fusebench.device import RuntimeParams

    # Before what imports numpy, which reads the environment then.
    runtime = load_section(PARAMS_FILE, "runtime", RuntimeParams)
    runtime.before_torch()

    from fusebench.config import load
    from fusebench.device import prepare
    from fusebench.engines.jobs import read_jobs
    from fusebench.engines.run import train_here, train_missing
    from fusebench.params import Params

    jobs = read_jobs(load(PARAMS_FILE, Params), prepare(runtime))
    engine = partial(train_here, runtime)
    if arguments.engine == "ray":
        from fusebench.engines.on_ray import train_on_ray

        engine = partial(train_on_ray, runtime, arguments.address)
    train_missing(jobs, engine, runtime.progress)


if __name__ == "__main__":
    cli.run(main)
