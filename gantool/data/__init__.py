"""What one trains on: named data sets, folders of images, and the order they are seen in."""
