"""GIF89a: its blocks, its recipe by ffmpeg or ImageMagick, its checks."""
