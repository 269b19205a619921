"""Scenes: they draw frames. Apart from ``integrations``, only this package uses matplotlib."""
