// Watches a mouth in a video: one small picture of it for every frame that is shown, and when that is seen.

/** @typedef {import("./arithmetic.js").Shares} Shares */
/** @typedef {{at: number, pixels: Uint8ClampedArray, legMs: number | null, decodeMs: number | null}} Frame
 * `legMs`: from its last packet's arrival until it is seen */

const WIDTH = 24, HEIGHT = 16;

export class Mouth {
  /** @param {HTMLVideoElement} video @param {Shares} box */
  constructor(video, box) {
    this.#video = video;
    this.#box = box;
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    this.#pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    this.#watch();
  }

  /** @type {Frame[]} */
  frames = [];
  #video;
  #box;
  #pen;
  #isClosed = false;

  close() {
    this.#isClosed = true;
  }

  #watch() {
    this.#video.requestVideoFrameCallback((_, about) => {
      if (this.#isClosed) return;
      this.#watch();
      const { expectedDisplayTime: at, receiveTime, processingDuration } = about;
      const legMs = receiveTime === undefined ? null : at - receiveTime;
      const decodeMs = processingDuration === undefined ? null : processingDuration * 1000;
      this.frames.push({ at, pixels: this.#look(), legMs, decodeMs });
    });
  }

  #look() {
    const { videoWidth, videoHeight } = this.#video, [left, top, right, bottom] = this.#box;
    const width = Math.max(1, (right - left) * videoWidth), height = Math.max(1, (bottom - top) * videoHeight);
    this.#pen.drawImage(this.#video, left * videoWidth, top * videoHeight, width, height, 0, 0, WIDTH, HEIGHT);
    return this.#pen.getImageData(0, 0, WIDTH, HEIGHT).data;
  }
}
