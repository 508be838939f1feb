"""Who people are: traits from a seed, their meshes and textures, and how they are posed."""
