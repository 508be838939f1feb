// Arithmetic of the bench: no page, no clock. Tested in Node.

/** @typedef {{p50: number, p95: number, p99: number}} Spread */

/** Give a quantile, between the values that are nearest. @param {number[]} values @param {number} share 0 to 1 */
export function quantile(values, share) {
  const ranked = [...values].sort((a, b) => a - b);
  if (!ranked.length) return NaN;
  const place = share * (ranked.length - 1), low = Math.floor(place);
  const next = ranked[Math.min(low + 1, ranked.length - 1)];
  return ranked[low] + (next - ranked[low]) * (place - low);
}

/** @param {number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/** @param {number[]} values @returns {Spread | null} null where nothing was measured */
export function spread(values) {
  if (!values.length) return null;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => Math.round(quantile(values, share) * 10) / 10);
  return { p50, p95, p99 };
}

/** Give the lag at which `late` follows `early` best, and how well, -1 to 1. Index 0 of both is the same moment.
 * @param {ArrayLike<number>} early the pattern @param {ArrayLike<number>} late longer by the most lag
 * @param {number} least @param {number} most */
export function bestLag(early, late, least, most) {
  const n = early.length;
  let sum = 0, squares = 0;
  for (let i = 0; i < n; i += 1) { sum += early[i]; squares += early[i] * early[i]; }
  const spreadEarly = squares - (sum * sum) / n;
  let best = { lag: -1, agreement: -1 };
  for (let lag = least; lag <= most && lag + n <= late.length; lag += 1) {
    let sumLate = 0, squaresLate = 0, both = 0;
    for (let i = 0; i < n; i += 1) {
      const value = late[lag + i];
      sumLate += value; squaresLate += value * value; both += value * early[i];
    }
    const spreadLate = squaresLate - (sumLate * sumLate) / n;
    if (spreadLate <= 1e-12 || spreadEarly <= 1e-12) continue;
    const agreement = (both - (sum * sumLate) / n) / Math.sqrt(spreadEarly * spreadLate);
    if (agreement > best.agreement) best = { lag, agreement };
  }
  return best;
}

/** @typedef {{at: number, pixels: Uint8ClampedArray | number[]}} Look one picture's mouth, and when it is seen, in ms */

const LEAST_RISE = 2; // levels of 255, of the mean pixel
const CLEAR = 5; // times the noise at rest, that the change must reach
const SHARE = 0.25; // of the change, at which the mouth counts as moving
const LEAST_REST = 4; // pictures

/** @typedef {{at: number | null, index: number, rise: number, noise: number}} Moved `at` null: it cannot be told; `rise` and
 * `noise` in levels of 255, how much the mouth changed, and how much it does at rest */

/** Find when a mouth leaves its rest; null without pictures to compare.
 * @param {Look[]} looks in order @param {number} spokenAt @param {{restMs: number, soonestMs: number, latestMs: number}} when
 * @returns {Moved | null} */
export function mouthMoves(looks, spokenAt, { restMs, soonestMs, latestMs }) {
  const rest = looks.filter(({ at }) => at >= spokenAt - restMs && at < spokenAt + soonestMs);
  const after = looks.filter(({ at }) => at >= spokenAt + soonestMs && at < spokenAt + latestMs);
  if (rest.length < LEAST_REST || !after.length) return null;
  const mean = meanOf(rest);
  const noise = rest.map(({ pixels }) => distance(pixels, mean));
  const floor = median(noise), wobble = Math.max(0.2, quantile(noise, 0.95) - floor);
  const scores = after.map(({ pixels }) => distance(pixels, mean));
  const rise = Math.max(...scores) - floor;
  const bound = floor + Math.max(2 * wobble, SHARE * rise);
  const first = scores.findIndex((score, i) => score > bound && (scores[i + 1] ?? score) > bound);
  const isClear = first >= 0 && rise >= Math.max(LEAST_RISE, CLEAR * wobble);
  return { at: isClear ? after[first].at : null, index: looks.indexOf(after[first]), rise, noise: wobble };
}

/** @param {Look[]} looks */
function meanOf(looks) {
  const mean = new Float32Array(looks[0].pixels.length);
  for (const { pixels } of looks) for (let i = 0; i < mean.length; i += 1) mean[i] += pixels[i] / looks.length;
  return mean;
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function distance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/** Count how evenly pictures were shown. A freeze is a gap above 3 usual ones and above a usual one and 150 ms, as
 * WebRTC's statistics have it. @param {number[]} times in ms */
export function evenness(times) {
  const intervals = times.slice(1).map((at, i) => at - times[i]).filter((each) => each > 0);
  const usual = intervals.reduce((sum, each) => sum + each, 0) / Math.max(1, intervals.length);
  const frozen = intervals.filter((each) => each > Math.max(3 * usual, usual + 150));
  return {
    frame_interval_ms: spread(intervals),
    freezes: { count: frozen.length, total_ms: Math.round(frozen.reduce((sum, each) => sum + each, 0)) },
  };
}

/** @typedef {[number, number, number, number]} Shares left, top, right, bottom as shares of the picture */

/** Give the part of a face in which the mouth is: its lower half, and a little below for the chin.
 * @param {import("../meeting/protocol.js").Scene} scene @param {number} seat @param {{width: number, height: number}} video
 * @returns {Shares | null} */
export function mouthOf(scene, seat, video) {
  const box = scene.boxes[seat];
  if (!box) return null;
  // A picture of another shape is shown whole, in the middle.
  const scale = Math.min(video.width / scene.picture_width, video.height / scene.picture_height);
  const edgeX = (video.width - scene.picture_width * scale) / 2, edgeY = (video.height - scene.picture_height * scale) / 2;
  const [left, top, right, bottom] = box, width = right - left, height = bottom - top;
  const x = (/** @type {number} */ at) => Math.min(1, Math.max(0, (edgeX + at * scale) / video.width));
  const y = (/** @type {number} */ at) => Math.min(1, Math.max(0, (edgeY + at * scale) / video.height));
  return [x(left + 0.15 * width), y(top + 0.5 * height), x(right - 0.15 * width), y(bottom + 0.05 * height)];
}

/** @typedef {Map<string, number>} Readings by name and labels */

/** Read Prometheus' text format. @param {string} text @returns {Readings} */
export function readMetrics(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    const space = line.lastIndexOf(" ");
    if (space > 0 && !line.startsWith("#")) found.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return found;
}
