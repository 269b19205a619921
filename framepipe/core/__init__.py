"""Leaves: files, PNG and images, other programs, progress and stop. They know nothing of frames or movies."""
