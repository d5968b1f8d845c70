"""What libraries make has a preview of its kind: foreign frames, figures, images, charts, models, nested values, texts."""

from __future__ import annotations

import base64
import dataclasses
import io
import json

import altair as alt
import matplotlib as mpl
import numpy as np
import pandas as pd
import PIL.Image
import plotly.graph_objects
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import Ridge

from flowbook.results.frame_pager import FramePager, page
from flowbook.results.preview import describe
from flowbook.results.preview_picture import html_of

mpl.use("agg")
PNG = b"\x89PNG"


def shown(preview):
    """The first columns' names and types, and the rows."""
    return [(each["name"], each["dtype"]) for each in preview["page"]["columns"]], preview["page"]["rows"]


@pytest.mark.parametrize(
    ("frame", "text", "dtypes"),
    [
        (pl.DataFrame({"n": [1, None], "s": ["a", None]}), "DataFrame of polars, 2 × 2", ["Int64", "String"]),
        (pa.table({"n": [1, None], "s": ["a", None]}), "Table of Arrow, 2 × 2", ["int64", "string"]),
        (
            pa.RecordBatch.from_pydict({"n": [1, None], "s": ["a", None]}),
            "RecordBatch of Arrow, 2 × 2",
            ["int64", "string"],
        ),
    ],
)
def test_a_foreign_frame_is_a_frame_with_its_own_types(frame, text, dtypes):
    preview = describe(frame)

    assert (preview["kind"], preview["text"], preview["shape"]) == ("frame", text, [2, 2])
    assert shown(preview) == (list(zip(["n", "s"], dtypes, strict=True)), [["1", "a"], [None, None]])


def test_a_series_of_polars_is_a_frame_of_one_column():
    assert shown(describe(pl.Series("x", [3, 4]))) == ([("x", "Int64")], [["3"], ["4"]])


@pytest.mark.parametrize("array", [pa.array([3, 4]), pa.chunked_array([[3], [4]])])
def test_an_array_of_arrow_is_a_frame_of_one_column(array):
    preview = describe(array)

    assert (preview["kind"], preview["shape"]) == ("frame", [2])
    assert preview["text"] == f"{type(array).__name__} of Arrow, 2"
    assert shown(preview) == ([("value", "int64")], [["3"], ["4"]])
    assert FramePager(array).page(sort="value", descending=True)["rows"] == [["4"], ["3"]]


def test_the_pages_of_a_foreign_frame_are_sorted():
    frame = pl.DataFrame({"n": list(range(500))})

    found = FramePager(frame).page(100, 2, "n", descending=True)

    assert (found["rows"], found["total"]) == ([["399"], ["398"]], 500)


@pytest.mark.parametrize("kind", [pl.DataFrame, pa.table])
def test_a_long_foreign_frame_is_summed_up_from_a_sample(kind):
    preview = describe(kind({"n": np.arange(200_000), "l": [[1]] * 200_000}))

    assert preview["page"]["total"] == 200_000
    assert preview["page"]["columns"][0]["summary"] == "0 … 199,999, sampled"


def test_cells_that_can_t_be_hashed_have_no_bars():
    frame = pd.DataFrame({"a": [np.array([1, 2])] * 20_000})

    assert page(frame)["columns"][0]["spark"] is None


def test_a_figure_is_a_picture_and_stays_as_it_was():
    figure = Figure(dpi=150)
    figure.subplots().plot([1, 2, 3])
    canvas = figure.canvas

    preview = describe(figure)

    assert (preview["kind"], preview["text"]) == ("picture", "Figure, 960 × 720")
    assert preview["body"]["mime"] == "image/png"
    assert base64.b64decode(preview["body"]["data"])[:4] == PNG
    assert (figure.canvas is canvas, figure.dpi) == (True, 150)


def test_axes_are_shown_as_the_figure_that_they_are_in():
    figure = Figure(dpi=100)
    axes = figure.subfigures(1, 2)[0].subplots()

    preview = describe(axes)

    assert (preview["kind"], preview["text"]) == ("picture", "Axes, 640 × 480")
    assert base64.b64decode(preview["body"]["data"])[:4] == PNG


