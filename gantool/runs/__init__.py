"""What a training leaves on the disk: the run folder, and files whole or refused. Called, it lists the runs."""

from gantool.runtime.callable import make_callable

make_callable(__name__)
