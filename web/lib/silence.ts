import type { Choice } from "./choice";
import type { Hears } from "./held";
import type { MicrophoneView } from "./microphone";
import type { RecogniserInfo } from "./types";

/** Why no words come, for a person, and what can be done about it. */
export interface Silence {
  text: string;
  action: SilenceAction | null;
  /** True when something is wrong, so that it must be said beside words that came earlier, too. */
  trouble: boolean;
}

/** `open` the microphone, `restart` the session with it. */
export type SilenceAction = "open" | "restart";

interface Hearing {
  /** Null while nothing is watched. */
  kind: Choice["kind"] | null;
  /** Null until there is a session. */
  hears: Hears | null;
  microphone: MicrophoneView;
  recogniser: RecogniserInfo | null;
}

export function silenceOf({ kind, hears, microphone, recogniser }: Hearing): Silence {
  if (kind === null) return plain("What is said appears here while it is said. The demo has a voice; a camera needs its microphone switched on.");
  if (hears === "cannot") return trouble("This server cannot transcribe: it is older than this page. The picture goes on without words.");
  if (kind === "screen") return plain("A shared screen comes without sound. The demo is transcribed, and a camera with its microphone on.");
  if (hears === "no" && kind === "camera") return plain("The microphone was off when this session started, so it does not listen.", "restart");
  if (hears === "no") return plain("This session does not listen: it was started for its pictures alone.");
  if (kind === "camera") {
    if (microphone.state === "off") return plain("The microphone is off.", "open");
    if (microphone.state === "asking") return plain("Waiting for the microphone: allow it if the browser asks.");
    if (microphone.state === "failed") return trouble(`${microphone.fault.title}, so nothing is written down.`, "open");
  }
  if (hears === null) return plain("Connecting. Whatever is said appears here while it is said.");
  if (recogniser?.loading) return plain("Listening. The recogniser is still loading: what is said is written down once it is there.");
  if (recogniser?.name === "") return trouble(`Voices are noticed, but nothing writes down what they say: ${recogniser.reason || "no recogniser runs"}.`);
  return plain("Listening. Whatever is said appears here while it is said.");
}

const plain = (text: string, action: SilenceAction | null = null): Silence => ({ text, action, trouble: false });
const trouble = (text: string, action: SilenceAction | null = null): Silence => ({ text, action, trouble: true });
