"""How many outputs of the working directory a remote holds."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Held:
    """Outputs that DVC keeps of the workspace's dvc.lock and .dvc files.

    Attributes
    ----------
    there : int
        How many the remote holds; whether an object is damaged there is not looked at.
    here : int
        How many it lacks and DVC's cache has: 'dvc push' sends them.
    size : int
        Their size in bytes; what the remote has of them is counted, too.
    nowhere : tuple of str
        Paths of those of which both lack an object.
    """

    there: int
    here: int
    size: int
    nowhere: tuple[str, ...]

    @property
    def total(self) -> int:
        """The number of outputs."""
        return self.there + self.here + len(self.nowhere)


def held(name: str, remotes: Mapping[str, Mapping[str, Any]]) -> Held:
    """Ask a remote for every object of the outputs in the working directory; nothing is changed.

    Parameters
    ----------
    name : str
        Of the remote.
    remotes : mapping of str to mapping
        The remotes with their options, as DVC's config has them.
    """
    from dvc.repo import Repo

    with Repo(config={"core": {"remote": name}, "remote": remotes}) as repo:
        remote, cache = repo.cloud.get_remote_odb(name), repo.cache.local
        objects = {
            str(out): (_objects(out, cache, remote), out.meta.size if out.meta else 0)
            for out in repo.index.outs
            if out.use_cache and out.hash_info and out.can_push
        }
        wanted = sorted({each for listed, _ in objects.values() for each in listed or ()})
        inside = _there(remote, wanted)
        there, here, size, nowhere = 0, 0, 0, []
        for path, (listed, bytes_) in objects.items():
            if listed and inside.issuperset(listed):
                there += 1
            elif listed and all(each in inside or cache.exists(each) for each in listed):
                here, size = here + 1, size + (bytes_ or 0)
            else:
                nowhere.append(path)
        return Held(there, here, size, tuple(sorted(nowhere)))


def _there(remote: Any, wanted: list[str]) -> set[str]:
    """Return which objects a remote has; whether they are whole is not looked at."""
    if remote.fs.protocol == "local":
        # In a folder DVC would read what is not read-only, remove what is damaged, and chmod the
        # rest.
        return {each for each in wanted if remote.exists(each)}
    return set(remote.oids_exist(wanted))


def _objects(out: Any, cache: Any, remote: Any) -> tuple[str, ...] | None:
    """Return the objects that an output is made of; None if nobody has the list of them."""
    name = str(out.hash_info.value)
    if not out.hash_info.isdir:
        return (name,)
    from dvc_data.hashfile.tree import Tree
    from dvc_objects.errors import ObjectFormatError

    for objects in (cache, remote):
        with suppress(FileNotFoundError, ObjectFormatError):
            listed = Tree.load(objects, out.hash_info)
            return (name, *(str(info.value) for _, _, info in listed))
    return None
