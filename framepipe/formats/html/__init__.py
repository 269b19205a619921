"""A page with a player: its recipe, its pictures, its checks."""
