"""R3GAN: a GAN without tricks, and data whose modes can be counted."""
