"""Which revisions cannot be read, and what is said of them; tests/test_show.py reads real ones."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from fusebench.errors import ArtifactError
from fusebench.files import write_json
from fusebench.prediction.predictions import SCHEMA
from fusebench.revisions import revisions
from fusebench.revisions.revisions import _remedy, read_fusions


def _refusal(monkeypatch: pytest.MonkeyPatch, params: str) -> str:
    monkeypatch.setattr(revisions, "read_text", lambda _path, _rev, _root: params)
    with pytest.raises(ArtifactError) as caught:
        read_fusions("v1")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_revision_from_before_the_fusions_had_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _refusal(monkeypatch, "strategies: [late, concat]\n") == (
        "'v1' was made by an earlier version of fusebench, whose predictions this one cannot read; "
        "'git checkout v1 && dvc checkout', then its own 'python src/diff.py'"
    )


@pytest.mark.parametrize("params", ["fusions: late\n", "fusions: [1]\n", "lr: 1\n", "- a\n", "{"])
def test_params_without_fusions_are_refused(monkeypatch: pytest.MonkeyPatch, params: str) -> None:
    assert _refusal(monkeypatch, params) == "params.yaml of 'v1': no list 'fusions'"


def test_predictions_of_another_format_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(folders: Sequence[Path], _rev: str, _root: Path, target: Path) -> None:
        for folder in folders:
            (target / folder).mkdir(parents=True)
            write_json(target / folder / "info.json", {"fusion": "late"})

    monkeypatch.setattr(revisions, "_copy", copy)
    assert _refusal(monkeypatch, "fusions: [late]\n") == (
        "'v1': predictions/late/info.json: predictions of format 1, this version of fusebench "
        f"reads {SCHEMA}"
    )


@pytest.mark.parametrize(
    ("folder", "cache", "command"),
    [
        ("project", "project/.dvc/cache", "$OLDPWD/.dvc/cache"),
        ("my project", "my project/.dvc/cache", '"$OLDPWD/.dvc/cache"'),
        ("project", "a shelf", "'{}/a shelf'"),
        ("project", "shelf", "{}/shelf"),
    ],
)
def test_missing_predictions_are_two_lines_with_a_command(
    folder: str, cache: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    repo = SimpleNamespace(
        get_rev=lambda: "0123456789" * 4,
        cache=SimpleNamespace(local_cache_dir=str(tmp_path / cache)),
    )
    for rev, name in (("HEAD~1", "HEAD~1"), ("a-branch", "0123456"), ("0123456789", "0123456")):
        assert _remedy(Path("predictions/late_matched"), rev, repo).splitlines() == [
            f"predictions/late_matched of '{name}': in no cache or remote; 'dvc push' where they "
            "are, or:",
            "git worktree add ../v0 0123456 && cd ../v0 && dvc cache dir --local "
            f"{command.format(tmp_path)} && dvc repro",
        ]
