"""The folder of frames: commit, scan, adopt, finished segments, a contact sheet."""
