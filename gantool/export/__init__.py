"""A trained generator for others: a page that draws, an ONNX file, a program of plain torch. Called, it writes one."""

from gantool.runtime.callable import make_callable

make_callable(__name__)
