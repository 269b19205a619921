"""Running a user's script as it is, and finding the film in it."""
