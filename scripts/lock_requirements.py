"""Write requirements-lock.txt: the files of constraints.txt's versions for this platform, by their SHA-256.

    python scripts/lock_requirements.py

pip is asked what it would install; nothing is. PyTorch is left out, since its file differs with the index
that it comes from (builds for processors and for each CUDA have one version number).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = "torch"
HEADER = """\
# The files of constraints.txt's versions for Linux x86-64, CPython 3.11, each by its SHA-256 (make locked).
# PyTorch is not among them: its file differs with the index that it comes from.
# Written by scripts/lock_requirements.py.
"""


def main() -> None:
    """Write the file."""
    wanted = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    wanted = [line for line in wanted if not line.startswith(f"{LEFT_OUT}==")]
    with tempfile.TemporaryDirectory() as folder:
        report, names = Path(folder) / "report.json", Path(folder) / "names.txt"
        names.write_text("\n".join(wanted))
        options = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:", "--quiet"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            *options,
            "--report",
            str(report),
            "-r",
            str(names),
        ]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text())["install"]
    hashes = {
        f"{each['metadata']['name']}=={each['metadata']['version']}": each["download_info"]["archive_info"]
        for each in found
    }
    lines = [
        f"{name} \\\n    --hash=sha256:{archive['hashes']['sha256']}\n"
        for name, archive in sorted(hashes.items(), key=lambda item: item[0].lower())
    ]
    (ROOT / "requirements-lock.txt").write_text(HEADER + "".join(lines))


if __name__ == "__main__":
    main()
