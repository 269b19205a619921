"""Helpers that several floors of the tests share."""
