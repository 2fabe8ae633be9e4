"""docs/robustness.md says of each corruption what its file says."""

from tests.project import ROOT

from fusebench.inputs.corruption import CORRUPTIONS, corruption_of

PAGE = (ROOT / "docs/robustness.md").read_text("utf-8")


def test_the_table_has_a_row_per_corruption_with_its_severities() -> None:
    rows = {
        cells[0].strip("`"): cells[1:]
        for line in PAGE.splitlines()
        if line.startswith("| `")
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    assert sorted(rows) == CORRUPTIONS.names()
    for name, (sensor, label, severities) in rows.items():
        known = corruption_of(name)
        assert sensor == {"rgb": "image", "lidar": "LiDAR"}[known.sensor]
        assert label == known.label
        amounts = ", ".join(f"{amount:g}" for amount in known.severities)
        assert severities == f"{known.amount}: {amounts} {known.unit}"
