"""Reading traces."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from swarmkeeper.simulation.trace import TraceError, read_trace
from tests.fakes.builders import resources
from tests.simulation.builders import EXCERPT, HEADING


def written(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def test_rows_count_from_the_first_bin_in_its_order(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, HEADING + "900,b,2,3.5,300,300,0\n600,a,1,1.75,0,600,1\n"))
    assert [(row.arrival_s, row.batch, row.censored) for row in trace.rows] == [(0, "a", True), (300, "b", False)]
    assert trace.rows[1].reservation == resources(2, 3584)
    assert trace.length_s == 600


def test_a_compressed_trace_reads_the_same(tmp_path: Path) -> None:
    text = HEADING + "600,a,1,1.75,0,600,1\n"
    packed = tmp_path / "trace.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_trace(packed).rows == read_trace(written(tmp_path, text)).rows


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "trace.csv:1: arrival_s: is missing from the heading"),
        ("arrival_s,tenant_batch\n", "trace.csv:1: vcpu: is missing from the heading"),
        (HEADING, "trace.csv:1: (file): has no arrivals"),
        (HEADING + "0,a,1,1,0,0,0\n0,a,x,1,0,0,0\n", "trace.csv:3: vcpu: 'x' is not a number"),
        (HEADING + "0,a,0,1,0,0,0\n", "trace.csv:2: vcpu: '0' is not a number above 0"),
        (HEADING + "0,a,1,nan,0,0,0\n", "trace.csv:2: mem_gb: 'nan' is not a number above 0"),
        (HEADING + "-5,a,1,1,0,0,0\n", "trace.csv:2: arrival_s: '-5' is not a number of at least 0"),
        (HEADING + "0,a,1,1,600,300,0\n", "trace.csv:2: lifetime_max_s: 300 is below lifetime_min_s, 600"),
        (HEADING + "0,a,1,1,0,0,2\n", "trace.csv:2: censored: '2' is neither 0 nor 1"),
        (HEADING + "0,a,1,1,0\n", "trace.csv:2: lifetime_max_s: is missing"),
    ],
)
def test_a_bad_trace_is_refused_with_its_line_and_field(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(TraceError) as caught:
        read_trace(written(tmp_path, text))
    assert str(caught.value) == problem


def test_what_is_no_trace_at_all_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "trace.csv.gz"
    broken.write_bytes(b"not gzip")
    for path in (broken, tmp_path / "missing.csv", tmp_path):
        with pytest.raises(TraceError, match="can't be read"):
            read_trace(path)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(EXCERPT.read_bytes()[:5000])
    with pytest.raises(TraceError, match="can't be read"):
        read_trace(cut)
