"""The machine: files, signals, devices, processes, and what is said of all that."""
