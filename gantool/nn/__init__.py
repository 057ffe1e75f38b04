"""What variants are built of."""
