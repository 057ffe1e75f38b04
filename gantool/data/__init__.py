"""What one trains on: named data sets, folders of pictures, and the order they are seen in."""
