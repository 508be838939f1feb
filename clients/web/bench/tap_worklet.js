// Runs in the AudioWorklet: how loud each of two inputs is, a number for every millisecond.
// Input 0 is what leaves for the server, input 1 what comes back; both are counted by one clock.

const BLOCKS_PER_MESSAGE = 20;

class Tap extends AudioWorkletProcessor {
  #block = Math.round(sampleRate / 1000);
  #sums = [0, 0];
  #count = 0;
  #first = -1; // sample of the message that is being filled
  /** @type {number[][]} */
  #levels = [[], []];

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    for (let i = 0; i < 128; i += 1) {
      if (this.#first < 0) this.#first = currentFrame + i;
      for (const side of [0, 1]) {
        const sample = inputs[side]?.[0]?.[i] ?? 0;
        this.#sums[side] += sample * sample;
      }
      this.#count += 1;
      if (this.#count === this.#block) this.#close();
    }
    return true;
  }

  #close() {
    for (const side of [0, 1]) {
      this.#levels[side].push(Math.sqrt(this.#sums[side] / this.#block));
      this.#sums[side] = 0;
    }
    this.#count = 0;
    if (this.#levels[0].length < BLOCKS_PER_MESSAGE) return;
    this.port.postMessage({ first: this.#first, levels: this.#levels.map((each) => Float32Array.from(each)) });
    this.#first = -1;
    this.#levels = [[], []];
  }
}

registerProcessor("parley-tap", Tap);
