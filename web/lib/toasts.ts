import { Cell } from "./store";

export interface ToastAction {
  label: string;
  /** A link, which `download` names a file for; or else something to do, after which the toast goes. */
  href?: string;
  download?: string;
  run?: () => void;
}

export interface Toast {
  id: number;
  tone: "plain" | "failed";
  title: string;
  text?: string;
  /** Address of a picture. */
  image?: string;
  actions?: readonly ToastAction[];
  /** How long it stays unless somebody is on it, ms. */
  lastsMs: number;
}

const MOST = 3;

/** Short news over the page, newest last; the oldest goes when there are too many. */
export class Toasts {
  readonly view = new Cell<readonly Toast[]>([]);
  private number = 0;

  show(toast: Omit<Toast, "id" | "tone" | "lastsMs"> & Partial<Pick<Toast, "tone" | "lastsMs">>): number {
    const id = (this.number += 1);
    const whole: Toast = { tone: "plain", lastsMs: 8_000, ...toast, id };
    this.view.set([...this.view.getSnapshot(), whole].slice(-MOST));
    return id;
  }

  dismiss = (id: number): void => {
    this.view.set(this.view.getSnapshot().filter((toast) => toast.id !== id));
  };
}
