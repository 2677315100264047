"""Whose word is it, how mixed is a comment, one surface for two scripts."""
