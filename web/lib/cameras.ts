import { Cell } from "./store";

export interface CameraDevice {
  deviceId: string;
  label: string;
}

/** The cameras that this browser tells of: before permission it names none, so there is nothing to pick from. */
export class Cameras {
  readonly view = new Cell<readonly CameraDevice[]>([]);

  /** Look now, and whenever one comes or goes. Returns how to stop. */
  watch(): () => void {
    const devices = globalThis.navigator?.mediaDevices;
    if (!devices?.enumerateDevices) return () => undefined;
    void this.look();
    devices.addEventListener("devicechange", this.look);
    return () => devices.removeEventListener("devicechange", this.look);
  }

  look = async (): Promise<void> => {
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const named = all.filter(({ kind, deviceId, label }) => kind === "videoinput" && deviceId !== "" && label !== "");
    this.view.set(named.map(({ deviceId, label }) => ({ deviceId, label })));
  };
}
