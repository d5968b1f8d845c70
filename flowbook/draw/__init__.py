"""What a graph looks like: layout, colours, glyphs and the one SVG writer."""
