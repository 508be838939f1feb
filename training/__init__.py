"""Makes weights: synthetic people, training stages, distillation, and the metrics that judge them.

May import `models`, never `engines`, `streamer` or `clients`. So far there is `studio`, which makes
synthetic people who talk, and `metrics`, which judges any video of talking people.
"""
