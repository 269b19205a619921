"""From a scene to frames in the store, in parallel, in an order that is safe."""
