"""Doors for code that was written for something else: celluloid, matplotlib's writers, Keras, Lightning."""
