import { ApiError } from "./api";

export type FaultAction = "retry" | "start" | "secure" | "reload";

/** A failure in words: what happened, what it means, and the one thing to do about it. */
export interface Fault {
  code: string;
  title: string;
  text: string;
  action: FaultAction;
  actionLabel: string;
}

type Words = Omit<Fault, "code">;

const retry = (title: string, text: string, actionLabel = "Try again"): Words => ({ title, text, action: "retry", actionLabel });

const WORDS: Record<string, Words> = {
  insecure_origin: {
    title: "This address hides the camera",
    text: "Browsers give cameras only to https pages and to localhost. Open Vedette on the machine that runs it, or put an https proxy in front of it.",
    action: "secure",
    actionLabel: "Open on localhost",
  },
  no_webrtc: {
    title: "No WebRTC in this browser",
    text: "Video travels over WebRTC, which this browser lacks or has switched off. Use a current Chrome, Edge, Firefox or Safari.",
    action: "reload",
    actionLabel: "Reload",
  },
  no_camera: retry("No camera found", "Plug one in, or switch on the one in your laptop, then try again."),
  camera_denied: retry(
    "The camera is blocked",
    "Permission was refused. Allow the camera in the site settings beside the address (and in the system's privacy settings), then try again.",
  ),
  camera_busy: retry("The camera is busy", "Another program is using it. Close that program, then try again."),
  camera_failed: retry("The camera did not start", "The browser could not open it."),
  camera_lost: retry("The camera is gone", "It was unplugged, switched off, or taken back by the browser.", "Start again"),
  server_gone: retry(
    "The server does not answer",
    "It may have stopped, or the network between is down. Check the terminal that runs it.",
  ),
  ice_failed: retry(
    "No way through for video",
    "The server answers, but no UDP path to it opens. A firewall or VPN that blocks UDP is the usual cause.",
  ),
  no_frames: retry("No picture came back", "The connection stands, but the server returned no video."),
  overloaded: retry("The server is full", "It has no room for another session just now."),
  model_unavailable: retry("No detector can run", "The server could load none of its models."),
  not_found: retry("The session is over", "The server does not know it any more.", "Start again"),
  conflict: retry("Somebody else is publishing", "This session already has a camera."),
  rate_limited: retry("Too many requests", "Wait a moment, then try again."),
  unauthorized: retry("This server asks for a token", "It is not open to everybody on this address."),
  forbidden: retry("This address is not allowed", "The server refused the page's Host or Origin."),
  db_unavailable: retry("The database does not answer", "Nothing can be stored, so no session can start."),
  storage_full: retry("The disk is full", "Nothing more can be stored. Free some space, then try again."),
};

/** A fault by its code; `detail` is what the server or the browser said, appended to our words. */
export function fault(code: string, detail?: string): Fault {
  const words = WORDS[code] ?? retry("Something went wrong", "");
  const text = [words.text, detail].filter(Boolean).join(" ");
  return { code, ...words, text };
}

/** What to say about anything that was thrown while starting. */
export function faultOf(error: unknown): Fault {
  if (error instanceof ApiError) return fault(error.code, error.code === "server_gone" ? undefined : error.message);
  const name = error instanceof Error ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return fault("camera_denied");
    case "NotFoundError":
    case "OverconstrainedError":
      return fault("no_camera");
    case "NotReadableError":
    case "AbortError":
      return fault("camera_busy");
    default:
      return fault("camera_failed", error instanceof Error ? error.message : String(error));
  }
}

/** Why a start cannot work here at all, before anything is asked of the user; null when it can. */
export function environmentFault(scope: Pick<typeof globalThis, "isSecureContext" | "navigator"> & { RTCPeerConnection?: unknown }): Fault | null {
  if (!scope.RTCPeerConnection) return fault("no_webrtc");
  if (!scope.navigator.mediaDevices) return fault(scope.isSecureContext ? "no_camera" : "insecure_origin");
  return null;
}
