"""The validated study, its run and its manifest, other people's results."""
