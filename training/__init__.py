"""Makes weights: synthetic people, training stages, distillation, and the metrics that judge them.

May import `models`, never `engines`, `streamer` or `clients`. So far: `studio` makes synthetic people, `metrics` judges.
"""
