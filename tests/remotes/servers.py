"""Servers of remotes, on 127.0.0.1 and a free port, for the time of a test."""

import asyncio
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUCKET = "results"
# moto takes any.
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@contextmanager
def s3() -> Iterator[str]:
    """Yield the address of a server that speaks S3's protocol and has a bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        with urllib.request.urlopen(  # noqa: S310
            urllib.request.Request(f"{address}/{BUCKET}", method="PUT")  # noqa: S310
        ) as answer:
            assert answer.status == 200
        yield address
    finally:
        server.stop()


def objects(address: str) -> list[str]:
    """Return the names of all objects in the bucket."""
    with urllib.request.urlopen(f"{address}/{BUCKET}") as answer:  # noqa: S310
        return re.findall("<Key>(.*?)</Key>", answer.read().decode())


@contextmanager
def ssh(home: Path, *, read_only: bool = False, passphrase: str | None = None) -> Iterator[str]:
    """Yield ssh://user@host:port of an SFTP server that lets in who has the key in `home`."""
    import asyncssh

    class ReadOnly(asyncssh.SFTPServer):
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            if pflags & asyncssh.FXF_WRITE:
                raise asyncssh.SFTPPermissionDenied("read-only server")
            return super().open(path, pflags, attrs)

    key = asyncssh.generate_private_key("ssh-ed25519")
    folder = home / ".ssh"
    folder.mkdir(mode=0o700, parents=True)
    key.write_private_key(str(folder / "id_ed25519"), passphrase=passphrase)
    (folder / "id_ed25519").chmod(0o600)
    key.write_public_key(str(folder / "authorized_keys"))

    async def listen() -> Any:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            authorized_client_keys=str(folder / "authorized_keys"),
            sftp_factory=ReadOnly if read_only else asyncssh.SFTPServer,
        )  # fmt: skip

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield f"ssh://somebody@127.0.0.1:{server.get_port()}"
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(server: Any) -> None:
    server.close()
    await server.wait_closed()


@contextmanager
def mute() -> Iterator[tuple[str, list[socket.socket]]]:
    """Yield the address of a server that takes connections and never says a word, and these."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", taken
        finally:
            # Wakes the thread, which close() alone does not.
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()
            for connection in taken:
                connection.close()
