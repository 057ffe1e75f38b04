"""The built-in variants: each file is one paper. Called, it lists those that are installed."""

from gantool.runtime.callable import make_callable

make_callable(__name__)
