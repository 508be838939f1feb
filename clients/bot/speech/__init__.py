"""Makes speech from text, for bots: espeak-ng, Piper, Kokoro, or an endpoint."""
