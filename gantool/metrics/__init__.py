"""Formulas, and who looks at the images."""
