"""Animated WebP, APNG and AVIF: their parts, recipe, checks."""
