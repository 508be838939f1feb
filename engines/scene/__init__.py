"""From any picture to a scene: people found, put in order, and placed at a size of the bundle."""
