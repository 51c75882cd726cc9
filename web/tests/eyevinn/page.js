// A page that publishes and plays with packages that others wrote; tests/e2e/test_eyevinn.py drives it in Chromium.
import { WebRTCPlayer } from "@eyevinn/webrtc-player";
import { WHIPClient } from "@eyevinn/whip-web-client";

const video = document.querySelector("video");
let client = null;
let player = null;

window.publish = async (endpoint, authkey) => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
  client = new WHIPClient({ endpoint, opts: { authkey, iceServers: [] } });
  await client.setIceServersFromEndpoint();
  await client.ingest(stream);
  return client.getResourceUrl();
};

window.unpublish = () => client.destroy();

window.play = async (url, authkey) => {
  player = new WebRTCPlayer({ video, type: "whep", iceServers: [] });
  await player.load(new URL(url), `Bearer ${authkey}`);
};

window.stopPlaying = () => player.unload();

window.playing = () => {
  const tracks = video.srcObject ? video.srcObject.getTracks().map((track) => track.kind) : [];
  return { at: video.currentTime, width: video.videoWidth, height: video.videoHeight, tracks: tracks.sort() };
};
