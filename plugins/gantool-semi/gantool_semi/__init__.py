"""GANs that learn classes from a few labels."""
