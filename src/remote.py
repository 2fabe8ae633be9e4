"""Set the default remote of DVC: python src/remote.py [URL] [--name NAME] …

URL is a folder, ssh://user@host/path or s3://bucket/path, and holds no secret. Before anything is
set, a small file is written there and removed. Without URL it says what is set, and how many
outputs are there. docs/remotes.md says more.
"""

from fusebench import cli


def main() -> None:
    """Read the arguments, set or look, say what was done."""
    parser = cli.parser(__doc__)
    parser.add_argument("url", metavar="URL", nargs="?", help="default: say what is set")
    parser.add_argument("--name", help="what DVC calls it (default: storage)")
    parser.add_argument("--endpoint", metavar="URL", help="of S3: a server that is not AWS")
    parser.add_argument("--profile", metavar="NAME", help="of S3: a profile of ~/.aws")
    parser.add_argument("--local", action="store_true", help="in .dvc/config.local, not in git")
    parser.add_argument(
        "--wait", type=float, default=30, metavar="SECONDS",
        help="for the first answer (default: 30)",
    )  # fmt: skip
    arguments = parser.parse_args()

    from fusebench.errors import ParamsError
    from fusebench.remotes.remote import set_remote, show_remote

    if not 0 < arguments.wait < 1e6:
        raise ParamsError(
            f"WAIT = {arguments.wait:g}: must be a number of seconds above 0 and below 1e6"
        )
    others = {
        "ENDPOINT": arguments.endpoint,
        "PROFILE": arguments.profile,
        "LOCAL": arguments.local,
    }
    if arguments.url is not None:
        lines = set_remote(
            arguments.url, "storage" if arguments.name is None else arguments.name,
            endpoint=arguments.endpoint, profile=arguments.profile, local=arguments.local,
            seconds=arguments.wait,
        )  # fmt: skip
    elif without := [word for word, value in others.items() if value not in (None, False)]:
        raise ParamsError(f"{without[0]}: only with URL")
    else:
        lines = show_remote(arguments.name, arguments.wait)
    cli.show("\n".join(lines))


if __name__ == "__main__":
    cli.run(main)
