import { Camera, Maximize, Volume2, VolumeX } from "lucide-react";
import styles from "./StageBar.module.css";

interface Props {
  /** Null where there is no sound. */
  muted: boolean | null;
  taking: boolean;
  onMute(): void;
  onSnapshot(): void;
  onFullscreen(): void;
}

/** What one can do with the picture, on it. */
export function StageBar({ muted, taking, onMute, onSnapshot, onFullscreen }: Props) {
  return (
    <div className={styles.bar} role="group" aria-label="Picture">
      {muted !== null && (
        <button type="button" className={styles.button} data-wide={muted} onClick={onMute} title={muted ? "Sound on (M)" : "Sound off (M)"}>
          {muted ? <VolumeX size={18} aria-hidden /> : <Volume2 size={18} aria-hidden />}
          <span className={muted ? undefined : "visuallyHidden"}>{muted ? "Unmute" : "Mute"}</span>
        </button>
      )}
      <span className={styles.space} />
      <button type="button" className={styles.button} onClick={onSnapshot} aria-disabled={taking} title="Snapshot (S)" aria-label="Snapshot">
        <Camera size={18} aria-hidden />
      </button>
      <button type="button" className={styles.button} onClick={onFullscreen} title="Full screen (F)" aria-label="Full screen">
        <Maximize size={18} aria-hidden />
      </button>
    </div>
  );
}
