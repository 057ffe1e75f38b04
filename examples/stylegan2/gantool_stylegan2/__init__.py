"""StyleGAN2, small: an example of a variant outside gantool."""
