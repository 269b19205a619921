"""From a store to a verified movie, and letting its frames go."""
