"""Does it work, how well, and is it going wrong? Judges, formulas, `eval`, and the monitor of a training."""
