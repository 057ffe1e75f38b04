"""Formulas, and who looks at the pictures."""
