"""The programs that build movies: finding them, running them, not believing them."""
