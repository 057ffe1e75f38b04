"""GANs held steady by their weights' norms."""
