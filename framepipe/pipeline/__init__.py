"""From a scene to its movies, where the two wings meet: frames are drawn, movies built, frames deleted."""
