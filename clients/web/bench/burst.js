// The sound that is measured with: two syllables like "ah-aah", which begin and end sharply.
//
// A voice rather than a click or a tone, because codecs, voice activity detection and avatars are made for voices. Two
// syllables of different length, so that one of them cannot be taken for the other.

const PITCH_HZ = 140;
const FORMANTS = [[730, 90, 1], [1090, 110, 0.6], [2440, 160, 0.3]]; // Hz, width, strength: "ah"
const SYLLABLES_S = [[0, 0.2], [0.28, 0.62]];
const ATTACK_S = 0.004;
const PEAK = 0.5;
export const BURST_S = 0.62;

/** How strong the harmonic at a frequency is. @param {number} hz */
function strength(hz) {
  return FORMANTS.reduce((sum, [center, width, peak]) => sum + peak / (1 + ((hz - center) / width) ** 2), 0.02);
}

/** How loud the burst is at a moment, 0 to 1. @param {number} second */
function loudness(second) {
  for (const [start, stop] of SYLLABLES_S) {
    if (second < start || second >= stop) continue;
    return Math.min(1, (second - start) / ATTACK_S, (stop - second) / ATTACK_S);
  }
  return 0;
}

/** Make the samples of one burst. @param {number} rate @returns {Float32Array<ArrayBuffer>} */
export function makeBurst(rate) {
  const samples = new Float32Array(Math.round(BURST_S * rate));
  for (let harmonic = 1; harmonic * PITCH_HZ < Math.min(4000, rate / 2); harmonic += 1) {
    const hz = harmonic * PITCH_HZ, amount = strength(hz);
    for (let i = 0; i < samples.length; i += 1) {
      samples[i] += amount * Math.cos((2 * Math.PI * hz * i) / rate + harmonic * harmonic);
    }
  }
  const most = samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  for (let i = 0; i < samples.length; i += 1) samples[i] *= (PEAK / most) * loudness(i / rate);
  return samples;
}
