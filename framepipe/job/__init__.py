"""What decides a frame's pixels: its number and value, the code and data behind them, their fingerprint."""
