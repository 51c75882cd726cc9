import { ApiError } from "./apierror";
import type { Choice } from "./choice";

export type FaultAction = "retry" | "secure" | "reload";

/** A failure in words: what happened, what it means, and the one thing to do about it. */
export interface Fault {
  code: string;
  title: string;
  text: string;
  action: FaultAction;
  actionLabel: string;
  /** True where the demo would work though this did not. */
  demoInstead: boolean;
  /** Seconds until trying again makes sense; null where that depends on a person. */
  retryAfterS: number | null;
}

type Words = Pick<Fault, "title" | "text"> & Partial<Fault>;

const WORDS: Record<string, Words> = {
  insecure_origin: {
    title: "This address hides camera and screen",
    text: "Browsers give them only to https pages and to localhost. Open Vedette on the machine that runs it, or put an https proxy in front of it.",
    action: "secure",
    actionLabel: "Open on localhost",
    demoInstead: true,
  },
  no_webrtc: {
    title: "No WebRTC in this browser",
    text: "Video travels over WebRTC, which this browser lacks or has switched off. Use a current Chrome, Edge, Firefox or Safari.",
    action: "reload",
    actionLabel: "Reload",
  },
  no_camera: { title: "No camera found", text: "Plug one in, or switch on the one in your laptop, then try again.", demoInstead: true },
  camera_denied: {
    title: "The camera is blocked",
    text: "Permission was refused. Allow the camera in the site settings beside the address (and in the system's privacy settings), then try again.",
    demoInstead: true,
  },
  camera_busy: { title: "The camera is busy", text: "Another program is using it. Close that program, then try again.", demoInstead: true },
  camera_failed: { title: "The camera did not start", text: "The browser could not open it.", demoInstead: true },
  camera_lost: { title: "The camera is gone", text: "It was unplugged, switched off, or taken back by the browser.", actionLabel: "Start again" },
  no_mic: { title: "No microphone found", text: "Plug one in, or switch on the one in your laptop, then try again." },
  mic_denied: {
    title: "The microphone is blocked",
    text: "Permission was refused. Allow the microphone in the site settings beside the address (and in the system's privacy settings), then try again.",
  },
  mic_busy: { title: "The microphone is busy", text: "Another program is using it. Close that program, then try again." },
  mic_failed: { title: "The microphone did not start", text: "The browser could not open it." },
  mic_lost: { title: "The microphone is gone", text: "It was unplugged, switched off, or taken back by the browser." },
  screen_cancelled: {
    title: "No screen was chosen",
    text: "The choice was closed, or the system does not let this browser record the screen (see its privacy settings). Nothing was sent.",
    actionLabel: "Choose a screen",
    demoInstead: true,
  },
  screen_unsupported: {
    title: "This browser cannot share a screen",
    text: "Browsers on phones and tablets do not. Use a computer, or the camera of this device.",
    demoInstead: true,
  },
  screen_failed: { title: "The screen could not be shared", text: "The browser did not say more than this:", demoInstead: true },
  demo_missing: {
    title: "The demo's photographs are missing",
    text: "They come with the ultralytics package, and the demo cannot run without them. Installing Vedette again brings them back; camera and screen work without.",
  },
  source_unreachable: { title: "The source cannot be reached", text: "The server found no picture where it should be." },
  server_gone: { title: "The server does not answer", text: "It may have stopped, or the network between is down. Check the terminal that runs it." },
  ice_failed: {
    title: "No way through for video",
    text: "The server answers, but no UDP path to it opens. A firewall or VPN that blocks UDP is the usual cause.",
  },
  no_frames: { title: "No picture came back", text: "The connection stands, but the server returned no video." },
  source_silent: { title: "Its source sends nothing", text: "The session runs, but its camera sends no pictures just now." },
  overloaded: { title: "The server is full", text: "It has no room for another session just now.", retryAfterS: 5 },
  model_unavailable: { title: "No detector can run", text: "The server could load none of its models." },
  not_found: { title: "The session is over", text: "The server does not know it any more.", actionLabel: "Start again" },
  conflict: { title: "Somebody else is publishing", text: "This session already has a camera." },
  rate_limited: { title: "Too many requests", text: "The server asks for a pause.", retryAfterS: 5 },
  unauthorized: { title: "This server asks for a token", text: "It is not open to everybody on this address." },
  forbidden: { title: "This is not allowed", text: "The server refused it, with these words:" },
  db_unavailable: { title: "The database does not answer", text: "Nothing can be stored, so no session can start.", retryAfterS: 10 },
  storage_full: { title: "The disk is full", text: "Nothing more can be stored. Free some space, then try again." },
  session_failed: { title: "The session failed", text: "" },
};

