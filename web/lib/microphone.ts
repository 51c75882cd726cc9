import { type Fault, fault, microphoneFault } from "./faults";
import { Cell } from "./store";

export type MicrophoneView = { state: "off" } | { state: "asking" } | { state: "on"; name: string } | { state: "failed"; fault: Fault };

/**
 * As the room sounds, since noise suppression is made for ears: of 22 words of an old recording pocketsphinx got 21 and 19
 * wrong with it, 6 and 9 with echo cancellation alone, 7 without either. What loudspeakers play must not be heard.
 */
const SOUND: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: false, autoGainControl: false };

/**
 * The microphone beside a camera. That it cannot be had costs the words and never the picture, so failures stay here.
 * What it hears goes to `send`, with null when it stops.
 */
export class Microphone {
  readonly view = new Cell<MicrophoneView>({ state: "off" });
  track: MediaStreamTrack | null = null;
  /** Counts changes of mind: an answer that comes after one is not wanted any more. */
  private wish = 0;

  constructor(private readonly send: (track: MediaStreamTrack | null) => Promise<void>) {}

  /** Ask for it. Never rejects: failures become the view. */
  open = async (): Promise<void> => {
    const { state } = this.view.getSnapshot();
    if (state === "on" || state === "asking") return;
    const wish = (this.wish += 1);
    this.view.set({ state: "asking" });
    try {
      const track = (await navigator.mediaDevices.getUserMedia({ audio: SOUND, video: false })).getAudioTracks()[0];
      if (wish !== this.wish) return track?.stop();
      if (!track) throw new DOMException("no audio track", "NotFoundError");
      this.track = track;
      track.onended = () => this.stop({ state: "failed", fault: fault("mic_lost") });
      this.view.set({ state: "on", name: track.label || "Microphone" });
      await this.send(track);
    } catch (error) {
      if (wish === this.wish) this.stop({ state: "failed", fault: microphoneFault(error) });
    }
  };

  /** Let go of it: the browser's own sign that it listens goes out. */
  close = (): void => this.stop({ state: "off" });

  private stop(view: MicrophoneView): void {
    const { track } = this;
    this.wish += 1;
    this.track = null;
    this.view.set(view);
    if (!track) return;
    track.onended = null;
    track.stop();
    this.send(null).catch(() => undefined);
  }
}
