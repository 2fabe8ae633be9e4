"""docs/tasks.md says of each task what its file says."""

from tests.project import ROOT

from fusebench.synthetic.task import TASKS, task_of

PAGE = (ROOT / "docs/tasks.md").read_text("utf-8")


def test_the_table_has_a_row_per_task_with_its_classes_and_ceilings() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith("| `") and "%" in line
    ]
    assert sorted(row[0].partition("`")[2].partition("`")[0] for row in rows) == TASKS.names()
    for name, _, classes, known, ceilings in rows:
        task = task_of(name.partition("`")[2].partition("`")[0])
        assert classes == ", ".join(task.classes)
        assert task.interaction in known
        assert ceilings == f"{task.ceilings['rgb']:g} / {task.ceilings['lidar']:g} %"
