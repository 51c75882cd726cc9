"""Values as people read them on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracks.asr import AsrInfo
    from tracks.detect import DetectorInfo


def describe_detector(info: DetectorInfo) -> str:
    """`people on cpu by openvino, fp32, class person`."""
    classes = f"class {info.labels[0]}" if len(info.labels) == 1 else f"{len(info.labels)} classes"
    return f"{info.name} on {info.device} by {info.runtime}, {info.precision}, {classes}"


def describe_recogniser(info: AsrInfo) -> str:
    """`whisper-base on cpu by faster-whisper, int8, 99 languages`, `pocketsphinx on cpu, 5.1.1, language en`."""
    by = "" if info.engine == info.name else f" by {info.engine}"
    known = f"language {info.languages[0]}" if len(info.languages) == 1 else f"{len(info.languages)} languages"
    parts = (f"{info.name} on {info.device}{by}", info.compute, known if info.languages else "")
    return ", ".join(part for part in parts if part)


def url_of(host: str, port: int, *, tls: bool = False) -> str:
    """`http://127.0.0.1:8000`, with the brackets that an IPv6 address needs."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def size_of(size_bytes: float) -> str:
    """`5.3 MB`: three digits at most, in powers of ten as file managers and shops count."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 999.5:
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 99.95 else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"
