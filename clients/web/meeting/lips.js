// Estimates mic-to-lips: how much later one's own person moves than one's own microphone sounds.
//
// The loudness of the microphone and the change of the picture in one's own part of it are two curves; the lag at
// which they agree best is the estimate. It lacks the time from the sound in the air to the browser, some 10-30 ms.

const STEP_MS = 20;
const WINDOW_STEPS = 400; // 8 s
const MOST_LAG_STEPS = 100; // 2 s
const LEAST_AGREEMENT = 0.45; // correlation, below which nothing is told
const WIDTH = 64, HEIGHT = 36;
const SLOW = 0.02; // share of a new frame in the picture that motion is measured against

/** Give the lag in steps at which `late` follows `early` best, and how well.
 * @param {Float32Array} early @param {Float32Array} late @param {number} mostLag */
export function bestLag(early, late, mostLag) {
  let best = { lag: 0, agreement: -1 };
  const count = early.length - mostLag;
  for (let lag = 0; lag <= mostLag; lag += 1) {
    const agreement = correlation(early.subarray(mostLag - lag, mostLag - lag + count), late.subarray(mostLag));
    if (agreement > best.agreement) best = { lag, agreement };
  }
  return best;
}

/** @param {Float32Array} a @param {Float32Array} b */
function correlation(a, b) {
  const n = a.length;
  let sumA = 0, sumB = 0;
  for (let i = 0; i < n; i += 1) { sumA += a[i]; sumB += b[i]; }
  const meanA = sumA / n, meanB = sumB / n;
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < n; i += 1) {
    const x = a[i] - meanA, y = b[i] - meanB;
    ab += x * y; aa += x * x; bb += y * y;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : -1;
}

export class LipWatch {
  /** @param {HTMLVideoElement} video @param {() => number} loudness @param {number} seat @param {number} seats */
  constructor(video, loudness, seat, seats) {
    this.#video = video;
    this.#loudness = loudness;
    this.#part = { left: seat / seats, width: 1 / seats };
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    this.#canvas = canvas.getContext("2d", { willReadFrequently: true });
    this.#timer = setInterval(() => this.#step(), STEP_MS);
    this.#watchFrames();
  }

  #video;
  #loudness;
  #part;
  #canvas;
  #timer;
  #slow = new Float32Array(WIDTH * HEIGHT);
  #motion = 0;
  #heard = new Float32Array(WINDOW_STEPS);
  #seen = new Float32Array(WINDOW_STEPS);
  #steps = 0;
  #isClosed = false;

  /** Give milliseconds, or null while the two curves do not agree. */
  estimate() {
    if (this.#steps < WINDOW_STEPS / 2) return null;
    const { lag, agreement } = bestLag(this.#heard, this.#seen, MOST_LAG_STEPS);
    return agreement >= LEAST_AGREEMENT ? lag * STEP_MS : null;
  }

  close() {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #step() {
    this.#heard.copyWithin(0, 1);
    this.#seen.copyWithin(0, 1);
    this.#heard[WINDOW_STEPS - 1] = this.#loudness();
    this.#seen[WINDOW_STEPS - 1] = this.#motion;
    this.#steps += 1;
  }

  #watchFrames() {
    this.#video.requestVideoFrameCallback(() => {
      if (this.#isClosed) return;
      this.#look();
      this.#watchFrames();
    });
  }

  #look() {
    const { videoWidth, videoHeight } = this.#video;
    const canvas = this.#canvas;
    if (!canvas || !videoWidth) return;
    const left = this.#part.left * videoWidth, width = this.#part.width * videoWidth;
    canvas.drawImage(this.#video, left, 0, width, videoHeight, 0, 0, WIDTH, HEIGHT);
    const { data } = canvas.getImageData(0, 0, WIDTH, HEIGHT);
    let change = 0;
    for (let i = 0; i < this.#slow.length; i += 1) {
      const green = data[4 * i + 1];
      change += Math.abs(green - this.#slow[i]);
      this.#slow[i] += (green - this.#slow[i]) * SLOW;
    }
    this.#motion = change / this.#slow.length;
  }
}
