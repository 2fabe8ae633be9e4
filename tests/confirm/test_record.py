"""The record of openings: found again, whatever was done to the file."""

from dataclasses import replace

from tests.confirm.conftest import Git

from fusebench.confirm.record import OPENED, Opening, Past, parse, table
from fusebench.confirm.repository import commit_file

FIRST = Opening(
    "2031-05-17T09:30:00Z", "a" * 40, "samples", "holdout", "1000 cubes; 75 a,b", "0 1", "late add"
)
SECOND = replace(FIRST, opened="2031-06-01T00:00:00Z", commit="b" * 40)
ELSEWHERE = replace(FIRST, opened="2031-01-01T00:00:00Z", samples="others")


def test_openings_come_back_from_their_file() -> None:
    text = table([FIRST, SECOND])
    assert text.splitlines()[0] == "opened,commit,samples,holdout,counts,seeds,fusions"
    assert parse(text) == [FIRST, SECOND]
    assert parse("") == []


def test_a_line_of_another_form_tells_of_no_opening() -> None:
    text = table([FIRST]).replace("2031", "<<<<<<< HEAD\n2031", 1) + "=======\n"
    assert parse(text) == [FIRST]
    assert parse("opened,commit,more\n2031,abc,x\n") == [Opening("2031", "abc", *[""] * 5)]


def test_openings_of_all_versions_count_once_in_their_order(git: Git) -> None:
    assert Past.read() == Past(())
    commit_file(OPENED, table([SECOND]), "one")
    commit_file(OPENED, table([FIRST, SECOND]), "two")
    commit_file(OPENED, table([ELSEWHERE]), "rewritten")
    git("rm", "--quiet", str(OPENED))
    git("commit", "--quiet", "--message", "removed")
    past = Past.read()
    assert past.openings == (ELSEWHERE, FIRST, SECOND)
    assert past.of("samples") == [FIRST, SECOND]
    assert past.of_others("samples") == [ELSEWHERE]


def test_a_line_whose_letters_were_broken_is_no_other_opening(git: Git) -> None:
    whole = replace(FIRST, counts="9 Würfel")
    commit_file(OPENED, table([whole]), "one")
    OPENED.write_bytes(table([whole]).encode("latin-1"))
    git("commit", "--quiet", "--all", "--message", "saved by another program")
    git("rm", "--quiet", str(OPENED))
    git("commit", "--quiet", "--message", "removed")
    past = Past.read()
    assert past.openings == (whole,)
    commit_file(OPENED, table([*past.openings, SECOND]), "two")
    assert Past.read().openings == (whole, SECOND)
