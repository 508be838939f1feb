"""What is heard: voices with the times of their sounds, sentences, songs, noises, augmentation."""
