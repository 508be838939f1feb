"""What faces and heads do besides speaking: learned from dialogues that nobody has to draw."""
