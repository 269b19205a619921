"""MP4, WebM, Matroska and QuickTime: codecs, recipe, checks."""
