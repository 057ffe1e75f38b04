"""Images of numbers and of images: grids, films, charts."""
