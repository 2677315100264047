"""Estimators over raw strings."""
