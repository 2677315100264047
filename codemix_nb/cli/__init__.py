"""Arguments in, one line out."""
