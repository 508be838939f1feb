// What a page does with a Parley server through other people's WHIP and WHEP clients, and what a
// viewer sees and hears of it. Bundled by esbuild; driven by tests/streamer/interop/browser.py.

import { WHIPClient } from "whip-whep/whip.js";
import { WHEPClient } from "whip-whep/whep.js";
import { WHIPClient as EyevinnWHIP } from "@eyevinn/whip-web-client";
import { WebRTCPlayer } from "@eyevinn/webrtc-player";

const LEFT_OUT = 0.25; // of a bar's width on either side: a codec blurs it
const BAR_WIDTH = 0.3;
const BAR_HEIGHT = 0.8; // as the null generator draws it
const MOUTH = 200;
const LOOK_MS = 10;

const began = performance.now();
const lab = { pictures: [], sounds: [], microphone: [], playout: [], ended: [] };
window.lab = lab;
let context = null;
const kept = []; // what must not be collected

function listen(stream, found) {
  context ??= new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  const analyser = new AnalyserNode(context, { fftSize: 512 });
  const source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
  source.connect(analyser);
  const samples = new Float32Array(512);
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, each) => sum + each * each, 0) / samples.length;
    found.push([performance.now() - began, Math.sqrt(power)]);
  }, LOOK_MS);
  kept.push(analyser, source);
}

lab.microphone_stream = async () => {
  const constraints = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
  listen(stream, lab.microphone);
  return stream;
};

lab.publish = async (library, url) => {
  const stream = await lab.microphone_stream();
  const asked = performance.now();
  if (library === "whip-whep") {
    const pc = new RTCPeerConnection();
    pc.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly", streams: [stream] });
    const client = new WHIPClient();
    await client.publish(pc, url);
    lab.stop_publishing = () => client.stop();
    lab.publisher = pc;
  } else {
    const client = new EyevinnWHIP({ endpoint: url, opts: { iceServers: [] } });
    await client.ingest(stream);
    lab.stop_publishing = () => client.destroy();
    lab.publisher = client.peer;
  }
  await connected(lab.publisher);
  return performance.now() - asked;
};

// As a program that captures a screen: pictures beside the voice, in a codec that is not wanted.
lab.publish_with_pictures = async (url, codec) => {
  const stream = await lab.microphone_stream();
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 10, 10);
  const pc = new RTCPeerConnection();
  pc.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly" });
  const pictures = canvas.captureStream(5).getVideoTracks()[0];
  const transceiver = pc.addTransceiver(pictures, { direction: "sendonly" });
  const { codecs } = RTCRtpSender.getCapabilities("video");
  transceiver.setCodecPreferences(codecs.filter((each) => each.mimeType === codec));
  const client = new WHIPClient();
  await client.publish(pc, url);
  lab.stop_publishing = () => client.stop();
  await connected(pc);
  return transceiver.currentDirection ?? "none";
};

lab.watch = async (library, url, people) => {
  const video = document.querySelector("video");
  const asked = performance.now();
  const first = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  if (library === "whip-whep") {
    const pc = new RTCPeerConnection();
    pc.addTransceiver("audio", { direction: "recvonly" });
    pc.addTransceiver("video", { direction: "recvonly" });
    pc.ontrack = (event) => {
      video.srcObject = event.streams[0];
    };
    const client = new WHEPClient();
    await client.view(pc, url);
    lab.stop_watching = () => client.stop();
    lab.viewer = pc;
  } else {
    const player = new WebRTCPlayer({ video, type: "whep", iceServers: [] });
    await player.load(new URL(url));
    lab.stop_watching = () => player.destroy();
    lab.viewer = player.peer;
  }
  video.muted = true; // or it may not play by itself; sound is measured beside it
  await video.play();
  await first;
  const took = performance.now() - asked;
  look(video, people);
  listen(video.srcObject, lab.sounds);
  if (lab.viewer) follow(lab.viewer);
  return took;
};

async function connected(pc) {
  while (pc && pc.connectionState !== "connected") {
    if (pc.connectionState === "failed") throw new Error("the connection failed");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function look(video, people) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  const each = (_, about) => {
    paper.drawImage(video, 0, 0);
    const seats = [];
    for (let seat = 0; seat < people; seat += 1) seats.push(opening(paper, canvas, seat, people));
    // When it is on the screen, by the same clock as everything here.
    lab.pictures.push([about.expectedDisplayTime - began, ...seats]);
    video.requestVideoFrameCallback(each);
  };
  video.requestVideoFrameCallback(each);
}

function opening(paper, { width, height }, seat, people) {
  const panel = width / people;
  const wide = panel * BAR_WIDTH;
  const left = Math.round((seat + 0.5) * panel - wide / 2 + wide * LEFT_OUT);
  const top = Math.round((height * (1 - BAR_HEIGHT)) / 2);
  const columns = Math.max(1, Math.floor(wide * (1 - 2 * LEFT_OUT)));
  const rows = height - 2 * top;
  const { data } = paper.getImageData(left, top, columns, rows);
  let open = 0;
  for (let y = 0; y < rows; y += 1) {
    let gray = 0;
    for (let x = 0; x < columns; x += 1) {
      const at = (y * columns + x) * 4;
      gray += data[at] + data[at + 1] + data[at + 2];
    }
    open += gray / columns / 3 > MOUTH ? 1 : 0;
  }
  return open / rows;
}

// The browser's own word on when sound and pictures of the same moment are played.
function follow(pc) {
  setInterval(async () => {
    const found = {};
    for (const each of (await pc.getStats()).values()) {
      if (each.type === "inbound-rtp") found[each.kind] = each;
    }
    const { audio, video } = found;
    if (audio?.estimatedPlayoutTimestamp && video?.estimatedPlayoutTimestamp) {
      const skew = audio.estimatedPlayoutTimestamp - video.estimatedPlayoutTimestamp;
      const delay = (kind) => (kind.jitterBufferDelay / kind.jitterBufferEmittedCount) * 1000;
      lab.playout.push([performance.now() - began, skew, delay(audio), delay(video)]);
    }
    lab.stats = { audio, video };
  }, 500);
}
