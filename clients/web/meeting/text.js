// Everything the page says by program, in one table. Sentences say what is so and what to do.

/** @typedef {{title: string, text: string, act?: string}} Said */

/** @param {number} count @param {string} one @param {string} many */
const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;

export const TEXT = {
  /** @type {Record<string, string>} */
  pill: {
    connecting: "Connecting",
    live: "Live",
    idle: "Nobody speaks yet",
    full: "Full",
    lost: "Connection lost",
    ended: "Ended",
    refused: "No entry",
  },
  connecting: { title: "Connecting", text: "The picture comes in a moment." },
  waiting: { title: "Waiting for the picture", text: "The connection stands; the first frame is being made." },
  stalled: { title: "The picture stands still", text: "The server or the network is slow. It goes on by itself." },
  /** @param {number} seconds @param {string} code @returns {Said} */
  full: (seconds, code) => ({
    title: TEXT.busy[code] ?? "This room is full",
    text: seconds > 0 ? `It is tried again by itself, in ${seconds} s.` : "Trying again now.",
    act: "Try now",
  }),
  /** @type {Record<string, string>} */
  busy: {
    draining: "The server shuts down",
    not_live: "This room is closing",
    too_many_requests: "Too many tries at once",
    too_many_sessions: "You are in too many rooms at once",
  },
  /** @param {number} seconds @returns {Said} */
  lost: (seconds) => ({
    title: "The connection is lost",
    text: seconds > 0 ? `It is tried again by itself, in ${seconds} s.` : "Trying again now.",
    act: "Try now",
  }),
  /** @param {string} reason @returns {Said} */
  ended: (reason) => ({ title: "This room has ended", text: TEXT.reasons[reason] ?? "It is over.", act: "See the rooms" }),
  /** @param {string} why @returns {Said} */
  refused: (why) => ({ title: "You cannot come in", text: `${why}. Ask for a new link.`, act: "Use another token" }),
  /** @type {Record<string, string>} */
  reasons: {
    idle: "Nobody was there for a while.",
    length: "Its time was over.",
    draining: "The server shuts down.",
    deleted: "Somebody closed it.",
    gone: "There is no such room any more.",
  },
  /** @type {Record<string, string>} */
  microphone: {
    denied: "The microphone is not allowed. Allow it for this page, left of the address, then press “Speak” again. Or let a file speak.",
    missing: "There is no microphone. Plug one in and press “Speak” again, or let a file speak.",
    busy: "Another program holds the microphone. Close it and press “Speak” again.",
    insecure: "Browsers give the microphone to https pages and to localhost only. Open this page by https.",
    unplugged: "The microphone was unplugged. Choose another one.",
  },
  speakAs: "Speak",
  /** @param {string} name */
  speakAsLong: (name) => `Speak as ${name} with your microphone`,
  sayFile: "Say a file",
  /** @param {string} name */
  sayFileLong: (name) => `Say a file as ${name}`,
  interrupt: "Interrupt",
  /** @param {string} name */
  interruptLong: (name) => `Interrupt ${name}`,
  stopFile: "Stop",
  /** @param {string} name */
  stopFileLong: (name) => `Stop the file of ${name}`,
  /** @param {number} percent */
  fileSaid: (percent) => `says your file, ${percent} %`,
  reading: "reads your file",
  noSound: "This file has no sound that the browser can read. Try WAV, MP3 or OGG.",
  closedSocket: "The server closed the connection before the file was said.",
  seat: {
    you: "you",
    free: "free",
    live: "in the meeting",
    bot: "a program",
    away: "lost the connection",
    speaking: "speaks now",
  },
  /** The scene of a server that draws bars. @param {string} name */
  sceneName: (name) => (name === "null" ? "Test picture" : name),
  mute: "Mute",
  unmute: "Unmute",
  /** @param {number} number */
  deviceName: (number) => `Microphone ${number}`,
  hold: "Hold to talk",
  talking: "You are heard",
  soundOff: "Sound off",
  soundOn: "Sound on",
  exitFull: "Leave full screen",
  full_screen: "Full screen",
  stopRecording: "Stop",
  record: "Record",
  cannotFill: "This browser shows no part of a page in full screen.",
  nothingRecorded: "Nothing was recorded: no picture came meanwhile.",
  cannotRecord: "This browser cannot record.",
  promptPlaceholder: "they talk calmly",
  suggestions: ["they talk calmly", "they laugh together", "they listen closely", "they look surprised"],
  /** @param {string} reason @param {number} seconds */
  warning: (reason, seconds) =>
    reason === "idle"
      ? `Nobody has spoken for a while: the room ends in ${seconds} s. Speak, and it stays open.`
      : `The room ends in ${seconds} s: its time is over.`,
  /** @param {number} viewers */
  watching: (viewers) => (viewers ? counted(viewers, "person watches", "people watch") : "nobody watches"),
  /** @param {number} free */
  freeSeats: (free) => (free ? counted(free, "free seat", "free seats") : "no free seat"),
  /** @param {number} people */
  people: (people) => counted(people, "person", "people"),
  enter: "Enter",
  openRoom: "Open",
  correct: "Correct the faces",
  forget: "Forget",
  notReady: "not ready",
  door: {
    token: { title: "A token, please", text: "This server asks for one. Paste the token that you were given, or open the link that came with it." },
    room: { title: "Which room?", text: "Your token is for a single room. Open the link that you were given, or type the room." },
    offline: { title: "The server does not answer", text: "The page tries again by itself." },
  },
  consentNeeded: "Say first who agreed that these faces are used.",
  wrongPicture: "JPEG, PNG and WebP pictures are taken.",
  /** @param {number} count */
  facesFound: (count) =>
    count === 0
      ? "No face was found. Add a box for each face, and drag it over the face from hair to chin."
      : `${counted(count, "face was", "faces were")} found. Move and resize the boxes to go from hair to chin, remove what is no face, and name the people.`,
  /** @param {number} number */
  person: (number) => `Person ${number}`,
  nameOf: (/** @type {number} */ number) => `Name of person ${number}`,
  removeOf: (/** @type {string} */ name) => `Remove ${name}`,
  /** @param {string} name @param {number[]} box */
  boxLabel: (name, box) =>
    `Face of ${name}: ${box.map(Math.round).join(", ")}. Arrow keys move it, with Shift they resize it, Delete removes it.`,
  opening: "Opening the room",
  share: {
    open: "Whoever reaches this server can use the link.",
    admin: "Your own token may do everything, so it is not shared. Make one with: parley token --role view --room ",
    /** @param {string} role @param {string} until */
    own: (role, until) => `Whoever has the link may ${role} until ${until}. The token stays behind the #, which browsers do not send.`,
    copied: "Copied.",
  },
  figures: {
    fps: "Frames per second",
    size: "Picture",
    bitrate: "Video, sound",
    jitter: "Jitter",
    buffer: "Jitter buffer",
    rtt: "Round trip",
    lost: "Lost packets",
    lips: "Mic to lips (est.)",
    load: "Server's load",
    dropped: "Frames given up",
  },
  unknown: "–",
};
