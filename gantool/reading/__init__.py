"""A variant's code, to be read: beside its paper, beside another's, and as one file without gantool."""
