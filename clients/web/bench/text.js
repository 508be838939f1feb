// Everything the latency page and its report say by program, in one table.

/** @param {number} ms */
const rounded = (ms) => `${Math.round(ms)} ms`;

export const TEXT = {
  ms: rounded,
  /** @param {string} scene */
  ownRoom: (scene) => `A room of its own: ${scene === "null" ? "test picture" : scene}`,
  /** @param {string} scene @param {string} id */
  room: (scene, id) => `${scene === "null" ? "test picture" : scene} · ${id.slice(0, 6)}`,
  ready: "Nothing is measured yet.",
  /** @type {Record<string, string>} */
  steps: { connect: "Connecting", settle: "Waiting until the connection has settled" },
  /** @param {number} done @param {number} of @param {number | null} last */
  speaking: (done, of, last) => `${done} of ${of} bursts; the last took ${last === null ? "too long, or was not seen" : rounded(last)}`,
  done: "Done.",
  stopped: "Stopped: these are the bursts until then.",
  failed: "Nothing was measured.",
  nothing: "No burst came back: is the mouth in the box, and does the seat follow your voice?",
  nobody: "The server has no room and no scene to open one with.",
  title: "From a voice to the lips",
  /** @type {Record<string, string>} */
  figures: {
    mic_to_lips_ms: "Microphone to lips",
    mic_to_ear_ms: "Microphone to ear",
    av_skew_ms: "Lips after sound",
    first_frame_ms: "First picture",
    frame_interval_ms: "Between two pictures",
  },
  /** @type {Record<string, string>} */
  parts: {
    capture: "Filling a packet of sound",
    network: "Network, there and back",
    server_jitter_buffer: "Server’s jitter buffer",
    wait_for_chunk: "Chunk fills",
    look_ahead: "Look-ahead",
    look_ahead_and_waiting: "Look-ahead and waiting",
    audio_encoder: "Audio encoder",
    dit: "DiT",
    cache_pass: "Cache pass",
    vae_decoder: "VAE decoder",
    paste_and_queue: "Pasting and queueing",
    held_until_due: "Held until due",
    encode: "Video encoder",
    browser_jitter_buffer: "Browser’s jitter buffer",
    browser_decode: "Browser’s decoder",
    browser_display: "Until it is on the screen",
    lips_against_sound: "Lips against their sound",
    server_and_unexplained: "Server, and unexplained",
    unexplained: "Unexplained",
  },
  whole: "Whole (p50)",
  plotBursts: "Every burst: milliseconds from the microphone",
  plotParts: "Where the time goes: medians, one after the other",
  lips: "lips",
  ear: "ear",
  measured: "Measured",
  setting: "Setting",
  value: "Value",
  /** @param {number} count @param {number} ms */
  freezes: (count, ms) => (count ? `${count}, ${rounded(ms)} together` : "none"),
  /** @param {number} seen @param {number} heard @param {number} sent */
  told: (seen, heard, sent) => `${seen} seen and ${heard} heard of ${sent} bursts`,
  note: "From the moment a sound is handed to the connection until the picture is due on the screen and the sound at the " +
    "loudspeaker. The 10 to 30 ms from the air into the browser are not in it.",
  /** @type {Record<string, string>} */
  about: {
    freezes: "Freezes", told: "Bursts", clock_error_ms: "Moments of sending are known to ±ms", output_ms: "Of it the browser’s sound output, ms",
  },
};
