"""finn-plus' estimates of one model, run by the Python of an environment that has finn-plus 1.6.1 (``python -m benchmarks.builds --finn``).

    PYTHON benchmarks/finn_plus.py MODEL FOLDER

Its steps for estimates ask for a Vivado that they do not use; here they are told that one is there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(model: str, folder: Path) -> None:
    """Ultra96, 100 MHz, 3,000 frames per second wanted, one worker; writes its reports into ``folder/out``."""
    (folder / "build").mkdir(parents=True, exist_ok=True)
    os.environ.update(
        XILINX_VIVADO=str(folder / "Vivado" / "2022.2"),
        FINN_BUILD_DIR=str(folder / "build"),
        FINN_ROOT=str(folder),
        FINN_DEPS=str(folder / "deps"),
        NUM_DEFAULT_WORKERS="1",
    )
    import finn.xsi

    finn.xsi.__dict__.update(
        SimEngine=object, is_available=lambda *_, **__: True, ensure_available=lambda *_, **__: None
    )
    from finn.builder import build_dataflow_config as config
    from finn.builder.build_dataflow import build_dataflow_cfg

    failed = build_dataflow_cfg(
        model,
        config.DataflowBuildConfig(
            output_dir=str(folder / "out"),
            synth_clk_period_ns=10.0,
            target_fps=3000,
            board="Ultra96",
            steps=config.estimate_only_dataflow_steps,
            generate_outputs=[config.DataflowOutputType.ESTIMATE_REPORTS],
            save_intermediate_models=False,
        ),
    )
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
