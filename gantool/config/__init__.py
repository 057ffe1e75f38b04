"""Settings, and the packages that bring them: no torch, no command line."""
