"""The programs that build movies: find them, run them, check what they did."""
