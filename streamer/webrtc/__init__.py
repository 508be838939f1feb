"""WebRTC peers on aiortc: offers checked and answered, voices taken in, one encode sent to many."""
