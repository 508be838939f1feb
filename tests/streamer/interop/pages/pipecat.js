// Pipecat's own client on /join: speaks from a seat and watches on one connection.

import { PipecatClient } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport, WavMediaManager } from "@pipecat-ai/small-webrtc-transport";

const seen = { states: [] };
const shown = {};
window.lab = seen;

seen.join = async (url) => {
  const client = new PipecatClient({
    // The other media manager loads a script of another company's from the network.
    transport: new SmallWebRTCTransport({ iceServers: [], mediaManager: new WavMediaManager() }),
    enableMic: true,
    enableCam: false,
    callbacks: {
      onTransportStateChanged: (state) => seen.states.push(state),
      onTrackStarted: (track, participant) => {
        if (!participant?.local) shown[track.kind] = track;
      },
    },
  });
  seen.client = client;
  // It calls a bot ready when the bot says so over a data channel; a room does not.
  client.connect({ webrtcUrl: url }).catch((error) => seen.states.push(`error ${error.message}`));
  const video = document.querySelector("video");
  for (let left = 200; left && !shown.video; left -= 1) {
    await new Promise((done) => setTimeout(done, 50));
  }
  video.srcObject = new MediaStream([shown.video]);
  await video.play();
  await new Promise((done) => video.requestVideoFrameCallback(done));
  return [video.videoWidth, video.videoHeight];
};

seen.leave = () => seen.client.disconnect();