def test_axes_without_a_figure_are_text():
    axes = Figure().subplots()
    axes.remove()

    assert describe(axes)["kind"] == "text"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "object"),
        ((n for n in range(3)), "generator"),
        (shown, "<function shown>"),
        (bytes(range(256)), "bytes"),
        (b"abc", "b'abc'"),
    ],
)
def test_the_title_says_what_a_value_is_not_where_it_lies(value, text):
    assert describe(value)["text"] == text


def test_a_figure_shows_the_labels_beyond_its_edge():
    figure = Figure(dpi=100)
    axes = figure.subplots()
    axes.barh(["an airline with a rather long name, and a subsidiary of it"], [1])

    data = base64.b64decode(describe(figure)["body"]["data"])

    assert PIL.Image.open(io.BytesIO(data)).width > 640


def test_a_large_image_is_made_smaller():
    image = PIL.Image.effect_noise((1800, 1400), 60)

    preview = describe(image)

    data = base64.b64decode(preview["body"]["data"])
    assert preview["kind"] == "picture"
    assert len(data) <= 150_000
    assert PIL.Image.open(io.BytesIO(data)).width <= 800
    assert image.size == (1800, 1400)


def test_a_styled_table_is_html_that_is_kept():
    preview = describe(pd.DataFrame({"a": [1, 2]}).style.format("{:.1f}"))

    assert preview["kind"] == "html"
    assert "<table" in preview["body"]


def test_a_chart_of_plotly_is_html_that_is_made_when_somebody_looks():
    figure = plotly.graph_objects.Figure(plotly.graph_objects.Scatter(x=[1], y=[2]))

    preview = describe(figure)

    assert (preview["kind"], preview["text"], preview["body"]) == ("html", "Figure of plotly", None)
    assert "https://cdn" not in html_of(figure)[:2000]


def test_a_chart_of_altair_needs_a_network_or_vl_convert_so_its_text_is_shown():
    chart = alt.Chart(pd.DataFrame({"a": [1]})).mark_bar().encode(x="a")

    assert (describe(chart)["kind"], html_of(chart)) == ("html", None)


def test_a_model_is_a_tree_of_its_parameters():
    preview = describe(Ridge(alpha=0.5))

    assert preview["kind"] == "tree"
    assert {"label": "alpha", "type": "float", "text": "0.5"} in preview["body"]


@dataclasses.dataclass
class Fit:
    name: str
    scores: list[float]


def test_nested_values_are_a_tree():
    preview = describe({"fit": Fit("ridge", [0.5]), "test": pd.DataFrame({"a": [1, 2]}), "many": list(range(50))})

    assert preview["kind"] == "tree"
    assert preview["body"][:2] == [
        {
            "label": "fit",
            "type": "Fit",
            "text": "",
            "parts": [
                {"label": "name", "type": "str", "text": "'ridge'"},
                {"label": "scores", "type": "list", "text": "1 item", "parts": [{"label": "0", "type": "float", "text": "0.5"}]},
            ],
        },
        {"label": "test", "type": "DataFrame", "text": "2 × 1"},
    ]  # fmt: skip
    assert preview["body"][2]["parts"][-1] == {"text": "and 38 more"}


def test_a_ring_and_a_deep_value_end():
    ring: dict[str, object] = {}
    ring["self"] = ring
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]

    assert describe(ring)["body"] == [
        {"label": "self", "type": "dict", "text": "1 item", "parts": [{"text": "this is the value that it stands in"}]}
    ]
    assert len(json.dumps(describe(deep))) < 2000


def test_a_long_text_is_shown_by_its_lines():
    preview = describe("one\n" * 1000)

    assert preview["kind"] == "text"
    assert preview["body"].startswith("one\none\n")
    assert preview["body"].endswith("… and 2,000 more characters")


class Rude:
    def _repr_html_(self):
        raise RuntimeError("no")

    def __repr__(self):
        return "<Rude>"


def test_what_can_t_draw_itself_is_text():
    preview = describe(Rude())

    assert (preview["kind"], preview["repr"]) == ("text", "It can't be drawn: RuntimeError: no\n<Rude>")
