"""GANs with an encoder: images to codes, and back."""
