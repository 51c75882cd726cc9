// Passes the camera's encoded frames on untouched and reports, for each, its RTP timestamp and when it left the encoder.
// A plain file, so that the page's content security policy needs nothing beyond 'self'.
self.onrtctransform = ({ transformer }) => {
  const log = new TransformStream({
    transform(frame, controller) {
      controller.enqueue(frame);
      const rtp = frame.getMetadata().rtpTimestamp;
      if (rtp !== undefined) self.postMessage({ rtp, at: performance.timeOrigin + performance.now() });
    },
  });
  // The pipe ends with its connection; that is no fault of anybody's.
  transformer.readable.pipeThrough(log).pipeTo(transformer.writable).catch(() => undefined);
};
