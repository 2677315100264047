"""The methods of the literature, one module each."""
