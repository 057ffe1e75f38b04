"""What a person sees while gantool works: on a terminal, in a pipe, in a notebook."""
