"""What people do: dialogues, mouths, expressions, gaze and heads, as curves over time."""
