"""GANs whose D is an autoencoder."""
