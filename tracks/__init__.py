"""Media and perception: the bottom layer. Imports av, numpy and aiortc; never server, signaling or agents."""
