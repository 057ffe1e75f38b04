"""The built-in variants: each file is one paper."""
