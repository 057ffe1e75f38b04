"""GANs that differ in their game alone: the same networks, other losses."""
