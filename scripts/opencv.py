"""Makes `import cv2` work where the desktop's libraries are missing, as on a bare server. Runs in the environment.

ultralytics depends on opencv-python, which links to libGL and libxcb. The headless build of the same version does not,
but pip cannot be told to take one for the other.
"""

from __future__ import annotations

import subprocess
import sys


def imports() -> bool:
    """Whether a new interpreter can import OpenCV."""
    return subprocess.run([sys.executable, "-c", "import cv2"], check=False).returncode == 0


def main() -> None:
    """Put the headless build in the place of the other when that cannot be loaded."""
    if imports():
        return
    print("OpenCV cannot be loaded; taking its headless build", flush=True)
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "uninstall", "-y", "opencv-python"], check=True)
    headless = ["-c", "constraints.txt", "--no-deps", "--force-reinstall", "opencv-python-headless"]
    subprocess.run([*pip, "install", *headless], check=True)
    if not imports():
        sys.exit("OpenCV's headless build cannot be loaded either")


if __name__ == "__main__":
    main()