const UNKNOWN: Words = { title: "Something went wrong", text: "" };

/** A fault by its code; `detail` is what the server or the browser said, appended to our words. */
export function fault(code: string, detail?: string, retryAfterS?: number | null): Fault {
  const words = WORDS[code] ?? UNKNOWN;
  return {
    action: "retry",
    actionLabel: "Try again",
    demoInstead: false,
    ...words,
    code,
    text: [words.text, detail].filter(Boolean).join(" "),
    retryAfterS: retryAfterS ?? words.retryAfterS ?? null,
  };
}

/** What to say about anything that was thrown while starting on a source of this kind. */
export function faultOf(error: unknown, kind: Choice["kind"] = "camera"): Fault {
  if (error instanceof ApiError) {
    const code = error.code === "source_unreachable" && kind === "demo" ? "demo_missing" : error.code;
    return fault(code, code === "server_gone" ? undefined : error.message, error.retryAfterS);
  }
  const name = error instanceof Error ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  if (kind === "screen") {
    // Closing the browser's own dialog and a refusal by the system look the same to a page.
    const refused = name === "NotAllowedError" || name === "SecurityError" || name === "AbortError" || name === "InvalidStateError";
    return refused ? fault("screen_cancelled") : fault("screen_failed", message);
  }
  return deviceFault(name, message, "camera");
}

/** Why the microphone cannot be heard. */
export function microphoneFault(error: unknown): Fault {
  return error instanceof Error ? deviceFault(error.name, error.message, "mic") : fault("mic_failed", String(error));
}

function deviceFault(name: string, message: string, device: "camera" | "mic"): Fault {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return fault(`${device}_denied`);
    case "NotFoundError":
    case "OverconstrainedError":
      return fault(`no_${device}`);
    case "NotReadableError":
    case "AbortError":
      return fault(`${device}_busy`);
    default:
      return fault(`${device}_failed`, message);
  }
}

type Scope = Pick<typeof globalThis, "isSecureContext" | "navigator"> & { RTCPeerConnection?: unknown };

/** Why a start cannot work here at all, before anything is asked of the user; null when it can. */
export function environmentFault(scope: Scope, kind: Choice["kind"] = "camera"): Fault | null {
  if (!scope.RTCPeerConnection) return fault("no_webrtc");
  if (kind === "demo" || kind === "watch") return null;
  const devices = scope.navigator.mediaDevices as MediaDevices | undefined;
  if (!devices && !scope.isSecureContext) return fault("insecure_origin");
  if (kind === "screen") return devices && "getDisplayMedia" in devices ? null : fault("screen_unsupported");
  return devices ? null : fault("no_camera");
}

/** Why a session ended, from the server's own reason, for a person. */
export function endedWords(reason: string | null | undefined): { title: string; text: string } {
  switch (reason) {
    case "stopped by a client":
      return { title: "Somebody stopped this session", text: "It was ended from another page or program. Its events are kept." };
    case "source removed":
      return { title: "The source was removed", text: "Somebody deleted it, and the session with it." };
    case "server stopped":
      return { title: "The server was stopped", text: "It ended its sessions properly. Start it again, then go on here." };
    default:
      return { title: "The session is over", text: reason ? `The server says: ${reason}.` : "It ended while this page was away. Its events are kept." };
  }
}
