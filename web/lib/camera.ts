/** The camera: opened once a start, kept over reconnects, closed on stop. */

const CONSTRAINTS: MediaStreamConstraints = {
  audio: false,
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
};

export interface Camera {
  stream: MediaStream;
  track: MediaStreamTrack;
  /** The camera's own name, for the source. */
  name: string;
}

/** Ask for the camera. Rejects with the browser's DOMException. */
export async function openCamera(): Promise<Camera> {
  const stream = await navigator.mediaDevices.getUserMedia(CONSTRAINTS);
  const track = stream.getVideoTracks()[0];
  if (!track) throw new DOMException("no video track", "NotFoundError");
  return { stream, track, name: track.label || "Camera" };
}

export function closeCamera(camera: Camera | null): void {
  for (const track of camera?.stream.getTracks() ?? []) track.stop();
}

/** True when asking will not show a prompt, so that negotiation need not wait for a person. */
export async function cameraIsGranted(): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: "camera" as PermissionName })).state === "granted";
  } catch {
    return false;
  }
}
