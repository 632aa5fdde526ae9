"""Commands one after another in one process: `huggingface_hub` reads its variables at import.

Reads `["publish", "demo", …]` a line, answers `{"code": …, "out": …, "err": …}`.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from imitation_data.cli import app


def run(arguments: list[str]) -> dict[str, object]:
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["imitation-data", *arguments]
    app._SIGNALS.clear()
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            app.main()
        except SystemExit as ended:
            code = ended.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
