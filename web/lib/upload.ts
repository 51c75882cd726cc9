import { ApiError, toApiError } from "./apierror";

/** What the server found in a file that was sent. */
export interface MediaFound {
  format: string;
  /** Seconds. */
  duration: number | null;
  video: { codec: string; width: number; height: number; fps: number | null } | null;
  audio: { codec: string; rate: number; channels: number } | null;
}

/** A file that the server has. */
export interface Uploaded {
  sourceId: string;
  media: MediaFound | null;
}

/** One request that tells how much of its body is sent, 0 to 1. Rejects with ApiError, or with an AbortError. */
export type Send = (url: string, form: FormData, onSent: (share: number) => void, signal: AbortSignal) => Promise<Response>;

/** `fetch` does not tell how much it has sent; XMLHttpRequest does. */
export const send: Send = (url, form, onSent, signal) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const settle = (work: () => void) => () => {
      signal.removeEventListener("abort", stop);
      work();
    };
    request.open("POST", url);
    // What one is signed in with is a cookie; to another port of the host it goes only when asked to.
    request.withCredentials = /^https?:/.test(url);
    request.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 0);
    request.upload.onload = () => onSent(1);
    request.onload = settle(() => {
      const after = request.getResponseHeader("Retry-After");
      resolve(new Response(request.responseText || null, { status: request.status, statusText: request.statusText, headers: after ? { "Retry-After": after } : {} }));
    });
    request.onerror = settle(() => reject(new ApiError("server_gone", "The server does not answer.", 0)));
    request.onabort = settle(() => reject(new DOMException("", "AbortError")));
    if (signal.aborted) return reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", stop, { once: true });
    request.send(form);
  });

/** Send a file to be a source. Rejects as `Send`, with the server's own code and details where it refuses the file. */
export async function upload(base: string, file: File, onSent: (share: number) => void, signal: AbortSignal, sender: Send = send): Promise<Uploaded> {
  const form = new FormData();
  form.append("kind", "upload");
  // The server takes 200 characters.
  form.append("name", file.name.slice(0, 200) || "File");
  form.append("file", file);
  const response = await sender(`${base}/sources`, form, onSent, signal);
  if (!response.ok) throw await toApiError(response);
  return (await response.json()) as Uploaded;
}
