"""Cells with names in tables of a notebook's output."""

from __future__ import annotations

import html

from flowbook.draw.table_cells import name_cell


def test_a_long_name_loses_its_middle_and_its_title_has_it_whole():
    name = "delays_by_carrier_and_month_without_the_cancelled_flights[17]"

    short, long = name_cell("clean"), name_cell(name)

    shown = html.unescape(long.partition(">")[2].removesuffix("</td>"))
    head, _, tail = shown.partition("…")
    assert short == "<td style='text-align:left;white-space:nowrap'>clean</td>"
    assert f"title='{name}'" in long
    assert len(shown) < len(name)
    assert (name.startswith(head), name.endswith(tail), len(tail) > 8) == (True, True, True)


def test_a_name_is_no_markup():
    assert "<b>" not in name_cell("<b>")
    assert "' onclick" not in name_cell("' onclick='x' " * 20)
