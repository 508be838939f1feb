// A Node program with a WebRTC stack that is not ours: publishes a tone to a seat and watches the
// room. Writes what it saw as JSON. Arguments: stack (wrtc, werift), WHIP URL, WHEP URL, seconds.

const [stack, whip, whep, seconds] = process.argv.slice(2);
const MOUTH = 200;

async function offer(url, sdp) {
  const headers = { "Content-Type": "application/sdp" };
  const answer = await fetch(url, { method: "POST", headers, body: sdp });
  if (answer.status !== 201) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return { sdp: await answer.text(), session: new URL(answer.headers.get("location"), url) };
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function gathered(pc) {
  while (pc.iceGatheringState !== "complete") await wait(20);
}

async function call(pc, url) {
  await pc.setLocalDescription(await pc.createOffer());
  await gathered(pc);
  const { sdp, session } = await offer(url, pc.localDescription.sdp);
  await pc.setRemoteDescription({ type: "answer", sdp });
  while (pc.connectionState !== "connected") await wait(20);
  return session;
}

// The brightest column of each half of a picture tells whose mouth is open.
function brightShare(data, width, height, seat) {
  const x = Math.round((seat + 0.5) * (width / 2));
  let bright = 0;
  for (let y = 0; y < height; y += 1) bright += data[y * width + x] > MOUTH ? 1 : 0;
  return bright / height;
}

async function withWrtc(seen) {
  const wrtc = (await import("@roamhq/wrtc")).default;
  const { RTCAudioSource, RTCAudioSink, RTCVideoSink } = wrtc.nonstandard;
  const source = new RTCAudioSource();
  const speaker = new wrtc.RTCPeerConnection();
  speaker.addTransceiver(source.createTrack(), { direction: "sendonly" });
  const viewer = new wrtc.RTCPeerConnection();
  viewer.ontrack = ({ track }) => {
    if (track.kind === "video") {
      new RTCVideoSink(track).onframe = ({ frame }) => {
        seen.pictures += 1;
        for (const seat of [0, 1]) {
          const open = brightShare(frame.data, frame.width, frame.height, seat);
          seen.open[seat] = Math.max(seen.open[seat], open);
        }
      };
    } else {
      new RTCAudioSink(track).ondata = ({ samples }) => {
        seen.sounds += 1;
        for (const each of samples) seen.loudest = Math.max(seen.loudest, Math.abs(each));
      };
    }
  };
  for (const kind of ["audio", "video"]) viewer.addTransceiver(kind, { direction: "recvonly" });
  const sessions = [await call(speaker, whip), await call(viewer, whep)];
  let at = 0;
  const speaking = setInterval(() => {
    const samples = new Int16Array(480);
    for (let n = 0; n < 480; n += 1) {
      samples[n] = 12000 * Math.sin((2 * Math.PI * 300 * (at + n)) / 48000);
    }
    at += 480;
    source.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
  }, 10);
  await wait(seconds * 1000);
  clearInterval(speaking);
  return { sessions, pcs: [speaker, viewer] };
}

async function withWerift(seen) {
  const { RTCPeerConnection, RTCRtpCodecParameters } = await import("werift");
  const codecs = {
    audio: [new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48000, channels: 2 })],
    video: [new RTCRtpCodecParameters({ mimeType: "video/VP8", clockRate: 90000 })],
  };
  const viewer = new RTCPeerConnection({ codecs, bundlePolicy: "max-bundle", iceServers: [] });
  for (const kind of ["audio", "video"]) {
    const transceiver = viewer.addTransceiver(kind, { direction: "recvonly" });
    transceiver.onTrack.subscribe((track) => {
      track.onReceiveRtp.subscribe((rtp) => {
        if (kind === "audio") seen.sounds += 1;
        else if (rtp.header.marker) seen.pictures += 1;
      });
    });
  }
  const sessions = [await call(viewer, whep)];
  await wait(seconds * 1000);
  return { sessions, pcs: [viewer] };
}

const seen = { pictures: 0, sounds: 0, loudest: 0, open: [0, 0], ended: [] };
const { sessions, pcs } = await (stack === "wrtc" ? withWrtc : withWerift)(seen);
for (const session of sessions) {
  seen.ended.push((await fetch(session, { method: "DELETE" })).status);
}
for (const pc of pcs) await pc.close();
console.log(JSON.stringify(seen));
process.exit(0);
