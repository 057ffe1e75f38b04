"""Style transfer: one image in another's brush strokes."""
