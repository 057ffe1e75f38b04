"""What a training leaves on the disk: the run folder, and files that are whole or refused."""
