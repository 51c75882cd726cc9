"""`/ws/stream`, protocol 1: sessions for clients that speak no WebRTC. One file for each job of a connection."""
