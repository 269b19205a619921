"""What can draw a frame. The only rooms, with ``live``, that know matplotlib."""
