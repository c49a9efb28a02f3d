"""The app on a model hub's machine, where this file is called app.py (docs/app.md).

python examples/10_app_on_a_hub.py
"""

from pathlib import Path

from spgnet.app import AppConfig, run_app

run_app(AppConfig(out=Path("results"), host="0.0.0.0", browser=False))
