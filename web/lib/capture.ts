/** What this browser captures: a camera or a screen, opened once a start, kept over reconnects, closed on stop. */

import type { Choice } from "./choice";

const CAMERA: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const SCREEN: MediaTrackConstraints = { width: { max: 1920 }, height: { max: 1080 }, frameRate: { ideal: 30, max: 30 } };

export interface Capture {
  stream: MediaStream;
  track: MediaStreamTrack;
  /** The camera's own name; a screen has none that a person would know. */
  name: string;
}

/** Ask for what is to be captured. Rejects with the browser's DOMException; call it from a click, before any await. */
export function openCapture(choice: Choice): Promise<Capture> {
  return choice.kind === "screen" ? openScreen() : openCamera(choice.kind === "camera" ? choice.deviceId : null);
}

/** @param deviceId the camera that was picked; null, or one that is gone, takes the browser's choice */
async function openCamera(deviceId: string | null): Promise<Capture> {
  const ask = (video: MediaTrackConstraints) => navigator.mediaDevices.getUserMedia({ audio: false, video });
  if (deviceId === null) return capture(await ask(CAMERA), "Camera");
  try {
    // Chromium 156 passes over an `ideal` id where another camera fits the size better.
    return capture(await ask({ ...CAMERA, deviceId: { exact: deviceId } }), "Camera");
  } catch (error) {
    if (!(error instanceof Error && error.name === "OverconstrainedError")) throw error;
    return capture(await ask(CAMERA), "Camera");
  }
}

async function openScreen(): Promise<Capture> {
  const screen = capture(await navigator.mediaDevices.getDisplayMedia({ audio: false, video: SCREEN }), "");
  return { ...screen, name: "Screen" };
}

function capture(stream: MediaStream, unnamed: string): Capture {
  const track = stream.getVideoTracks()[0];
  if (!track) throw new DOMException("no video track", "NotFoundError");
  return { stream, track, name: track.label || unnamed };
}

export function closeCapture(open: Capture | null): void {
  for (const track of open?.stream.getTracks() ?? []) track.stop();
}

/** True when asking will not show a prompt, so that negotiation need not wait for a person. */
export async function cameraIsGranted(): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: "camera" as PermissionName })).state === "granted";
  } catch {
    return false;
  }
}
