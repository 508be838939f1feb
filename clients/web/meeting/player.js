// The video element: plays with sound where the browser lets it, and notices when frames stop coming.

const STALLED_MS = 3000;

export class Player {
  /** @param {HTMLVideoElement} video
   * @param {{onFlow: (isFlowing: boolean) => void, onSilenced: (isSilenced: boolean) => void}} told */
  constructor(video, told) {
    this.video = video;
    this.isSilenced = false; // by the browser, until the user touches the page
    this.#told = told;
    this.#timer = setInterval(() => this.#look(), 500);
  }

  #told;
  #timer;
  #frames = 0;
  #lastFrameAt = 0;
  #isFlowing = false;

  /** Play a stream from its first frame on. @param {MediaStream} stream */
  async play(stream) {
    this.video.srcObject = stream;
    try {
      await this.video.play();
      this.#silence(false);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return; // replaced by another
      this.video.muted = true;
      this.#silence(true);
      await this.video.play().catch(() => {}); // a later stream plays instead
    }
  }

  /** @param {boolean} isOn */
  sound(isOn) {
    this.video.muted = !isOn;
    if (isOn) this.#silence(false);
  }

  /** Show nothing, as after the end. */
  stop() {
    this.video.srcObject = null;
    this.#frames = 0;
  }

  close() {
    clearInterval(this.#timer);
    this.stop();
  }

  /** @param {boolean} isSilenced */
  #silence(isSilenced) {
    this.isSilenced = isSilenced;
    this.#told.onSilenced(isSilenced);
  }

  #look() {
    const frames = this.video.getVideoPlaybackQuality().totalVideoFrames;
    const now = performance.now();
    if (frames !== this.#frames && frames > 0) this.#lastFrameAt = now;
    this.#frames = frames;
    const isFlowing = frames > 0 && now - this.#lastFrameAt < STALLED_MS;
    if (isFlowing === this.#isFlowing) return;
    this.#isFlowing = isFlowing;
    this.#told.onFlow(isFlowing);
  }
}
