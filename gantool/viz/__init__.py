"""Pictures of numbers and of pictures: grids, films, charts."""
