"""GAN-CLS: images from captions."""
