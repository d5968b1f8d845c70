"""What shows itself as a picture or as a page of HTML, as plain data: figures, images, styled tables, charts.

Loads no library: a figure's library is loaded where there is a figure. Changes nothing of the value. HTML made here is only
ever shown in a frame that can't reach the page.
"""

from __future__ import annotations

import base64
import io
from importlib.util import find_spec
from typing import Any

from flowbook._utils.loaded import LoadedClasses

__all__ = ["html_of", "is_displayed", "is_drawn_here", "picture", "stored_html", "title"]

#: The largest picture and the largest HTML that are stored with a value; what is larger is made again when somebody looks.
_PICTURE_BYTES, _HTML_CHARACTERS = 150_000, 60_000
#: The largest HTML that is sent to a view.
_LARGEST_HTML = 12_000_000
_WIDTH_PX = 800
_DPI = 100
_SCALES = (1.0, 0.5, 0.25)
_FIGURE, _AXES = LoadedClasses("matplotlib.figure", "Figure"), LoadedClasses("matplotlib.axes", "Axes")
_IMAGE = LoadedClasses("PIL.Image", "Image")


def is_displayed(value: object) -> bool:
    """Return whether `value` shows itself as a picture or as HTML, and not as text. Asks its class only."""
    if isinstance(value, type):
        return False
    kind = type(value)
    return (
        _is_matplotlib(value)
        or any(
            callable(getattr(kind, name, None)) for name in ("_repr_png_", "_repr_jpeg_", "_repr_svg_", "_repr_html_")
        )
        or _is_chart(value)
    )


def is_drawn_here(value: object) -> bool:
    """Return whether `value` is a figure or an image, whose picture is made here, in a size that can be stored."""
    return _is_matplotlib(value) or _is_image(value)


def picture(value: object) -> dict[str, Any] | None:
    """Return `value` as {"mime", "data"}: a PNG or JPEG as base64, an SVG as text; None if it has no picture."""
    if _is_matplotlib(value):
        return _figure(_figure_of(value))
    if _is_image(value):
        return _image(value)
    for name, mime in (("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg"), ("_repr_svg_", "image/svg+xml")):
        method = getattr(type(value), name, None)
        found = _content(method(value)) if callable(method) else None
        if found:
            return _picture(mime, found)
    return None


def title(value: Any, default: str) -> str:  # noqa: ANN401  # anything with a picture
    """Return what a picture is called: a figure or an image by its size in px, all else `default`."""
    if _is_matplotlib(value):
        figure = _figure_of(value)
        wide, high = figure.get_size_inches() * figure.dpi
        return f"{'Figure' if figure is value else 'Axes'}, {wide:,.0f} \u00d7 {high:,.0f}"
    if _is_image(value):
        return f"Image, {value.mode}, {value.width:,} \u00d7 {value.height:,}"
    return default


def stored_html(value: object) -> str | None:
    """Return the HTML that is stored with `value`; None if it has none, or it is too large or needs other files."""
    if _is_plotly(value) or _is_chart(value):
        return None
    found = html_of(value)
    return found if found is not None and len(found) <= _HTML_CHARACTERS else None


def html_of(value: object) -> str | None:
    """Return the whole HTML of `value`, scripts included, so that it needs no network; None if it has none."""
    if _is_plotly(value):
        found = value.to_html(full_html=False, include_plotlyjs=True)  # type: ignore[attr-defined]  # a figure of plotly's
    elif _is_chart(value):
        #: Altair puts its scripts into the page only where vl-convert is installed.
        found = value.to_html(inline=True) if find_spec("vl_convert") else None  # type: ignore[attr-defined]  # a chart
    else:
        method = getattr(type(value), "_repr_html_", None)
        found = _content(method(value)) if callable(method) else None
    return found if isinstance(found, str) and len(found) <= _LARGEST_HTML else None


def _content(found: object) -> Any:  # noqa: ANN401  # bytes or text
    """Return what a `_repr_..._` method returned, without its metadata."""
    return found[0] if isinstance(found, tuple) and found else found


def _picture(mime: str, content: object) -> dict[str, Any] | None:
    if isinstance(content, str) and mime != "image/svg+xml":
        content = base64.b64decode(content)
    if isinstance(content, str):
        return {"mime": mime, "data": content} if len(content) <= _PICTURE_BYTES else None
    if not isinstance(content, bytes | bytearray) or len(content) > _PICTURE_BYTES:
        return None
    if mime == "image/svg+xml":
        return {"mime": mime, "data": bytes(content).decode()}
    return {"mime": mime, "data": base64.b64encode(content).decode("ascii")}


def _is_matplotlib(value: object) -> bool:
    if isinstance(value, _AXES.now()):
        return value.figure is not None
    return isinstance(value, _FIGURE.now())


def _figure_of(value: Any) -> Any:  # noqa: ANN401  # a figure, or axes as `frame.plot()` returns them
    """Return the whole figure that axes are in."""
    while (outer := getattr(value, "figure", None)) is not None and outer is not value:
        value = outer
    return value


def _figure(value: Any) -> dict[str, Any] | None:  # noqa: ANN401  # a figure of matplotlib's
    """Return the figure as a PNG that isn't too large, drawn by a canvas of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # where there is a figure

    canvas, dpi = value.canvas, value.dpi
    try:
        for scale in _SCALES:
            file = io.BytesIO()
            # "tight": as notebooks show figures, so that no label beyond its edge is cut.
            FigureCanvasAgg(value).print_figure(file, format="png", dpi=min(dpi, _DPI) * scale, bbox_inches="tight")
            if (found := _picture("image/png", file.getvalue())) is not None:
                return found
    finally:
        value.set_canvas(canvas)
    return None


def _is_image(value: object) -> bool:
    return isinstance(value, _IMAGE.now())


def _image(value: Any) -> dict[str, Any] | None:  # noqa: ANN401  # an image of Pillow's
    for scale in _SCALES:
        image = value.copy()
        image.thumbnail((int(_WIDTH_PX * scale), int(_WIDTH_PX * scale)))
        if image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA"}:
            image = image.convert("RGB")
        for kind in ("png", "jpeg"):
            file = io.BytesIO()
            (image if kind == "png" else image.convert("RGB")).save(file, format=kind)
            if (found := _picture(f"image/{kind}", file.getvalue())) is not None:
                return found
    return None


def _is_plotly(value: object) -> bool:
    return any(
        str(base.__module__).startswith("plotly.") and base.__name__ == "BaseFigure" for base in type(value).__mro__
    )


def _is_chart(value: object) -> bool:
    """Return whether `value` is a chart of Altair's, whose page needs scripts from the network."""
    return any(
        str(base.__module__).startswith("altair.") and base.__name__ == "TopLevelMixin" for base in type(value).__mro__
    )
