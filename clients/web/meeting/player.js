// The video element: plays with sound where the browser lets it, and notices when frames stop coming.

const STALLED_MS = 3000;
const LOOK_MS = 250;

export class Player {
  /** @param {HTMLVideoElement} video
   * @param {{onFlow: (isFlowing: boolean) => void, onSilenced: (isSilenced: boolean) => void}} told */
  constructor(video, told) {
    this.video = video;
    this.isSilenced = false; // by the browser, until the user touches the page
    this.#told = told;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#count();
  }

  #told;
  #timer;
  /** Frames shown since the last stop. */
  frames = 0;
  #lastFrameAt = 0;
  #isFlowing = false;
  #isClosed = false;

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
    this.frames = 0;
  }

  close() {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.stop();
  }

  /** @param {boolean} isSilenced */
  #silence(isSilenced) {
    this.isSilenced = isSilenced;
    this.#told.onSilenced(isSilenced);
  }

  /** Count frames one by one: Firefox's getVideoPlaybackQuality counts none of a live stream. */
  #count() {
    this.video.requestVideoFrameCallback(() => {
      if (this.#isClosed) return;
      this.frames += 1;
      this.#lastFrameAt = performance.now();
      this.#count();
    });
  }

  #look() {
    // No frame is shown while the page is hidden, which is no fault of the stream.
    const isFlowing = this.frames > 0 && (document.hidden || performance.now() - this.#lastFrameAt < STALLED_MS);
    if (isFlowing === this.#isFlowing) return;
    this.#isFlowing = isFlowing;
    this.#told.onFlow(isFlowing);
  }
}
