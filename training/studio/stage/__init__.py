"""What the camera sees: scenes, light, backgrounds, and the renderer with its exact labels."""
