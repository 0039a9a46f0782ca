"""The main job, done by an installed wheel alone: `python tests/wheel_check.py BIN`.

BIN is the folder of an environment's programs. Run by `make wheel-check`, not by pytest: this
process makes noisy speech and looks at the results, the environment in BIN does everything else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile as sf

ROOT = Path(__file__).resolve().parents[1]


def main(programs: Path) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}

    def smle(*arguments: str, folder: Path) -> str:
        command = [str(programs.resolve() / "smle"), *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        maker = [sys.executable, str(ROOT / "examples" / "noisy_speech.py"), str(folder / "noisy")]
        subprocess.run(maker, check=True)
        print(smle("models", folder=folder), end="")
        smle("enhance", "noisy", "clean", "--report", "report.json", folder=folder)
        files = json.loads((folder / "report.json").read_text())["files"]
        for file in files:
            before, after = sf.info(folder / file["input"]), sf.info(folder / file["output"])
            for fact in ("frames", "samplerate", "channels", "format", "subtype"):
                assert getattr(before, fact) == getattr(after, fact), (file["input"], fact)
        made = [path for path in (folder / "clean").rglob("*.*") if not path.name.startswith(".")]
        assert len(files) == len(made) == 7, made
        removed_db = sum(file["noise_removed_db"] for file in files) / len(files)
        assert removed_db > 6, f"only {removed_db:.1f} dB of noise removed"
        print(f"wheel alone: {len(files)} files enhanced, {removed_db:.1f} dB of noise removed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
