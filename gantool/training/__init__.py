"""The loop, what listens to it, and what may go wrong in it."""
