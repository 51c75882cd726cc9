# syntax=docker/dockerfile:1

# The console: a static export, built with the lock file and without install scripts.
FROM node:20-slim AS console
WORKDIR /web
ENV NEXT_TELEMETRY_DISABLED=1
COPY web/package.json web/package-lock.json ./
RUN npm ci --ignore-scripts --no-fund --no-audit
COPY web/ ./
RUN npm run build

FROM python:3.11-slim
# torch without CUDA. For an image that uses an NVIDIA GPU: --build-arg TORCH_INDEX=https://pypi.org/simple
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN pip install -c constraints.txt setuptools \
    && pip install -c constraints.txt --no-deps --index-url "$TORCH_INDEX" torch torchvision
# Dependencies first, from empty packages: the layer holds until the pins change.
COPY scripts/__init__.py scripts/opencv.py scripts/
RUN mkdir tracks signaling server \
    && touch tracks/__init__.py signaling/__init__.py server/__init__.py \
    && pip install -c constraints.txt --no-build-isolation -e . \
    && python -m scripts.opencv
COPY tracks/ tracks/
COPY signaling/ signaling/
COPY server/ server/
COPY --from=console /web/out web/out

RUN useradd --system --uid 10001 --create-home vedette \
    && install -d -o vedette -g vedette /app/data
USER vedette
VOLUME /app/data

# Inside a container the server must listen on every address to be reached at all; by plain http, unless VEDETTE_TLS_CERT
# and VEDETTE_TLS_KEY name mounted files. It asks for a token, which the first start shows in the log; `docker exec
# CONTAINER vedette token create --name NAME` makes others. Publish the port to 127.0.0.1, or put https in front of it:
# docs/access.md.
ENV VEDETTE_HOST=0.0.0.0 VEDETTE_INSECURE_BIND=1
EXPOSE 8000
STOPSIGNAL SIGTERM
# It asks this very container, whatever name its certificate has.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "\
import os, ssl; from urllib.request import urlopen; \
scheme = 'https' if os.environ.get('VEDETTE_TLS_CERT') else 'http'; \
port = os.environ.get('VEDETTE_PORT') or 8000; \
urlopen(f'{scheme}://127.0.0.1:{port}/health/live', timeout=4, context=ssl._create_unverified_context())"]
CMD ["vedette", "serve"]
