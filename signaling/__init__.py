"""WebRTC negotiation: offer and answer, ICE policy, data channels. Imports tracks, never server or agents."""
